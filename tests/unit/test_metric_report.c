// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metrics/metric_report.h"
#include "protocol/buf.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECEIVED_MS INT64_C(1795450000123)

#define DAY_MS INT64_C(86400000)

static const struct metric_source source = {.worker = {"wrk_a"},
					    .received_ms = RECEIVED_MS,
					    .oldest_ms = RECEIVED_MS - 30 * DAY_MS,
					    .newest_ms = RECEIVED_MS + 300000};

static struct metric_message parse(const char *text)
{
	struct metric_message m;

	metric_message_parse(&source, text, strlen(text), &m);
	return m;
}

static size_t reports_in(const struct metric_message *m)
{
	size_t n = 0;

	for (const struct metric_report *r = m->reports; r != NULL; r = r->next)
		n++;
	return n;
}

static size_t rejections_in(const struct metric_message *m)
{
	size_t n = 0;

	for (const struct metric_rejection *r = m->rejections; r != NULL; r = r->next)
		n++;
	return n;
}

static void a_full_report_is_read(void **state)
{
	struct metric_message m = parse(
		"{\"memory\":1.5,\"cpu\":2,\"rate\":0,\"engine_status\":\"running\",\"seq\":17,"
		"\"at\":\"2026-11-23T14:05:08.542Z\",\"queue\":7,\"note\":\"a\\\"b\",\"hot\":"
		"true}");
	const struct metric_report *r = m.reports;

	(void)state;
	assert_int_equal(reports_in(&m), 1);
	assert_true(r->memory == 1.5 && r->cpu == 2 && r->rate == 0);
	assert_string_equal(r->engine_status, "running");
	assert_int_equal(r->seq, 17);
	assert_int_equal(r->at_ms, INT64_C(1795442708542));
	assert_int_equal(r->received_ms, RECEIVED_MS);
	assert_string_equal(r->extra, "{\"queue\":7,\"note\":\"a\\\"b\",\"hot\":true}");
	assert_string_equal(r->worker.text, "wrk_a");
	metric_message_fini(&m);
}

static void an_empty_report_is_a_report(void **state)
{
	struct metric_message m = parse("{}");

	(void)state;
	assert_int_equal(reports_in(&m), 1);
	assert_true(isnan(m.reports->memory) && isnan(m.reports->cpu) &&
		    isnan(m.reports->rate));
	assert_int_equal(m.reports->seq, -1);
	assert_int_equal(m.reports->at_ms, RECEIVED_MS);
	assert_null(m.reports->extra);
	metric_message_fini(&m);
}

static void null_counts_as_absent(void **state)
{
	struct metric_message m = parse("{\"memory\":null,\"seq\":null,\"queue\":null}");

	(void)state;
	assert_int_equal(reports_in(&m), 1);
	assert_true(isnan(m.reports->memory));
	assert_int_equal(m.reports->seq, -1);
	assert_null(m.reports->extra);
	metric_message_fini(&m);
}

static void further_numbers_keep_their_digits(void **state)
{
	struct metric_message m = parse("{\"a\":0.10,\"b\":9223372036854775807,\"c\":1e3}");

	(void)state;
	assert_string_equal(m.reports->extra,
			    "{\"a\":0.10,\"b\":9223372036854775807,\"c\":1e3}");
	metric_message_fini(&m);
}

static void a_bad_report_does_not_hold_up_its_neighbours(void **state)
{
	struct metric_message m =
		parse("{\"reports\":[{\"seq\":1,\"at\":\"2026-11-23T14:05:08Z\"},"
		      "{\"seq\":2,\"at\":\"2026-11-23T14:05:08Z\",\"memory\":\"much\"},"
		      "{\"seq\":3,\"at\":\"2026-11-23T14:05:08Z\"}]}");

	(void)state;
	assert_int_equal(reports_in(&m), 2);
	assert_int_equal(m.reports->seq, 1);
	assert_int_equal(m.reports->next->seq, 3);
	assert_int_equal(rejections_in(&m), 1);
	assert_int_equal(m.rejections->seq, 2);
	assert_string_equal(m.rejections->message, "memory: must be a number");
	metric_message_fini(&m);
}

