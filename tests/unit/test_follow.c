// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/presence/follow.h"
#include "tests/unit/unit.h"

static struct presence_pos at(int64_t boot, int64_t seq)
{
	return (struct presence_pos){boot, seq};
}

/* A stream that has begun with (10, 5). */
static struct follow begun(void)
{
	struct follow f;

	follow_reset(&f);
	assert_int_equal(follow_event(&f, at(10, 5)), FOLLOW_NEXT);
	return f;
}

static void the_first_event_begins_the_stream(void **state)
{
	struct follow f = begun();

	(void)state;
	assert_true(f.known);
	assert_int_equal(f.last.seq, 5);
}

static void events_in_a_row_miss_nothing(void **state)
{
	struct follow f = begun();

	(void)state;
	for (int64_t seq = 6; seq < 100; seq++)
		assert_int_equal(follow_event(&f, at(10, seq)), FOLLOW_NEXT);
}

static void a_jump_is_a_gap_once(void **state)
{
	struct follow f = begun();

	(void)state;
	assert_int_equal(follow_event(&f, at(10, 7)), FOLLOW_GAP);
	assert_int_equal(follow_event(&f, at(10, 8)), FOLLOW_NEXT);
}

static void repeated_and_older_events_are_harmless(void **state)
{
	struct follow f = begun();

	(void)state;
	assert_int_equal(follow_event(&f, at(10, 5)), FOLLOW_BEFORE);
	assert_int_equal(follow_event(&f, at(10, 1)), FOLLOW_BEFORE);
	assert_int_equal(follow_event(&f, at(9, 500)), FOLLOW_BEFORE);
	assert_int_equal(follow_event(&f, at(10, 6)), FOLLOW_NEXT);
}

static void another_boot_is_a_gap_even_if_its_seq_follows(void **state)
{
	struct follow f = begun();

	(void)state;
	assert_int_equal(follow_event(&f, at(11, 6)), FOLLOW_GAP);
	assert_int_equal(follow_event(&f, at(11, 7)), FOLLOW_NEXT);
}

static void a_heartbeat_with_what_is_known_misses_nothing(void **state)
{
	struct follow f = begun();

	(void)state;
	assert_int_equal(follow_heartbeat(&f, at(10, 5)), FOLLOW_NEXT);
	assert_int_equal(follow_event(&f, at(10, 6)), FOLLOW_NEXT);
}

static void a_heartbeat_that_is_ahead_is_a_gap(void **state)
{
	struct follow f = begun();

	(void)state;
	assert_int_equal(follow_heartbeat(&f, at(10, 6)), FOLLOW_GAP);
	assert_int_equal(follow_heartbeat(&f, at(10, 6)), FOLLOW_NEXT);
	assert_int_equal(follow_event(&f, at(10, 7)), FOLLOW_NEXT);
}

/* Somebody else wrote into the stream: the node never said that. */
static void a_heartbeat_that_is_behind_is_a_gap(void **state)
{
	struct follow f = begun();

	(void)state;
	assert_int_equal(follow_event(&f, at(10, 6)), FOLLOW_NEXT);
	assert_int_equal(follow_heartbeat(&f, at(10, 5)), FOLLOW_GAP);
	assert_int_equal(follow_event(&f, at(10, 6)), FOLLOW_NEXT);
}

static void a_heartbeat_of_a_new_boot_without_events_is_a_gap(void **state)
{
	struct follow f = begun();

	(void)state;
	assert_int_equal(follow_heartbeat(&f, at(11, 0)), FOLLOW_GAP);
	assert_int_equal(follow_event(&f, at(11, 1)), FOLLOW_NEXT);
}

static void a_heartbeat_begins_a_stream_too(void **state)
{
	struct follow f;

	(void)state;
	follow_reset(&f);
	assert_int_equal(follow_heartbeat(&f, at(10, 0)), FOLLOW_NEXT);
	assert_int_equal(follow_event(&f, at(10, 2)), FOLLOW_GAP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_event_begins_the_stream),
		cmocka_unit_test(events_in_a_row_miss_nothing),
		cmocka_unit_test(a_jump_is_a_gap_once),
		cmocka_unit_test(repeated_and_older_events_are_harmless),
		cmocka_unit_test(another_boot_is_a_gap_even_if_its_seq_follows),
		cmocka_unit_test(a_heartbeat_with_what_is_known_misses_nothing),
		cmocka_unit_test(a_heartbeat_that_is_ahead_is_a_gap),
		cmocka_unit_test(a_heartbeat_that_is_behind_is_a_gap),
		cmocka_unit_test(a_heartbeat_of_a_new_boot_without_events_is_a_gap),
		cmocka_unit_test(a_heartbeat_begins_a_stream_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
