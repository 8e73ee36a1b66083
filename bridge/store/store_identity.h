// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_identity.h - SQL of who may use the REST API: what all bridges keep in memory, and the
 * counter that tells them when to read it again. Thread: the connection's. */
#pragma once

#include "bridge/store/store_key.h"
#include "bridge/store/store_user.h"

#define JTI_SIZE 33

/* A session that its user ended. */
struct ended_session {
	char jti[JTI_SIZE];
	int64_t expires_ms;
};

struct identity_rows {
	bool all;  /* users and keys are there, and all ended sessions, not just the new ones */
	int64_t n; /* they are at least as new as this */
	struct user_list users;
	struct key_list keys;
	struct ended_session *ended; /* owned */
	size_t ended_len, ended_cap;
};

void identity_rows_fini(struct identity_rows *rows);

/* Reads all; or, where `known` (-1: nothing) is not far behind, the sessions that ended since
 * along with all users and keys; or nothing when n is still the same. */
enum err_code store_identity_read(struct db *db, int64_t known, struct identity_rows *out,
				  struct err *e) MUST_CHECK;

/* Locks the state until the transaction's end and takes the next n. */
enum err_code store_identity_next(struct db *db, int64_t *n, struct err *e) MUST_CHECK;

/* Within a transaction that took n. Nothing happens for one that has ended already. */
enum err_code store_session_end(struct db *db, const struct ended_session *session, int64_t n,
				struct err *e) MUST_CHECK;
