// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/prom.h"
#include "bridge/presence/plugin_stats.h"
#include "tests/unit/unit.h"

#include <math.h>

static struct buf page;
static struct prom prom;

static int open_page(void **state)
{
	(void)state;
	buf_init(&page, 100000);
	prom_begin(&prom, &page);
	return 0;
}

static int close_page(void **state)
{
	(void)state;
	buf_fini(&page);
	return 0;
}

static void a_family_has_help_type_and_samples(void **state)
{
	(void)state;
	prom_family(&prom, "rollcall_workers", PROM_GAUGE, "Workers by state");
	prom_count(&prom, LABELS({"state", "online"}), 17);
	prom_count(&prom, LABELS({"node", "a"}, {"state", "offline"}), 3);
	prom_counter(&prom, "rollcall_x_total", "All", UINT64_MAX);
	assert_string_equal(page.data, "# HELP rollcall_workers Workers by state\n"
				       "# TYPE rollcall_workers gauge\n"
				       "rollcall_workers{state=\"online\"} 17\n"
				       "rollcall_workers{node=\"a\",state=\"offline\"} 3\n"
				       "# HELP rollcall_x_total All\n"
				       "# TYPE rollcall_x_total counter\n"
				       "rollcall_x_total 18446744073709551615\n");
}

static void what_has_a_meaning_is_escaped(void **state)
{
	(void)state;
	prom_family(&prom, "a", PROM_GAUGE, "one\\two\n\"three\"");
	prom_count(&prom, LABELS({"l", "one\\two\n\"three\"}"}), 1);
	assert_string_equal(page.data, "# HELP a one\\\\two\\n\"three\"\n"
				       "# TYPE a gauge\n"
				       "a{l=\"one\\\\two\\n\\\"three\\\"}\"} 1\n");
}

static void numbers_are_written_as_people_do(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{0,         "n 0\n"      },
		{-3,        "n -3\n"     },
		{0.1,       "n 0.1\n"    },
		{1e15 + 1,  "n 1e+15\n"  },
		{2.5e-7,    "n 2.5e-07\n"},
		{NAN,       "n NaN\n"    },
		{INFINITY,  "n +Inf\n"   },
		{-INFINITY, "n -Inf\n"   },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&page);
		prom.name = "n";
		prom_value(&prom, NO_LABELS, rows[i].value);
		assert_string_equal(page.data, rows[i].text);
	}
}

static void histograms_are_cumulative(void **state)
{
	static struct latency l;

	(void)state;
	latency_add(&l, -5);
	latency_add(&l, 50);
	latency_add(&l, 51);
	latency_add(&l, 2000000);
	latency_add(&l, 3600 * INT64_C(1000000));
	prom_family(&prom, "h", PROM_HISTOGRAM, "x");
	prom_latency(&prom, LABELS({"a", "b"}), &l);
	assert_non_null(strstr(page.data, "h_bucket{a=\"b\",le=\"5e-05\"} 2\n"));
	assert_non_null(strstr(page.data, "h_bucket{a=\"b\",le=\"0.0001\"} 3\n"));
	assert_non_null(strstr(page.data, "h_bucket{a=\"b\",le=\"1\"} 3\n"));
	assert_non_null(strstr(page.data, "h_bucket{a=\"b\",le=\"2.5\"} 4\n"));
	assert_non_null(strstr(page.data, "h_bucket{a=\"b\",le=\"30\"} 4\n"
					  "h_bucket{a=\"b\",le=\"+Inf\"} 5\n"
					  "h_sum{a=\"b\"} 3602.000101\n"
					  "h_count{a=\"b\"} 5\n"));
}

static void names_are_checked(void **state)
{
	(void)state;
	assert_true(prom_is_name("rollcall_x9"));
	assert_true(prom_is_name("_"));
	assert_false(prom_is_name(""));
	assert_false(prom_is_name("9x"));
	assert_false(prom_is_name("a-b"));
	assert_false(prom_is_name("a b"));
}

/* A plugin may be newer than the bridge, or broken: nothing that it says breaks the page. */
static void whatever_a_plugin_counts_is_handed_on(void **state)
{
	struct json_object *stats = json_tokener_parse(
		"{\"node\":\"n\\\"1\",\"version\":\"9\",\"broker_version\":\"2.1\","
		"\"uptime_seconds\":5,\"storage\":{\"state\":\"ok\"},"
		"\"counters\":{\"new_things\":3,\"bad name\":1,\"wrong\":{\"label\":\"x y\"},"
		"\"by\":{\"label\":\"why\",\"values\":{\"a\":1,\"b\":2}}},"
		"\"gauges\":{\"level\":1.5},"
		"\"histograms\":{\"t_seconds\":{\"buckets\":[[0.1,1],[2,3],7],\"sum\":4.5,"
		"\"count\":4}},\"help\":{\"level\":\"How high\"}}");

	(void)state;
	assert_non_null(stats);
	plugin_stats_expose(stats, &prom);
	json_object_put(stats);
	assert_non_null(strstr(page.data, "rollcall_plugin_storage_ok{node=\"n\\\"1\"} 1\n"));
	assert_non_null(
		strstr(page.data, "rollcall_plugin_new_things_total{node=\"n\\\"1\"} 3\n"));
	assert_non_null(strstr(page.data, "# HELP rollcall_plugin_level How high\n"));
	assert_non_null(
		strstr(page.data, "rollcall_plugin_by_total{node=\"n\\\"1\",why=\"b\"} 2\n"));
	assert_non_null(strstr(
		page.data, "rollcall_plugin_t_seconds_bucket{node=\"n\\\"1\",le=\"2\"} 3\n"
			   "rollcall_plugin_t_seconds_bucket{node=\"n\\\"1\",le=\"+Inf\"} 4\n"
			   "rollcall_plugin_t_seconds_sum{node=\"n\\\"1\"} 4.5\n"));
	assert_null(strstr(page.data, "bad name"));
}

static void an_answer_that_lacks_everything_breaks_nothing(void **state)
{
	static const char *const answers[] = {
		"{}", "{\"counters\":[],\"gauges\":3,\"histograms\":null,\"help\":[]}",
		"{\"counters\":{\"a\":null},\"histograms\":{\"h\":7,\"i\":{\"buckets\":{}}}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct json_object *stats = json_tokener_parse(answers[i]);

		plugin_stats_expose(stats, &prom);
		json_object_put(stats);
	}
	assert_false(page.failed);
	assert_non_null(strstr(page.data, "rollcall_plugin_storage_ok{node=\"\"} 0\n"));
}

#define PAGE_TEST(f) cmocka_unit_test_setup_teardown(f, open_page, close_page)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAGE_TEST(a_family_has_help_type_and_samples),
		PAGE_TEST(what_has_a_meaning_is_escaped),
		PAGE_TEST(numbers_are_written_as_people_do),
		PAGE_TEST(histograms_are_cumulative),
		PAGE_TEST(names_are_checked),
		PAGE_TEST(whatever_a_plugin_counts_is_handed_on),
		PAGE_TEST(an_answer_that_lacks_everything_breaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
