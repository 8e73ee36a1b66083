// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* login_limit.h - how often somebody may guess a password.
 *
 * Failures count for a user name from one address, so that nobody can shut another one out. Ten
 * within a minute, then none until the minute is over; a success forgets them. Each check takes
 * a database thread for a tenth of a second, so that many at once are too many, whosever they
 * are. Thread: loop.
 */
#pragma once

#include "protocol/err.h"

#include <stdint.h>

#define LOGIN_FAILURES_MAX 10
#define LOGIN_WINDOW_S 60
#define LOGINS_AT_ONCE 64

struct login_limit;

struct login_limit *login_limit_new(struct err *e) MUST_CHECK;
void login_limit_free(struct login_limit *l); /* NULL is fine */

enum login_outcome { LOGIN_FITS, LOGIN_FAILS, LOGIN_UNDECIDED };

/* 0: go on, and tell the outcome later; else the seconds after which to come again. */
int64_t login_limit_begin(struct login_limit *l, const char *name, const char *address,
			  int64_t now_us);
void login_limit_end(struct login_limit *l, const char *name, const char *address,
		     enum login_outcome outcome, int64_t now_us);
