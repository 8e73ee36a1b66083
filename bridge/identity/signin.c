// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Two steps: the database's thread reads the user's hash, the thread for passwords compares. */
#include "bridge/identity/signin.h"

#include "bridge/app.h"
#include "bridge/identity/identity.h"
#include "bridge/identity/login_limit.h"
#include "bridge/identity/user.h"
#include "protocol/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void signin_free(struct signin *s)
{
	if (s == NULL)
		return;
	if (s->password != NULL)
		sodium_memzero(s->password, strlen(s->password));
	free(s->password);
	free(s->name);
	sodium_memzero(s, sizeof(*s));
	free(s);
}

static void finish(struct signin *s)
{
	const enum err_code code = s->err.code;
	const enum login_outcome outcome = code == ERR_OK                ? LOGIN_FITS
					   : code == ERR_UNAUTHENTICATED ? LOGIN_FAILS
									 : LOGIN_UNDECIDED;

	login_limit_end(identity_login_limit(s->app->identity), s->name, s->address, outcome,
			clock_mono_us());
	s->done(s->arg, s, &s->err);
}

static void compared(void *arg)
{
	struct signin *s = arg;

	if (s->job.outcome == PWHASH_DIFFERS)
		err_set(&s->err, ERR_UNAUTHENTICATED, "user name or password is wrong");
	else if (s->job.outcome == PWHASH_FAILED)
		err_set(&s->err, ERR_OUT_OF_MEMORY, NULL);
	finish(s);
}

static enum err_code read_user(struct db *db, void *arg, struct err *e)
{
	struct signin *s = arg;

	/* A name that nobody can have is not even asked for: the column holds ASCII alone. */
	if (!user_name_valid(s->name))
		return err_set(e, ERR_NOT_FOUND, NULL);
	return store_user_get(db, s->name, &s->user, e);
}

static void user_read(void *arg, struct err *e)
{
	struct signin *s = arg;

	if (e->code != ERR_OK && e->code != ERR_NOT_FOUND) {
		s->err = *e;
		finish(s);
		return;
	}
	if (e->code == ERR_NOT_FOUND)
		memset(&s->user, 0, sizeof(s->user));
	s->job = (struct pwhash_job){
		.password = s->password,
		.check = true,
		.first = login_limit_knows(identity_login_limit(s->app->identity), s->name,
					   s->address),
		.done = compared,
		.arg = s,
	};
	memcpy(s->job.hash, s->user.hash, sizeof(s->job.hash));
	pwhash_submit(s->app->pwhash, &s->job);
}

static struct signin *make(struct app *app, const char *name, const char *password,
			   const char *address)
{
	struct signin *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->app = app;
	s->name = strdup(name);
	s->password = strdup(password);
	snprintf(s->address, sizeof(s->address), "%s", address);
	if (s->name != NULL && s->password != NULL)
		return s;
	signin_free(s);
	return NULL;
}

enum err_code signin_check(struct app *app, const char *name, const char *password,
			   const char *address,
			   void (*done)(void *arg, struct signin *s, struct err *e), void *arg,
			   int64_t *wait_s, struct err *e)
{
	struct signin *s = make(app, name, password, address);

	if (s == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	*wait_s = login_limit_begin(identity_login_limit(app->identity), name, address,
				    clock_mono_us());
	if (*wait_s > 0) {
		signin_free(s);
		return err_set(e, ERR_RATE_LIMITED,
			       "too many attempts to sign in; again in %d s", (int)*wait_s);
	}
	s->done = done;
	s->arg = arg;
	db_submit(app->db, read_user, user_read, s);
	return ERR_OK;
}
