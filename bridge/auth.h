// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* auth.h - who asks, and may they? Thread: loop. */
#pragma once

#include "bridge/http.h"
#include "bridge/scope.h"
#include "bridge/store_user.h"

#define SESSION_COOKIE "rollcall_session"

/* Fills rq->who from the bearer token or the cookie, unless `need` is SCOPE_OPEN. `unsafe`:
 * the method changes something, so that a cookie alone does not suffice. */
enum err_code auth_check(struct request *rq, bool unsafe, enum scope need,
			 struct err *e) MUST_CHECK;

/* A new session of the user: the token's text (free() it) and its end. NULL: out of memory. */
char *auth_begin_session(struct app *app, const struct user_row *user, int64_t *expires_ms);

const char *role_name(enum role role);
