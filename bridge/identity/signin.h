// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* signin.h - is this the user's password? The answer takes the same time whether or not there
 * is such a user, and whoever guesses too often has to wait (login_limit.h). Thread: loop. */
#pragma once

#include "bridge/identity/pwhash.h"
#include "bridge/store/store_user.h"

struct app;

#define PASSWORD_MIN 8    /* characters, of a new one */
#define PASSWORD_MAX 1024 /* of any */

struct signin {
	struct user_secret user; /* the outcome: the user, when the password fits */
	char *name, *password;   /* owned */
	char address[64];

	/* signin.c's. */
	struct app *app;
	struct pwhash_job job;
	struct err err;
	void (*done)(void *arg, struct signin *s, struct err *e);
	void *arg;
};

/* Checks name and password, for somebody at that address; `done` is called once, later, with
 * ERR_UNAUTHENTICATED where they do not fit; then signin_free(). Copies what it is given.
 * ERR_RATE_LIMITED at once (then `done` is never called): too many guesses; *wait_s is set. */
enum err_code signin_check(struct app *app, const char *name, const char *password,
			   const char *address,
			   void (*done)(void *arg, struct signin *s, struct err *e), void *arg,
			   int64_t *wait_s, struct err *e) MUST_CHECK;

void signin_free(struct signin *s); /* wipes the password; NULL is fine */
