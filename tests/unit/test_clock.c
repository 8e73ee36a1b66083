// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/clock.h"
#include "tests/unit/unit.h"

#include <time.h>

static void known_times_are_written_as_rfc_3339(void **state)
{
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	clock_format(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_format(1795442708542, text);
	assert_string_equal(text, "2026-11-23T14:05:08.542Z");
	clock_format(253402300799999, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void every_day_has_the_date_that_gmtime_gives_it(void **state)
{
	char text[CLOCK_TEXT_SIZE], expected[CLOCK_TEXT_SIZE];
	struct tm tm;

	(void)state;
	for (time_t s = 86399; s < 253402300800; s += 86400) {
		gmtime_r(&s, &tm);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.007Z", &tm);
		clock_format((int64_t)s * 1000 + 7, text);
		assert_string_equal(text, expected);
	}
}

static const struct {
	const char *text;
	int64_t ms;
} good[] = {
	{"2026-11-23T14:05:08.542Z",       1795442708542  },
	{"2026-11-23T14:05:08Z",           1795442708000  },
	{"2026-11-23t14:05:08.5z",         1795442708500  },
	{"2026-11-23 14:05:08.123456789Z", 1795442708123  },
	{"2026-11-23T16:05:08+02:00",      1795442708000  },
	{"2026-11-23T08:35:08-05:30",      1795442708000  },
	{"2024-02-29T00:00:00Z",           1709164800000  },
	{"1970-01-01T00:00:00Z",           0              },
	{"9999-12-31T23:59:59.999Z",       253402300799999},
};

static void valid_times_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t ms = -1;

		assert_true(clock_parse(good[i].text, strlen(good[i].text), &ms));
		assert_int_equal(ms, good[i].ms);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"2026",
		"2026-11-23",
		"2026-11-23T14:05:08",
		"2026-11-23T14:05Z",
		"2026-02-30T00:00:00Z",
		"2025-02-29T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-11-23T24:00:00Z",
		"2026-11-23T14:60:08Z",
		"2026-11-23T14:05:08.Z",
		"2026-11-23T14:05:08.1234567890Z",
		"2026-11-23T14:05:08+0200",
		"2026-11-23T14:05:08+24:00",
		"2026-11-23T14:05:08Zx",
		" 2026-11-23T14:05:08Z",
		"1969-12-31T23:59:59Z",
		"+026-11-23T14:05:08Z",
		"2026-1-23T14:05:08Z",
		"1970-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t ms;

		if (clock_parse(bad[i], strlen(bad[i]), &ms))
			fail_msg("taken for a time: %s", bad[i]);
	}
}

static void writing_and_reading_agree(void **state)
{
	(void)state;
	for (int64_t ms = 1; ms < 4102444800000; ms = ms * 3 + 17) {
		char text[CLOCK_TEXT_SIZE];
		int64_t back;

		clock_format(ms, text);
		assert_true(clock_parse(text, strlen(text), &back));
		assert_int_equal(back, ms);
	}
}

static void the_length_is_obeyed(void **state)
{
	int64_t ms;

	(void)state;
	assert_true(clock_parse("2026-11-23T14:05:08Zrest", 20, &ms));
	assert_false(clock_parse("2026-11-23T14:05:08Z", 19, &ms));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(known_times_are_written_as_rfc_3339),
	cmocka_unit_test(every_day_has_the_date_that_gmtime_gives_it),
	cmocka_unit_test(valid_times_are_read),
	cmocka_unit_test(what_is_no_time_is_refused),
	cmocka_unit_test(writing_and_reading_agree),
	cmocka_unit_test(the_length_is_obeyed),
};

UNIT_MAIN(tests)
