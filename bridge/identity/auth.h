// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* auth.h - who asks, and may they? Thread: loop. */
#pragma once

#include "bridge/http/http.h"
#include "bridge/identity/scope.h"
#include "bridge/store/store_audit.h"
#include "bridge/store/store_user.h"

#define SESSION_COOKIE "rollcall_session"

/* Fills rq->who from the bearer token (a session's or an API key) or the cookie, unless `need`
 * is SCOPE_OPEN. `unsafe`: the method changes something, so that a cookie alone does not
 * suffice. */
enum err_code auth_check(struct request *rq, bool unsafe, enum scope need,
			 struct err *e) MUST_CHECK;

/* Is whoever was let in once still in? For answers that go on for long: ask whenever
 * auth_version() is another one, and once a second, for time passes too. */
bool auth_still_valid(const struct app *app, const struct principal *who);
uint64_t auth_version(const struct app *app);

/* A new session of the user: the token's text (free() it) and its end. NULL: out of memory. */
char *auth_begin_session(struct app *app, const struct user_row *user, int64_t *expires_ms);

/* Who asks and from where, for the audit trail. */
struct audit_origin auth_origin(const struct request *rq);
