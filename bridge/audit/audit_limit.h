// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* audit_limit.h - how many rows of refusals a bridge writes, so that whoever knocks at the door
 * does not fill the database. Rows of their own up to a thousand at once, then one a second;
 * what goes beyond is summed by event and code, a row a minute each. Nothing is uncounted.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_BURST 1000
#define AUDIT_REFILL_US INT64_C(1000000) /* for one row more */
#define AUDIT_SUMS_MAX 32

/* Refusals that have no row of their own. */
struct audit_sum {
	char event[33], code[33];
	int64_t count; /* 0: none; the place is kept */
};

struct audit_limit {
	int64_t full_at_us; /* when the whole burst is there again */
	struct audit_sum sums[AUDIT_SUMS_MAX];
	size_t sums_len;
};

/* May it have a row of its own? */
bool audit_limit_take(struct audit_limit *l, int64_t now_us);

/* It has none: count it. Past AUDIT_SUMS_MAX different ones the last is for all others. */
void audit_limit_sum(struct audit_limit *l, const char *event, const char *code, int64_t count);
