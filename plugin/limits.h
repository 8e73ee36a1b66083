// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* limits.h - how often something may happen, and who has failed to log in too often.
 *
 * A bucket is one number: the time at which it will be full again (the generic cell rate
 * algorithm, ITU-T I.371). Each use moves that time on by one interval; a bucket that would be
 * full later than a whole burst from now is empty.
 *
 * Failed logins are counted by address, in a table of fixed size. All that a full table or an
 * address that many share can do is to have a failure called RATE_LIMITED, or not: nobody is
 * kept out for the failures of others.
 *
 * Thread: the broker's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LIMITS_ADDRESSES 1024

/* Takes one from the bucket that is full at *full_at; times in microseconds of any one clock.
 * False, and nothing is taken, if it is empty. Where the clock went back, the bucket counts as
 * empty now rather than until that time comes again. per_span 0: no limit. */
bool limits_take(int64_t *full_at_us, int64_t now_us, int64_t per_span, int64_t span_us,
		 int64_t burst_spans);

struct limits {
	int64_t failures_per_minute;
	struct limits_address {
		uint64_t hash; /* 0: free */
		int64_t full_at_us;
	} * addresses; /* NULL before the first failure */
};

void limits_open(struct limits *l, int64_t failures_per_minute);
void limits_close(struct limits *l);

/* A login from this address has failed. True if it is one too many. */
bool limits_failure(struct limits *l, const char *address, int64_t now_us);
