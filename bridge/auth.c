// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/auth.h"

#include "bridge/app.h"
#include "bridge/jwt.h"
#include "bridge/user.h"
#include "protocol/clock.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SESSION_MAX 2048 /* longest token that is looked at */

const char *role_name(enum role role)
{
	return role == ROLE_ADMIN ? "admin" : "viewer";
}

static bool copy(const char *text, size_t len, char out[SESSION_MAX])
{
	if (len == 0 || len >= SESSION_MAX)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

static bool from_bearer(const struct request *rq, char out[SESSION_MAX])
{
	const char *value = request_header(rq, "Authorization");

	if (value == NULL || strncasecmp(value, "Bearer ", 7) != 0)
		return false;
	value += 7 + strspn(value + 7, " ");
	return copy(value, strlen(value), out);
}

static bool from_cookie(const struct request *rq, char out[SESSION_MAX])
{
	const size_t name_len = strlen(SESSION_COOKIE);
	const char *at = request_header(rq, "Cookie");

	while (at != NULL) {
		at += strspn(at, " ;");
		if (strncmp(at, SESSION_COOKIE, name_len) == 0 && at[name_len] == '=') {
			at += name_len + 1;
			return copy(at, strcspn(at, "; "), out);
		}
		at = strchr(at, ';');
	}
	return false;
}

/* A browser sends the cookie along with whatever some page makes it send; Origin tells which
 * page that was. A proxy that ends TLS says so in X-Forwarded-Proto. */
static bool same_origin(const struct request *rq)
{
	const char *origin = request_header(rq, "Origin"), *host = request_header(rq, "Host");
	const char *scheme = request_header(rq, "X-Forwarded-Proto");
	char ours[512];

	if (origin == NULL || host == NULL)
		return false;
	snprintf(ours, sizeof(ours), "%s://%s", scheme != NULL ? scheme : "http", host);
	return strcasecmp(origin, ours) == 0;
}

static enum err_code identify(struct request *rq, const char *session, struct err *e)
{
	const struct user_row *user;
	struct claims claims;

	if (!jwt_check(rq->app->config.jwt_secret, session, clock_unix_ms() / 1000, &claims))
		return err_set(e, ERR_UNAUTHENTICATED, "the session is not valid or has ended");
	user = users_find(rq->app->users, claims.sub);
	if (user == NULL || user->ver != claims.ver)
		return err_set(e, ERR_UNAUTHENTICATED, "the session has ended");
	snprintf(rq->who.name, sizeof(rq->who.name), "%s", user->name);
	rq->who.role = user->role;
	rq->who.scopes = (unsigned)(SCOPE_SIGNED_IN | SCOPE_SESSION) |
			 (user->role == ROLE_ADMIN ? SCOPES_ADMIN : SCOPES_VIEWER);
	rq->who.expires_ms = claims.exp_s * 1000;
	return ERR_OK;
}

enum err_code auth_check(struct request *rq, bool unsafe, enum scope need, struct err *e)
{
	char session[SESSION_MAX];
	bool bearer;

	if (need == SCOPE_OPEN)
		return ERR_OK;
	if (!users_loaded(rq->app->users))
		return err_set(e, ERR_DATABASE_UNAVAILABLE,
			       "the database has not been reached yet");
	bearer = from_bearer(rq, session);
	if (!bearer && !from_cookie(rq, session))
		return err_set(e, ERR_UNAUTHENTICATED, NULL);
	if (identify(rq, session, e) != ERR_OK)
		return e->code;
	if (!bearer && unsafe && !same_origin(rq))
		return err_set(e, ERR_FORBIDDEN,
			       "a change with a cookie needs an Origin header of this site");
	if ((rq->who.scopes & (unsigned)need) == 0)
		return err_set(e, ERR_FORBIDDEN, "needs the scope %s", scope_name(need));
	return ERR_OK;
}

char *auth_begin_session(struct app *app, const struct user_row *user, int64_t *expires_ms)
{
	struct claims claims = {.role = user->role, .ver = user->ver};
	uint8_t random[16];

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(claims.jti, sizeof(claims.jti), random, sizeof(random));
	snprintf(claims.sub, sizeof(claims.sub), "%s", user->name);
	claims.iat_s = clock_unix_ms() / 1000;
	claims.exp_s = claims.iat_s + app->config.session_hours * 3600;
	*expires_ms = claims.exp_s * 1000;
	return jwt_issue(app->config.jwt_secret, &claims);
}
