// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metrics/metric_days.h"
#include "tests/unit/unit.h"

#define NOON INT64_C(1795435200000) /* 2026-11-23T12:00:00Z */
#define TONIGHT INT64_C(1795478400000)
#define ALTER "SET STATEMENT lock_wait_timeout = 2 FOR ALTER TABLE metrics "

static char text[4096];
static size_t count;

static const char *make(int64_t last_ms, int64_t now_ms)
{
	struct buf out;

	buf_init(&out, sizeof(text) - 1);
	metric_days_make_sql(last_ms, now_ms, &out, &count);
	snprintf(text, sizeof(text), "%s", out.len > 0 ? out.data : "");
	buf_fini(&out);
	return text;
}

static const char *drop(const int64_t *bounds, size_t n, int64_t oldest_ms)
{
	struct buf out;

	buf_init(&out, sizeof(text) - 1);
	metric_days_drop_sql(bounds, n, oldest_ms, &out, &count);
	snprintf(text, sizeof(text), "%s", out.len > 0 ? out.data : "");
	buf_fini(&out);
	return text;
}

static void days_are_made_ahead(void **state)
{
	(void)state;
	assert_string_equal(make(TONIGHT, NOON),
			    ALTER "REORGANIZE PARTITION future INTO ("
				  "PARTITION d20261124 VALUES LESS THAN ('2026-11-25'), "
				  "PARTITION d20261125 VALUES LESS THAN ('2026-11-26'), "
				  "PARTITION d20261126 VALUES LESS THAN ('2026-11-27'), "
				  "PARTITION future VALUES LESS THAN (MAXVALUE))");
	assert_int_equal(count, 3);
	make(TONIGHT + 2 * METRIC_DAY_MS, NOON);
	assert_int_equal(count, 1);
}

static void nothing_is_made_twice(void **state)
{
	(void)state;
	assert_string_equal(make(TONIGHT + METRIC_DAYS_AHEAD * METRIC_DAY_MS, NOON), "");
	assert_string_equal(make(TONIGHT + METRIC_DAYS_AHEAD * METRIC_DAY_MS, TONIGHT - 1), "");
	assert_int_equal(count, 0);
	make(TONIGHT + METRIC_DAYS_AHEAD * METRIC_DAY_MS, TONIGHT);
	assert_int_equal(count, 1);
}

static void after_a_long_absence_no_day_is_made_for_each_that_was_missed(void **state)
{
	(void)state;
	assert_non_null(strstr(make(TONIGHT - 300 * METRIC_DAY_MS, NOON),
			       "INTO (PARTITION d20261123 VALUES LESS THAN ('2026-11-24'), "));
	assert_int_equal(count, 1 + METRIC_DAYS_AHEAD);
}

static void a_day_goes_when_its_last_moment_is_too_old(void **state)
{
	const int64_t bounds[] = {TONIGHT - 2 * METRIC_DAY_MS, TONIGHT - METRIC_DAY_MS,
				  TONIGHT};

	(void)state;
	assert_string_equal(drop(bounds, 3, TONIGHT - 2 * METRIC_DAY_MS - 1), "");
	assert_string_equal(drop(bounds, 3, TONIGHT - 2 * METRIC_DAY_MS),
			    ALTER "DROP PARTITION d20261121");
	assert_string_equal(drop(bounds, 3, TONIGHT - METRIC_DAY_MS + 5),
			    ALTER "DROP PARTITION d20261121, d20261122");
	assert_int_equal(count, 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(days_are_made_ahead),
	cmocka_unit_test(nothing_is_made_twice),
	cmocka_unit_test(after_a_long_absence_no_day_is_made_for_each_that_was_missed),
	cmocka_unit_test(a_day_goes_when_its_last_moment_is_too_old),
};

UNIT_MAIN(tests)
