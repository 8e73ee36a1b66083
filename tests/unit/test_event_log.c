// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/events/event_log.h"
#include "tests/unit/unit.h"

static const struct worker_id worker = {"wrk_a"};

static uint64_t add(struct event_log *log, const char *json)
{
	return event_log_add(log, EVENT_WORKER, &worker, strdup(json), strlen(json));
}

static void events_are_numbered_and_found(void **state)
{
	struct event_log *log = event_log_new(10, 1000);

	(void)state;
	assert_true(event_log_oldest(log) == event_log_newest(log) + 1);
	assert_null(event_log_at(log, 0));
	assert_null(event_log_at(log, 1));
	assert_int_equal(add(log, "one"), 1);
	assert_int_equal(add(log, "two"), 2);
	assert_string_equal(event_log_at(log, 1)->json, "one");
	assert_string_equal(event_log_at(log, 2)->json, "two");
	assert_string_equal(event_log_at(log, 2)->worker.text, "wrk_a");
	assert_null(event_log_at(log, 3));
	event_log_free(log);
}

static void the_oldest_go_when_there_are_too_many(void **state)
{
	struct event_log *log = event_log_new(10, 1000);

	(void)state;
	for (int i = 0; i < 1000; i++)
		add(log, "x");
	assert_int_equal(event_log_newest(log), 1000);
	assert_true(event_log_oldest(log) > 990 && event_log_oldest(log) <= 992);
	assert_null(event_log_at(log, event_log_oldest(log) - 1));
	assert_non_null(event_log_at(log, event_log_oldest(log)));
	event_log_free(log);
}

static void the_oldest_go_when_they_are_too_large(void **state)
{
	struct event_log *log = event_log_new(100, 10);

	(void)state;
	add(log, "123456");
	add(log, "123456");
	assert_int_equal(event_log_oldest(log), 1);
	add(log, "x"); /* what is there exceeds the limit: it goes before the next one comes */
	assert_int_equal(event_log_oldest(log), 2);
	add(log, "12345678901234567890");
	add(log, "x");
	assert_int_equal(event_log_oldest(log), 5);
	assert_string_equal(event_log_at(log, 5)->json, "x");
	event_log_free(log);
}

static void a_text_may_come_later(void **state)
{
	struct event_log *log = event_log_new(10, 1000);

	(void)state;
	event_log_add(log, EVENT_METRICS, &worker, NULL, 0);
	assert_null(event_log_at(log, 1)->json);
	event_log_set(log, 1, strdup("text"), 4);
	event_log_set(log, 1, strdup("again"), 5); /* has one */
	event_log_set(log, 2, strdup("none"), 4);  /* is not there */
	assert_string_equal(event_log_at(log, 1)->json, "text");
	event_log_free(log);
}

static void types_have_names(void **state)
{
	enum event_type type;

	(void)state;
	for (int i = 0; i < EVENT_TYPES; i++) {
		const char *name = event_type_name((enum event_type)i);

		assert_true(event_type_parse(name, strlen(name), &type));
		assert_int_equal(type, i);
	}
	assert_false(event_type_parse("", 0, &type));
	assert_false(event_type_parse("presences", 9, &type));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_numbered_and_found),
		cmocka_unit_test(the_oldest_go_when_there_are_too_many),
		cmocka_unit_test(the_oldest_go_when_they_are_too_large),
		cmocka_unit_test(a_text_may_come_later),
		cmocka_unit_test(types_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
