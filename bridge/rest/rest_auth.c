// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* POST /auth/login, /auth/logout, /auth/password; GET /auth/me */
#include "bridge/app.h"
#include "bridge/audit/audit.h"
#include "bridge/http/routes.h"
#include "bridge/identity/auth.h"
#include "bridge/identity/identity.h"
#include "bridge/identity/signin.h"
#include "bridge/identity/user.h"
#include "protocol/clock.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX 8192
#define COOKIE_SIZE 2400

/* ---- sessions ---------------------------------------------------------------------------- */

/* max_age_s 0 takes the cookie away. */
static void set_cookie(struct request *rq, const char *value, int max_age_s)
{
	char cookie[COOKIE_SIZE];

	snprintf(cookie, sizeof(cookie),
		 SESSION_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s", value,
		 max_age_s, rq->secure ? "; Secure" : "");
	respond_header(rq, "Set-Cookie", cookie);
}

static void write_who(struct jwrite *w, const struct principal *who)
{
	if (who->ver == 0) {
		jwrite_str(w, "key", strchr(who->name, ':') + 1);
	} else {
		jwrite_str(w, "username", who->name);
		jwrite_str(w, "role", role_name(who->role));
	}
	jwrite_array(w, "scopes");
	for (unsigned bit = 1; bit <= SCOPE_ADMIN; bit <<= 1)
		if (who->scopes & bit)
			jwrite_str(w, NULL, scope_name((enum scope)bit));
	jwrite_array_end(w);
}

static void answer_session(struct request *rq, const struct user_row *user)
{
	int64_t expires_ms;
	char *token = auth_begin_session(rq->app, user, &expires_ms);
	struct jwrite w;
	struct buf body;
	struct err e;

	if (token == NULL) {
		err_set(&e, ERR_OUT_OF_MEMORY, NULL);
		respond_error(rq, &e);
		return;
	}
	set_cookie(rq, token, (int)rq->app->config.session_hours * 3600);
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "token", token);
	jwrite_time(&w, "expires_at", expires_ms);
	jwrite_object(&w, "user");
	jwrite_str(&w, "username", user->name);
	jwrite_str(&w, "role", role_name(user->role));
	jwrite_object_end(&w);
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
	sodium_memzero(token, strlen(token));
	free(token);
}

static void respond_success(struct request *rq)
{
	struct jwrite w;
	struct buf body;

	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "success", true);
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
}

static enum err_code too_many(struct request *rq, int64_t wait_s, struct err *e)
{
	char text[24];

	if (e->code == ERR_RATE_LIMITED) {
		audit_count_refusal(rq->app->audit, "sign_in_refused", err_name(e->code), 1);
		snprintf(text, sizeof(text), "%d", (int)wait_s);
		respond_header(rq, "Retry-After", text);
	}
	return e->code;
}

/* ---- login ------------------------------------------------------------------------------- */

/* A user whom this bridge has not read yet, made or changed at another one a moment ago. */
struct login {
	struct request *rq;
	struct user_row user;
	struct identity_wait wait;
};

static void on_known(void *arg, struct err *e)
{
	struct login *login = arg;

	if (e->code == ERR_OK)
		answer_session(login->rq, &login->user);
	else
		respond_error(login->rq, e);
	free(login);
}

/* The session must be good at this bridge as soon as the answer is there. */
static void admit(struct request *rq, const struct user_row *user)
{
	const struct user_row *known = identity_user(rq->app->identity, user->name);
	struct login *login;
	struct err e;

	if (known != NULL && known->ver == user->ver) {
		answer_session(rq, user);
		return;
	}
	login = calloc(1, sizeof(*login));
	if (login == NULL) {
		err_set(&e, ERR_OUT_OF_MEMORY, NULL);
		respond_error(rq, &e);
		return;
	}
	*login = (struct login){
		.rq = rq, .user = *user, .wait = {.done = on_known, .arg = login}
        };
	identity_sync(rq->app->identity, &login->wait);
}

/* The name of somebody who does not exist may be a password in the wrong field. */
static void note_attempt(const struct request *rq, const char *name, const struct err *e)
{
	const bool known = identity_user(rq->app->identity, name) != NULL;
	struct audit_row row = {
		.event = "signed_in",
		.actor = name,
		.address = rq->address,
		.request_id = rq->id,
	};
	struct jwrite w;
	struct buf detail;

	if (e->code == ERR_OK)
		audit_put(rq->app->audit, &row);
	if (e->code != ERR_UNAUTHENTICATED)
		return;
	buf_init(&detail, ANSWER_MAX);
	jwrite_begin(&w, &detail);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "username", known ? name : NULL);
	jwrite_object_end(&w);
	row.event = "sign_in_refused";
	row.code = known ? "WRONG_PASSWORD" : "UNKNOWN_USER";
	row.actor = NULL;
	row.detail = detail.failed ? NULL : detail.data;
	audit_put_refusal(rq->app->audit, &row);
	buf_fini(&detail);
}

static void signed_in(void *arg, struct signin *s, struct err *e)
{
	struct request *rq = arg;

	note_attempt(rq, s->name, e);
	if (e->code == ERR_OK)
		admit(rq, &s->user.user);
	else
		respond_error(rq, e);
	signin_free(s);
}

