// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* histogram.h - how long something took, millions of times, in a kilobyte: buckets whose width
 * is an eighth of their octave, so that a quantile is at most 12.5 % too high.
 * Thread: one at a time. */
#pragma once

#include <stdint.h>

#define HISTOGRAM_BUCKETS 256

struct histogram {
	uint32_t buckets[HISTOGRAM_BUCKETS];
	uint64_t count, sum_ns;
	int64_t max_ns;
};

void histogram_add(struct histogram *h, int64_t ns);

/* How many took less than 2^exponent nanoseconds, exactly; for exponents from 3 to
 * HISTOGRAM_EXPONENT_MAX (8.6 seconds). */
#define HISTOGRAM_EXPONENT_MAX 33
uint64_t histogram_below(const struct histogram *h, unsigned exponent);

/* The time that `share` (0 to 1) of them took at most, in nanoseconds; 0 if there are none. */
int64_t histogram_quantile(const struct histogram *h, double share);
