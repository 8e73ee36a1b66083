// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* latency.h - how long things took: counts by upper bounds that all share, and the
 * sum. Adding costs some nanoseconds and never waits. Thread: any. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define LATENCY_BOUNDS 18

/* In microseconds; the last bucket, without a bound, is counts[LATENCY_BOUNDS]. */
extern const int64_t latency_bounds_us[LATENCY_BOUNDS];

/* All zero to begin with. */
struct latency {
	atomic_uint_fast64_t counts[LATENCY_BOUNDS + 1]; /* each of its own bucket alone */
	atomic_int_fast64_t sum_us;
};

/* Negative durations count as 0. */
void latency_add(struct latency *h, int64_t us);