enum err_code rest_login(struct request *rq, struct err *e)
{
	static const char *const keys[] = {"username", "password", NULL};
	const char *name, *password;
	int64_t wait_s = 0;
	struct jread r;

	request_read(rq, &r, e);
	jread_only(&r, keys);
	name = jread_str(&r, "username", 1, USER_NAME_MAX);
	password = jread_str(&r, "password", 1, PASSWORD_MAX);
	if (jread_end(&r) != ERR_OK)
		return e->code;
	if (signin_check(rq->app, name, password, rq->address, signed_in, rq, &wait_s, e) !=
	    ERR_OK)
		return too_many(rq, wait_s, e);
	return ERR_OK;
}

enum err_code rest_me(struct request *rq, struct err *e)
{
	struct jwrite w;
	struct buf body;

	(void)e;
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	write_who(&w, &rq->who);
	jwrite_time(&w, "expires_at", rq->who.expires_ms);
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
	return ERR_OK;
}

/* ---- logout ------------------------------------------------------------------------------ */

struct logout {
	struct request *rq;
	struct ended_session session;
};

static enum err_code end_session(struct db *db, void *arg, struct err *e)
{
	const struct logout *logout = arg;
	const struct audit_row row = {
		.event = "signed_out",
		.actor = logout->rq->who.name,
		.address = logout->rq->address,
		.request_id = logout->rq->id,
	};
	int64_t n;

	if (store_identity_next(db, &n, e) != ERR_OK ||
	    store_session_end(db, &logout->session, n, e) != ERR_OK)
		return e->code;
	return store_audit_add(db, &row, e);
}

static enum err_code work(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, end_session, arg, e);
}

/* At this bridge the session has ended whether or not that could be written down. */
static void session_ended(void *arg, struct err *e)
{
	struct logout *logout = arg;

	if (e->code == ERR_OK)
		respond_success(logout->rq);
	else
		respond_error(logout->rq, e);
	free(logout);
}

enum err_code rest_logout(struct request *rq, struct err *e)
{
	struct logout *logout = calloc(1, sizeof(*logout));

	if (logout == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	logout->rq = rq;
	logout->session.expires_ms = rq->who.expires_ms;
	snprintf(logout->session.jti, sizeof(logout->session.jti), "%s", rq->who.jti);
	set_cookie(rq, "", 0);
	identity_end_session(rq->app->identity, &logout->session);
	db_submit(rq->app->db, work, session_ended, logout);
	return ERR_OK;
}

/* ---- one's own password ------------------------------------------------------------------ */

struct new_password {
	struct request *rq;
	struct user_change *change;
};

static void password_changed(void *arg, struct user_change *change, struct err *e)
{
	struct request *rq = arg;

	/* Whoever changed it goes on with a new session; all older ones have ended. */
	if (e->code == ERR_OK)
		answer_session(rq, &change->user);
	else
		respond_error(rq, e);
	user_change_free(change);
}

static void old_password_checked(void *arg, struct signin *s, struct err *e)
{
	struct new_password *new = arg;
	struct request *rq = new->rq;
	struct user_change *change = new->change;

	free(new);
	if (e->code != ERR_OK)
		note_attempt(rq, s->name, e);
	if (e->code == ERR_OK) {
		change->ver = s->user.user.ver;
		user_apply(rq->app, USER_PASSWORD, change, password_changed, rq);
	} else {
		/* Not 401: they are signed in. */
		if (e->code == ERR_UNAUTHENTICATED)
			err_set(e, ERR_FORBIDDEN, "current_password: is wrong");
		respond_error(rq, e);
		user_change_free(change);
	}
	signin_free(s);
}

static struct new_password *new_password_of(struct request *rq, const char *password)
{
	struct new_password *new = calloc(1, sizeof(*new));
	struct user_change *change = calloc(1, sizeof(*change));

	if (new != NULL && change != NULL && (change->password = strdup(password)) != NULL) {
		snprintf(change->name, sizeof(change->name), "%s", rq->who.name);
		change->from = auth_origin(rq);
		*new = (struct new_password){rq, change};
		return new;
	}
	free(new);
	free(change);
	return NULL;
}

enum err_code rest_password(struct request *rq, struct err *e)
{
	static const char *const keys[] = {"current_password", "new_password", NULL};
	const char *current, *wanted;
	struct new_password *new;
	int64_t wait_s = 0;
	struct jread r;

	request_read(rq, &r, e);
	jread_only(&r, keys);
	current = jread_str(&r, "current_password", 1, PASSWORD_MAX);
	wanted = jread_str(&r, "new_password", PASSWORD_MIN, PASSWORD_MAX);
	if (jread_end(&r) != ERR_OK)
		return e->code;
	new = new_password_of(rq, wanted);
	if (new == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (signin_check(rq->app, rq->who.name, current, rq->address, old_password_checked, new,
			 &wait_s, e) != ERR_OK) {
		user_change_free(new->change);
		free(new);
		return too_many(rq, wait_s, e);
	}
	return ERR_OK;
}