/* Each with a seq is rejected by it, with a word that names the field. */
static void what_can_never_be_stored_is_rejected(void **state)
{
	static const struct {
		const char *text, *names;
	} rows[] = {
		{"{\"seq\":5}",							"at: "           },
		{"{\"seq\":5,\"at\":\"yesterday\"}",                                   "at: "           },
		{"{\"seq\":5,\"at\":17}",					      "at: "           },
		{"{\"seq\":5,\"at\":\"2026-11-23T14:05:08Z\",\"cpu\":true}",           "cpu: "          },
		{"{\"seq\":5,\"at\":\"2026-11-23T14:05:08Z\",\"rate\":[1]}",           "rate: "         },
		{"{\"seq\":5,\"at\":\"2026-11-23T14:05:08Z\",\"memory\":1e999}",       "memory: "       },
		{"{\"seq\":5,\"at\":\"2026-11-23T14:05:08Z\",\"queue\":1e999}",        "queue: "        },
		{"{\"seq\":5,\"at\":\"2026-11-23T14:05:08Z\",\"queue\":{\"a\":1}}",    "queue: "        },
		{"{\"seq\":5,\"at\":\"2026-11-23T14:05:08Z\",\"queue\":[]}",           "queue: "        },
		{"{\"seq\":5,\"at\":\"2026-11-23T14:05:08Z\",\"engine_status\":1}",
		 "engine_status: "								      },
		{"{\"seq\":5,\"at\":\"2026-11-23T14:05:08Z\",\"engine_status\":\"\"}",
		 "engine_status: "								      },
		{"{\"seq\":5,\"at\":\"2026-11-23T14:05:08Z\",\"engine_status\":"
		 "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",            "engine_status: "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct metric_message m = parse(rows[i].text);

		assert_int_equal(reports_in(&m), 0);
		assert_int_equal(rejections_in(&m), 1);
		assert_int_equal(m.rejections->seq, 5);
		assert_memory_equal(m.rejections->message, rows[i].names,
				    strlen(rows[i].names));
		metric_message_fini(&m);
	}
}

static void rubbish_is_counted(void **state)
{
	static const char *const rows[] = {"",
					   "no JSON",
					   "7",
					   "[]",
					   "null",
					   "{\"reports\":7}",
					   "{\"reports\":[7]}",
					   "{\"reports\":[null]}",
					   "{\"seq\":\"5\"}",
					   "{\"seq\":-1}",
					   "{\"seq\":1.5}",
					   "{\"memory\":\"much\"}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct metric_message m = parse(rows[i]);

		assert_int_equal(reports_in(&m), 0);
		assert_int_equal(rejections_in(&m), 0);
		assert_int_equal(m.refused, 1);
		metric_message_fini(&m);
	}
}

static void make_reports(struct buf *text, int n)
{
	buf_init(text, METRIC_PAYLOAD_MAX * 2);
	buf_add_str(text, "{\"reports\":[");
	for (int i = 0; i < n; i++)
		buf_printf(text, "%s{\"seq\":%d,\"at\":\"2026-11-23T14:05:08Z\"}",
			   i > 0 ? "," : "", i);
	buf_add_str(text, "]}");
}

static void five_hundred_reports_are_taken(void **state)
{
	struct metric_message m;
	struct buf text;

	(void)state;
	make_reports(&text, METRIC_REPORTS_MAX);
	m = parse(text.data);
	assert_int_equal(reports_in(&m), METRIC_REPORTS_MAX);
	metric_message_fini(&m);
	buf_fini(&text);
}

static void one_more_rejects_them_all(void **state)
{
	struct metric_message m;
	struct buf text;

	(void)state;
	make_reports(&text, METRIC_REPORTS_MAX + 1);
	m = parse(text.data);
	assert_int_equal(reports_in(&m), 0);
	assert_int_equal(rejections_in(&m), METRIC_REPORTS_MAX + 1);
	metric_message_fini(&m);
	buf_fini(&text);
}

static void a_message_that_is_too_long_is_counted(void **state)
{
	struct metric_message m;
	char *text = malloc(METRIC_PAYLOAD_MAX + 2);

	(void)state;
	memset(text, ' ', METRIC_PAYLOAD_MAX + 1);
	text[METRIC_PAYLOAD_MAX + 1] = '\0';
	memcpy(text, "{}", 2);
	m = parse(text);
	assert_int_equal(reports_in(&m), 0);
	assert_int_equal(m.refused, 1);
	metric_message_fini(&m);
	free(text);
}

static void a_message_that_is_too_long_is_rejected_by_its_numbers(void **state)
{
	struct metric_message m;
	struct buf text;

	(void)state;
	make_reports(&text, 2);
	buf_printf(&text, "%*s", (int)METRIC_PAYLOAD_MAX, "");
	m = parse(text.data);
	assert_int_equal(reports_in(&m), 0);
	assert_int_equal(rejections_in(&m), 2);
	metric_message_fini(&m);
	buf_fini(&text);
}

static void sixty_four_keys_and_no_more(void **state)
{
	(void)state;
	for (int n = METRIC_KEYS_MAX; n <= METRIC_KEYS_MAX + 1; n++) {
		struct metric_message m;
		struct buf text;

		buf_init(&text, METRIC_PAYLOAD_MAX);
		buf_add_char(&text, '{');
		for (int i = 0; i < n; i++)
			buf_printf(&text, "%s\"k%d\":%d", i > 0 ? "," : "", i, i);
		buf_add_char(&text, '}');
		m = parse(text.data);
		assert_int_equal(reports_in(&m), n == METRIC_KEYS_MAX ? 1 : 0);
		metric_message_fini(&m);
		buf_fini(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_report_is_read),
		cmocka_unit_test(an_empty_report_is_a_report),
		cmocka_unit_test(null_counts_as_absent),
		cmocka_unit_test(further_numbers_keep_their_digits),
		cmocka_unit_test(a_bad_report_does_not_hold_up_its_neighbours),
		cmocka_unit_test(what_can_never_be_stored_is_rejected),
		cmocka_unit_test(rubbish_is_counted),
		cmocka_unit_test(five_hundred_reports_are_taken),
		cmocka_unit_test(one_more_rejects_them_all),
		cmocka_unit_test(a_message_that_is_too_long_is_counted),
		cmocka_unit_test(a_message_that_is_too_long_is_rejected_by_its_numbers),
		cmocka_unit_test(sixty_four_keys_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
