// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/admit.h"

#include "protocol/clock.h"

#include <string.h>

const char *refusal_name(enum refusal refusal)
{
	static const char *const names[] = {"ADMITTED",
#define X(code) #code,
					    REFUSAL_LIST(X)
#undef X
	};

	return names[refusal];
}

/* Who it is: worker and token. */
static enum refusal check_identity(struct directory *d, const struct login *login,
				   const struct worker_id *id, struct dir_token *token)
{
	const struct dir_token *known;
	struct dir_entry entry;

	if (!directory_get(d, id, &entry) || entry.status == DIR_DELETED)
		return REFUSED_WORKER_NOT_FOUND;
	if (entry.status == DIR_REVOKED)
		return REFUSED_WORKER_REVOKED;
	if (login->password == NULL)
		return REFUSED_INVALID_TOKEN;
	token_hash(login->password, strlen(login->password), &token->hash);
	known = dir_entry_token(&entry, &token->hash);
	if (known == NULL)
		return directory_token_of_other(d, &token->hash, id) ? REFUSED_TOKEN_MISMATCH
								     : REFUSED_INVALID_TOKEN;
	if (known->expires_ms != 0 && known->expires_ms <= clock_unix_ms())
		return REFUSED_TOKEN_EXPIRED;
	*token = *known;
	return ADMITTED;
}

/* How it connects. */
static enum refusal check_session(const struct connset *set, const struct login *login,
				  const struct worker_id *id)
{
	const struct options *opt = set->options;
	struct worker_id of_client_id;
	const char *suffix;

	if (login->client_id == NULL ||
	    !client_id_split(login->client_id, &of_client_id, &suffix) ||
	    !worker_id_equal(&of_client_id, id))
		return REFUSED_CLIENT_ID_REFUSED;
	if (opt->transports == TRANSPORTS_WEBSOCKETS && !login->websockets)
		return REFUSED_TRANSPORT_REFUSED;
	/* A kept session would live on in the broker without a connection, and come back with
	 * messages of another time; what must wait for a worker waits in Rollcall. */
	if (!login->clean)
		return REFUSED_PERSISTENT_SESSION;
	if (login->keepalive < 1 || login->keepalive > opt->max_worker_keepalive)
		return REFUSED_KEEPALIVE_REFUSED;
	if (connset_other_sessions(set, id, login->client_id) >= opt->max_sessions_per_worker)
		return REFUSED_TOO_MANY_SESSIONS;
	return ADMITTED;
}

enum refusal admit_worker(struct directory *d, const struct connset *set,
			  const struct login *login, struct worker_id *id,
			  struct dir_token *token)
{
	enum refusal refusal;

	id->text[0] = '\0';
	if (!worker_id_parse(login->username, strnlen(login->username, WORKER_ID_MAX + 1), id))
		return REFUSED_WORKER_NOT_FOUND;
	refusal = check_identity(d, login, id, token);
	return refusal != ADMITTED ? refusal : check_session(set, login, id);
}

bool refusal_of_stranger(enum refusal refusal)
{
	return refusal == REFUSED_WORKER_NOT_FOUND || refusal == REFUSED_WORKER_REVOKED ||
	       refusal == REFUSED_INVALID_TOKEN || refusal == REFUSED_TOKEN_MISMATCH ||
	       refusal == REFUSED_TOKEN_EXPIRED;
}

bool admit_is_worker_client_id(struct directory *d, const char *client_id, struct worker_id *id)
{
	const char *suffix;

	return client_id != NULL && client_id_split(client_id, id, &suffix) &&
	       directory_owns(d, id->text);
}
