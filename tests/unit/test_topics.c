// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/topics.h"
#include "tests/unit/unit.h"

static void topics_are_built(void **state)
{
	const struct worker_id id = {"wrk_a"};
	char topic[TOPIC_MAX];

	(void)state;
	topic_of_worker("workers", &id, WORKER_TOPIC_METRICS_ACK, topic);
	assert_string_equal(topic, "workers/wrk_a/metrics/ack");
	topic_filter_all("site/a", WORKER_TOPIC_STATE, topic);
	assert_string_equal(topic, "site/a/+/state");
}

static void every_topic_that_is_built_is_matched(void **state)
{
	const struct worker_id id = {"wrk_a"};

	(void)state;
	for (int kind = 0; kind < WORKER_TOPIC_APP; kind++) {
		enum worker_topic found;
		struct worker_id who;
		char topic[TOPIC_MAX];

		topic_of_worker("a/b", &id, (enum worker_topic)kind, topic);
		assert_true(topic_match_worker("a/b", topic, &who, &found));
		assert_int_equal(found, kind);
		assert_string_equal(who.text, id.text);
	}
}

static void others_are_told_apart(void **state)
{
	static const struct {
		const char *topic, *worker;
		enum worker_topic kind;
		bool ours;
	} rows[] = {
		{"workers/w/app/x/y",   "w", WORKER_TOPIC_APP,     true },
		{"workers/w/app",       "w", WORKER_TOPIC_APP,     true },
		{"workers/w/apple",     "w", WORKER_TOPIC_OTHER,   true },
		{"workers/w/metrics/x", "w", WORKER_TOPIC_OTHER,   true },
		{"workers/w/",          "w", WORKER_TOPIC_OTHER,   true },
		{"workers/w",           "w", WORKER_TOPIC_OTHER,   true },
		{"workers/+/metrics",   "",  WORKER_TOPIC_METRICS, true },
		{"workers/#",           "",  WORKER_TOPIC_OTHER,   true },
		{"workers//metrics",    "",  WORKER_TOPIC_METRICS, true },
		{"workers/",            "",  WORKER_TOPIC_OTHER,   true },
		{"workers",             "",  WORKER_TOPIC_OTHER,   false},
		{"workersx/w/metrics",  "",  WORKER_TOPIC_OTHER,   false},
		{"other/w/metrics",     "",  WORKER_TOPIC_OTHER,   false},
		{"/workers/w/metrics",  "",  WORKER_TOPIC_OTHER,   false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum worker_topic kind;
		struct worker_id id;

		assert_int_equal(topic_match_worker("workers", rows[i].topic, &id, &kind),
				 rows[i].ours);
		if (!rows[i].ours)
			continue;
		assert_string_equal(id.text, rows[i].worker);
		assert_int_equal(kind, rows[i].kind);
	}
}

static void a_worker_may_do_what_the_table_says(void **state)
{
	(void)state;
	assert_true(worker_may_publish(WORKER_TOPIC_METRICS));
	assert_false(worker_may_subscribe(WORKER_TOPIC_METRICS));
	assert_true(worker_may_subscribe(WORKER_TOPIC_COMMANDS));
	assert_false(worker_may_publish(WORKER_TOPIC_COMMANDS));
	assert_false(worker_may_publish(WORKER_TOPIC_PRESENCE));
	assert_true(worker_may_publish(WORKER_TOPIC_APP));
	assert_true(worker_may_subscribe(WORKER_TOPIC_APP));
	assert_false(worker_may_publish(WORKER_TOPIC_OTHER));
	assert_false(worker_may_subscribe(WORKER_TOPIC_OTHER));
}

static void roots_have_rules(void **state)
{
	static const char *const bad[] = {
		"",
		"a/",
		"/a",
		"$SYS",
		"a/+",
		"#",
		"rollcall",
		"rollcall/v1",
		"aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddd"};

	(void)state;
	assert_true(topic_root_valid("workers"));
	assert_true(topic_root_valid("site/1/workers"));
	assert_true(topic_root_valid("rollcalls"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (topic_root_valid(bad[i]))
			fail_msg("taken for a root: %s", bad[i]);
}

static void filters_meet_where_a_topic_matches_both(void **state)
{
	static const struct {
		const char *a, *b;
		bool meet;
	} rows[] = {
		{"w/+/presence", "w/+/presence",     true },
		{"w/+/presence", "w/wrk_a/presence", true },
		{"w/+/presence", "+/wrk_a/+",        true },
		{"w/+/presence", "#",                true },
		{"w/+/presence", "w/#",              true },
		{"w/+/presence", "w/+/presence/#",   true },
		{"w/+/presence", "w/+/state",        false},
		{"w/+/presence", "w/wrk_a",          false},
		{"w/+/presence", "w/+/presence/+",   false},
		{"w/+/presence", "w/+/presenc",      false},
		{"w/+/presence", "v/#",              false},
		{"w/+/presence", "",                 false},
		{"w/+/presence", "w//presence",      true },
		{"a/w/+/state",  "a/+/+/state",      true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (topic_filters_meet(rows[i].a, rows[i].b) != rows[i].meet ||
		    topic_filters_meet(rows[i].b, rows[i].a) != rows[i].meet)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(filters_meet_where_a_topic_matches_both),
	cmocka_unit_test(topics_are_built),
	cmocka_unit_test(every_topic_that_is_built_is_matched),
	cmocka_unit_test(others_are_told_apart),
	cmocka_unit_test(a_worker_may_do_what_the_table_says),
	cmocka_unit_test(roots_have_rules),
};

UNIT_MAIN(tests)
