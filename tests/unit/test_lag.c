// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/lag.h"
#include "tests/unit/unit.h"

#define S INT64_C(1000000)
#define SKEW (-5000 * S) /* of the sender's clock: as after a restart of its machine */

/* A message sent at `at`, by our clock, that took so long. */
static int64_t lag_of(struct lag *l, int64_t at, int64_t took_us)
{
	return lag_measure(l, at + SKEW, at + took_us);
}

static void clocks_that_differ_are_no_lag(void **state)
{
	struct lag l = {0};

	(void)state;
	for (int64_t at = 0; at < 100 * S; at += S)
		assert_int_equal(lag_of(&l, at, 300), 0);
}

static void what_waited_is_late_by_its_wait(void **state)
{
	struct lag l = {0};

	(void)state;
	lag_of(&l, 1 * S, 300);
	assert_int_equal(lag_of(&l, 2 * S, 300 + 70000), 70000);
	assert_int_equal(lag_of(&l, 3 * S, 200), 0);
	assert_int_equal(lag_of(&l, 4 * S, 300), 100);
}

/* Were the smallest difference kept for ever, a sender's clock that runs slow would look like
 * ever more lag. */
static void drift_is_forgotten(void **state)
{
	struct lag l = {0};
	int64_t worst = 0;

	(void)state;
	for (int64_t at = 0; at < 3600 * S; at += S / 2) {
		int64_t lag = lag_measure(&l, at - at / 20000, at + 300); /* 50 us a second */

		worst = lag > worst ? lag : worst;
	}
	assert_in_range(worst, 1, 2 * LAG_WINDOW_US / 20000 + 50);
}

static void a_pause_forgets_too(void **state)
{
	struct lag l = {0};

	(void)state;
	lag_of(&l, 1 * S, 300);
	assert_int_equal(lag_of(&l, 1 * S + 3 * LAG_WINDOW_US, 900), 0);
}

static void another_sender_begins_anew(void **state)
{
	struct lag l = {0};

	(void)state;
	lag_of(&l, 1 * S, 300);
	lag_reset(&l);
	assert_int_equal(lag_measure(&l, 77 * S, 2 * S), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_that_differ_are_no_lag),
		cmocka_unit_test(what_waited_is_late_by_its_wait),
		cmocka_unit_test(drift_is_forgotten),
		cmocka_unit_test(a_pause_forgets_too),
		cmocka_unit_test(another_sender_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
