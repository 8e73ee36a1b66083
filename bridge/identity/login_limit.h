// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* login_limit.h - how often somebody may guess a password.
 *
 * Whoever guesses is slowed down; nobody can shut another one out:
 *
 *   - Ten failures of a user name from one place within a minute, then none from there until
 * the minute is over; a success forgets them. Other places never feel it.
 *   - A hundred failures from one place within a minute, whatever the names, then none from
 *     there. Too many at once from one place, or from all places together, are told to come
 *     again in a second: each check takes the one thread for passwords a tenth of a second,
 *     which also bounds what many places together can guess.
 *   - A user who signed in from a place before is known there: the second rule does not hold
 * for them, and their checks go before those of all others. So an attack from everywhere slows
 *     down those whom nobody has seen before, and nobody else.
 *
 * A place is an address or an IPv6 network (address_place()). Memory is bounded. Thread: loop.
 */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>
#include <stdint.h>

#define LOGIN_FAILURES_MAX 10
#define LOGIN_PLACE_FAILURES_MAX 100
#define LOGIN_WINDOW_S 60
#define LOGINS_AT_ONCE 64
#define LOGINS_PER_PLACE 8
#define LOGINS_KNOWN 1024 /* pairs of user and place that are remembered */

struct login_limit;

struct login_limit *login_limit_new(struct err *e) MUST_CHECK;
void login_limit_free(struct login_limit *l); /* NULL is fine */

enum login_outcome { LOGIN_FITS, LOGIN_FAILS, LOGIN_UNDECIDED };

/* 0: go on, and tell the outcome later; else the seconds after which to come again. */
int64_t login_limit_begin(struct login_limit *l, const char *name, const char *address,
			  int64_t now_us);
void login_limit_end(struct login_limit *l, const char *name, const char *address,
		     enum login_outcome outcome, int64_t now_us);

/* Did this user sign in from there before, as far as is remembered? */
bool login_limit_knows(const struct login_limit *l, const char *name, const char *address);
