// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* samples.h - durations in microseconds, all kept, so that quantiles are exact. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct samples {
	uint32_t *us;
	size_t len, cap;
};

void samples_add(struct samples *s, int64_t us);

/* The value that a share q (0 to 1) of the samples does not exceed; 0 without samples. Sorts
 * them. */
uint32_t samples_quantile(struct samples *s, double q);
