// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metrics/metric_days.h"

#include "protocol/clock.h"

/* Waiting for a reader to finish blocks the writers behind us, too: rather try again later. */
#define PATIENTLY "SET STATEMENT lock_wait_timeout = 2 FOR ALTER TABLE metrics "

static int64_t midnight_after(int64_t ms)
{
	return (ms / METRIC_DAY_MS + 1) * METRIC_DAY_MS;
}

/* "d20261123": the last day before the bound. */
static void add_name(struct buf *out, int64_t bound_ms)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(bound_ms - METRIC_DAY_MS, text);
	buf_printf(out, "d%.4s%.2s%.2s", text, text + 5, text + 8);
}

static void add_partition(struct buf *out, int64_t bound_ms)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(bound_ms, text);
	buf_add_str(out, "PARTITION ");
	add_name(out, bound_ms);
	buf_printf(out, " VALUES LESS THAN ('%.10s'), ", text);
}

void metric_days_make_sql(int64_t last_ms, int64_t now_ms, struct buf *out, size_t *made)
{
	const int64_t today = midnight_after(now_ms);
	const int64_t end = today + METRIC_DAYS_AHEAD * METRIC_DAY_MS;
	int64_t bound = last_ms + METRIC_DAY_MS > today ? last_ms + METRIC_DAY_MS : today;

	*made = 0;
	if (bound > end)
		return;
	buf_add_str(out, PATIENTLY "REORGANIZE PARTITION future INTO (");
	for (; bound <= end; bound += METRIC_DAY_MS, ++*made)
		add_partition(out, bound);
	buf_add_str(out, "PARTITION future VALUES LESS THAN (MAXVALUE))");
}

void metric_days_drop_sql(const int64_t *bounds_ms, size_t n, int64_t oldest_ms,
			  struct buf *out, size_t *dropped)
{
	for (*dropped = 0; *dropped < n && bounds_ms[*dropped] <= oldest_ms; ++*dropped) {
		buf_add_str(out, *dropped == 0 ? PATIENTLY "DROP PARTITION " : ", ");
		add_name(out, bounds_ms[*dropped]);
	}
}
