// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/limits.h"

#include "protocol/htab.h"

#include <stdlib.h>

#define MINUTE_US 60000000
#define WAYS                                                                                   \
	4 /* places that an address may have; the one that failed least recently is reused */

bool limits_take(int64_t *full_at_us, int64_t now_us, int64_t per_span, int64_t span_us,
		 int64_t burst_spans)
{
	int64_t burst_us = span_us * burst_spans, full_at = *full_at_us;

	if (per_span <= 0)
		return true;
	if (full_at < now_us)
		full_at = now_us;
	if (full_at > now_us + burst_us)
		full_at = now_us + burst_us;
	/* Less than one is left. */
	if (full_at - now_us > burst_us - span_us / per_span) {
		*full_at_us = full_at;
		return false;
	}
	*full_at_us = full_at + span_us / per_span;
	return true;
}

void limits_open(struct limits *l, int64_t failures_per_minute)
{
	*l = (struct limits){.failures_per_minute = failures_per_minute};
}

void limits_close(struct limits *l)
{
	free(l->addresses);
	l->addresses = NULL;
}

static struct limits_address *place_of(struct limits *l, uint64_t hash)
{
	struct limits_address *set = &l->addresses[hash % (LIMITS_ADDRESSES / WAYS) * WAYS];
	struct limits_address *oldest = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].hash == hash)
			return &set[i];
		if (set[i].full_at_us < oldest->full_at_us)
			oldest = &set[i];
	}
	*oldest = (struct limits_address){.hash = hash};
	return oldest;
}

bool limits_failure(struct limits *l, const char *address, int64_t now_us)
{
	struct limits_address *place;

	if (l->failures_per_minute <= 0)
		return false;
	if (l->addresses == NULL)
		l->addresses = calloc(LIMITS_ADDRESSES, sizeof(*l->addresses));
	if (l->addresses == NULL)
		return false;
	place = place_of(l, htab_hash_str(address != NULL ? address : "") | 1);
	return !limits_take(&place->full_at_us, now_us, l->failures_per_minute, MINUTE_US, 1);
}
