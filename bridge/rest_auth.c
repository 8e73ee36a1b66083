// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* POST /auth/login, GET /auth/me */
#include "bridge/app.h"
#include "bridge/auth.h"
#include "bridge/db.h"
#include "bridge/login_limit.h"
#include "bridge/routes.h"
#include "bridge/user.h"
#include "protocol/clock.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD_MAX 1024 /* characters */
#define ANSWER_MAX 8192

struct login {
	struct request *rq;
	char *name, *password;
	struct user_row user;
};

static void login_free(struct login *login)
{
	if (login->password != NULL)
		sodium_memzero(login->password, strlen(login->password));
	free(login->password);
	free(login->name);
	free(login);
}

static void write_user(struct jwrite *w, const char *name, enum role role)
{
	jwrite_str(w, "username", name);
	jwrite_str(w, "role", role_name(role));
}

static void answer_login(struct request *rq, const struct user_row *user)
{
	char cookie[2300];
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
	snprintf(cookie, sizeof(cookie),
		 SESSION_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d", token,
		 (int)rq->app->config.session_hours * 3600);
	respond_header(rq, "Set-Cookie", cookie);
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "token", token);
	jwrite_time(&w, "expires_at", expires_ms);
	jwrite_object(&w, "user");
	write_user(&w, user->name, user->role);
	jwrite_object_end(&w);
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
	free(token);
}

static enum err_code verify(struct db *db, void *arg, struct err *e)
{
	struct login *login = arg;

	return user_verify(db, login->name, login->password, &login->user, e);
}

static void note_outcome(const struct login *login, enum err_code code)
{
	const enum login_outcome outcome = code == ERR_OK                ? LOGIN_FITS
					   : code == ERR_UNAUTHENTICATED ? LOGIN_FAILS
									 : LOGIN_UNDECIDED;

	login_limit_end(users_login_limit(login->rq->app->users), login->name,
			login->rq->address, outcome, clock_mono_us());
}

static void verified(void *arg, struct err *e)
{
	struct login *login = arg;

	note_outcome(login, e->code);
	if (e->code == ERR_OK) {
		users_put(login->rq->app->users, &login->user);
		answer_login(login->rq, &login->user);
	} else {
		respond_error(login->rq, e);
	}
	login_free(login);
}

static enum err_code may_try(struct request *rq, const char *name, struct err *e)
{
	const int64_t wait_s = login_limit_begin(users_login_limit(rq->app->users), name,
						 rq->address, clock_mono_us());
	char text[24];

	if (wait_s == 0)
		return ERR_OK;
	snprintf(text, sizeof(text), "%d", (int)wait_s);
	respond_header(rq, "Retry-After", text);
	return err_set(e, ERR_RATE_LIMITED, "too many attempts to sign in; again in %s s",
		       text);
}

enum err_code rest_login(struct request *rq, struct err *e)
{
	static const char *const keys[] = {"username", "password", NULL};
	const char *name, *password;
	struct login *login;
	struct jread r;

	request_read(rq, &r, e);
	jread_only(&r, keys);
	name = jread_str(&r, "username", 1, USER_NAME_MAX);
	password = jread_str(&r, "password", 1, PASSWORD_MAX);
	if (jread_end(&r) != ERR_OK)
		return e->code;
	login = calloc(1, sizeof(*login));
	if (login == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	login->rq = rq;
	login->name = strdup(name);
	login->password = strdup(password);
	if (login->name == NULL || login->password == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		may_try(rq, name, e);
	if (e->code != ERR_OK) {
		login_free(login);
		return e->code;
	}
	db_submit(rq->app->db, verify, verified, login);
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
	write_user(&w, rq->who.name, rq->who.role);
	jwrite_time(&w, "expires_at", rq->who.expires_ms);
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
	return ERR_OK;
}
