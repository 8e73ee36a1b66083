// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/audit/audit_limit.h"

#include <stdio.h>
#include <string.h>

bool audit_limit_take(struct audit_limit *l, int64_t now_us)
{
	if (l->full_at_us < now_us)
		l->full_at_us = now_us;
	if (l->full_at_us + AUDIT_REFILL_US > now_us + AUDIT_BURST * AUDIT_REFILL_US)
		return false;
	l->full_at_us += AUDIT_REFILL_US;
	return true;
}

static struct audit_sum *sum_of(struct audit_limit *l, const char *event, const char *code)
{
	struct audit_sum *sum;

	for (size_t i = 0; i < l->sums_len; i++)
		if (strcmp(l->sums[i].event, event) == 0 && strcmp(l->sums[i].code, code) == 0)
			return &l->sums[i];
	if (l->sums_len == AUDIT_SUMS_MAX)
		return &l->sums[AUDIT_SUMS_MAX - 1];
	sum = &l->sums[l->sums_len++];
	if (l->sums_len == AUDIT_SUMS_MAX)
		code = "OTHER";
	snprintf(sum->event, sizeof(sum->event), "%s", event);
	snprintf(sum->code, sizeof(sum->code), "%s", code);
	return sum;
}

void audit_limit_sum(struct audit_limit *l, const char *event, const char *code, int64_t count)
{
	sum_of(l, event, code)->count += count;
}
