// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/samples.h"

#include "tests/bench/fleet/bytes.h"

#include <stdlib.h>

#define FIRST_CAP 1024

void samples_add(struct samples *s, int64_t us)
{
	if (s->len == s->cap) {
		s->cap = s->cap == 0 ? FIRST_CAP : s->cap * 2;
		s->us = must_realloc(s->us, s->cap * sizeof(*s->us));
	}
	s->us[s->len++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

uint32_t samples_quantile(struct samples *s, double q)
{
	if (s->len == 0)
		return 0;
	qsort(s->us, s->len, sizeof(*s->us), compare);
	return s->us[(size_t)(q * (double)(s->len - 1))];
}
