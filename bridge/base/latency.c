// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/latency.h"

const int64_t latency_bounds_us[LATENCY_BOUNDS] = {
	50,    100,    250,    500,    1000,    2500,    5000,    10000,    25000,
	50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000,
};

void latency_add(struct latency *h, int64_t us)
{
	size_t i = 0;

	if (us < 0)
		us = 0;
	while (i < LATENCY_BOUNDS && us > latency_bounds_us[i])
		i++;
	atomic_fetch_add_explicit(&h->counts[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}
