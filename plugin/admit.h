// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* admit.h - may this login come in? The rules, and the codes of those that are refused. */
#pragma once

#include "plugin/conn.h"
#include "plugin/directory.h"

/* X(CODE): what the audit names; the client is told no more than "not authorised". */
#define REFUSAL_LIST(X)                                                                        \
	X(WORKER_NOT_FOUND)                                                                    \
	X(WORKER_REVOKED)                                                                      \
	X(INVALID_TOKEN)                                                                       \
	X(TOKEN_MISMATCH)                                                                      \
	X(TOKEN_EXPIRED)                                                                       \
	X(CLIENT_ID_REFUSED)                                                                   \
	X(PERSISTENT_SESSION)                                                                  \
	X(KEEPALIVE_REFUSED)                                                                   \
	X(TRANSPORT_REFUSED)                                                                   \
	X(TOO_MANY_SESSIONS)                                                                   \
	X(RATE_LIMITED)

enum refusal {
	ADMITTED,
#define X(code) REFUSED_##code,
	REFUSAL_LIST(X)
#undef X
		REFUSALS
};

const char *refusal_name(enum refusal refusal);

/* Judges a login whose user name is owned by the plugin. On ADMITTED, *id and *token are set.
 */
enum refusal admit_worker(struct directory *d, const struct connset *set,
			  const struct login *login, struct worker_id *id,
			  struct dir_token *token);

/* True for a refusal that leaves open who it was: somebody may be guessing. */
bool refusal_of_stranger(enum refusal refusal);

/* True if the client id is one of a worker's, so that nobody else may use it: a login with it
 * would throw the worker's session out. *id gets the worker. */
bool admit_is_worker_client_id(struct directory *d, const char *client_id,
			       struct worker_id *id);
