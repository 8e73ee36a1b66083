// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* lag.h - how late a message comes, by the sender's clock and ours, which need not agree. Pure.
 *
 * Each message says when it was sent, on a clock that only ever grows. The difference to our
 * own clock at its arrival is the offset of the two clocks plus the time it was under way; the
 * smallest difference of the last minute is that of a message that nothing held up. What a
 * message has beyond it is its lag: the time that it waited in the sender's, the broker's and
 * our queues. The constant part of the way is not in it, and cannot be known from one side.
 *
 * The smallest is forgotten after one to two windows, so that clocks that drift apart (some
 * 50 microseconds in a second at the very worst) do not look like lag.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LAG_WINDOW_US INT64_C(30000000)

struct lag {
	bool known;
	int64_t smallest_us;   /* difference in this window */
	int64_t before_us;     /* in the window before it */
	int64_t window_end_us; /* by our clock */
};

/* Forgets everything: another sender, or the same one with a new clock. */
void lag_reset(struct lag *l);

/* The message's lag in microseconds, at least 0. Both times are in microseconds. */
int64_t lag_measure(struct lag *l, int64_t sent_us, int64_t arrived_us);
