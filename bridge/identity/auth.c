// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/auth.h"

#include "bridge/app.h"
#include "bridge/identity/identity.h"
#include "bridge/identity/jwt_cache.h"
#include "bridge/identity/key.h"
#include "protocol/clock.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SESSION_MAX 2048 /* longest token that is looked at */

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
 * page that was. */
static bool same_origin(const struct request *rq)
{
	const char *origin = request_header(rq, "Origin"), *host = request_header(rq, "Host");
	char ours[512];

	if (origin == NULL || host == NULL)
		return false;
	snprintf(ours, sizeof(ours), "%s://%s", rq->secure ? "https" : "http", host);
	return strcasecmp(origin, ours) == 0;
}

bool auth_still_valid(const struct app *app, const struct principal *who)
{
	const struct user_row *user;

	if (who->expires_ms != 0 && clock_unix_ms() >= who->expires_ms)
		return false;
	if (who->ver == 0)
		return identity_key(app->identity, &who->key) != NULL;
	user = identity_user(app->identity, who->name);
	return user != NULL && user->ver == who->ver &&
	       !identity_session_ended(app->identity, who->jti);
}

uint64_t auth_version(const struct app *app)
{
	return identity_version(app->identity);
}

static void identify_key(struct request *rq, const struct key_row *key)
{
	snprintf(rq->who.name, sizeof(rq->who.name), "key:%s", key->name);
	rq->who.scopes = key->scopes | SCOPE_SIGNED_IN;
	if (key->scopes & SCOPE_ADMIN)
		rq->who.scopes |= SCOPES_ADMIN;
	rq->who.expires_ms = key->expires_ms;
	rq->who.key = key->hash;
}

static enum err_code by_key(struct request *rq, const char *text, struct err *e)
{
	const struct key_row *key = NULL;
	struct token_hash hash;

	if (key_hash(text, &hash))
		key = identity_key(rq->app->identity, &hash);
	if (key != NULL)
		identify_key(rq, key);
	if (key == NULL || !auth_still_valid(rq->app, &rq->who))
		return err_set(e, ERR_UNAUTHENTICATED, "the key is not valid or has expired");
	identity_key_used(rq->app->identity, &hash, clock_unix_ms());
	return ERR_OK;
}

static void identify_user(struct request *rq, const struct user_row *user,
			  const struct claims *claims)
{
	snprintf(rq->who.name, sizeof(rq->who.name), "%s", user->name);
	snprintf(rq->who.jti, sizeof(rq->who.jti), "%s", claims->jti);
	rq->who.role = user->role;
	rq->who.scopes = (unsigned)(SCOPE_SIGNED_IN | SCOPE_SESSION) |
			 (user->role == ROLE_ADMIN ? SCOPES_ADMIN : SCOPES_VIEWER);
	rq->who.expires_ms = claims->exp_s * 1000;
	rq->who.ver = claims->ver;
}

static enum err_code by_session(struct request *rq, const char *text, struct err *e)
{
	const struct user_row *user;
	struct claims claims;

	if (!jwt_cache_check(rq->app->jwts, text, clock_unix_ms() / 1000, &claims))
		return err_set(e, ERR_UNAUTHENTICATED, "the session is not valid or has ended");
	user = identity_user(rq->app->identity, claims.sub);
	if (user != NULL)
		identify_user(rq, user, &claims);
	if (user == NULL || !auth_still_valid(rq->app, &rq->who))
		return err_set(e, ERR_UNAUTHENTICATED, "the session has ended");
	return ERR_OK;
}

static enum err_code identify(struct request *rq, bool *by_cookie, struct err *e)
{
	char text[SESSION_MAX];
	const bool bearer = from_bearer(rq, text);

	*by_cookie = !bearer;
	if (!bearer && !from_cookie(rq, text))
		return err_set(e, ERR_UNAUTHENTICATED, NULL);
	if (bearer && strncmp(text, KEY_PREFIX, strlen(KEY_PREFIX)) == 0)
		by_key(rq, text, e);
	else
		by_session(rq, text, e);
	sodium_memzero(text, sizeof(text));
	if (e->code != ERR_OK)
		rq->who = (struct principal){0};
	return e->code;
}

enum err_code auth_check(struct request *rq, bool unsafe, enum scope need, struct err *e)
{
	bool by_cookie;

	if (need == SCOPE_OPEN)
		return ERR_OK;
	if (!identity_loaded(rq->app->identity))
		return err_set(e, ERR_DATABASE_UNAVAILABLE,
			       "the database has not been reached yet");
	if (identify(rq, &by_cookie, e) != ERR_OK)
		return e->code;
	if (by_cookie && unsafe && !same_origin(rq))
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

struct audit_origin auth_origin(const struct request *rq)
{
	struct audit_origin from = {0};

	snprintf(from.actor, sizeof(from.actor), "%s", rq->who.name);
	snprintf(from.address, sizeof(from.address), "%s", rq->address);
	snprintf(from.request_id, sizeof(from.request_id), "%s", rq->id);
	return from;
}
