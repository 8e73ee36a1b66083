// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The quick way and the thorough way of reading reports agree. */
#include "bridge/metrics/metric_scan.h"
#include "protocol/buf.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS 30000
#define SEED 20261123u

static const struct metric_source source = {.worker = {"wrk_a"},
					    .received_ms = INT64_C(1795450000123),
					    .oldest_ms = INT64_C(1795000000000),
					    .newest_ms = INT64_C(1796000000000)};

static bool scan(const char *text, struct metric_report **list)
{
	return metric_scan(&source, text, strlen(text), list);
}

static void plain_reports_are_taken(void **state)
{
	struct metric_report *r;

	(void)state;
	assert_true(scan(" {\"memory\" : 1.50, \"cpu\":-2,\"rate\":0,\"seq\":17,\n"
			 "\"at\":\"2026-11-23T14:05:08.542Z\",\"engine_status\":\"running\","
			 "\"queue\": 7 ,\"note\":\"a b\",\"hot\":true}\t",
			 &r));
	assert_true(r->memory == 1.5 && r->cpu == -2 && r->rate == 0);
	assert_int_equal(r->seq, 17);
	assert_int_equal(r->at_ms, INT64_C(1795442708542));
	assert_string_equal(r->engine_status, "running");
	assert_string_equal(r->extra, "{\"queue\":7,\"note\":\"a b\",\"hot\":true}");
	assert_int_equal(r->extra_len, strlen(r->extra));
	assert_null(r->next);
	metric_report_free_list(r);
}

static void several_reports_keep_their_order(void **state)
{
	struct metric_report *r;

	(void)state;
	assert_true(scan("{\"reports\":[{\"cpu\":1},{},{\"cpu\":3}]}", &r));
	assert_true(r->cpu == 1 && r->next->next->cpu == 3);
	assert_null(r->next->next->next);
	metric_report_free_list(r);
}

static void the_rest_is_left_to_the_thorough_way(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{}x",
		"{\"cpu\":1,}",
		"{\"cpu\":1 \"rate\":2}",
		"{\"cpu\":null}",
		"{\"cpu\":\"1\"}",
		"{\"cpu\":01}",
		"{\"cpu\":1.}",
		"{\"cpu\":.5}",
		"{\"cpu\":-}",
		"{\"cpu\":-0}",
		"{\"cpu\":1e3}",
		"{\"cpu\":1234567890123456}",
		"{\"cpu\":1,\"cpu\":2}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":[1]}",
		"{\"a\":tru}",
		"{\"a\\u0062\":1}",
		"{\"a\":\"\\n\"}",
		"{\"a\":\"\xc3\xa9\"}",
		"{\"seq\":1}",
		"{\"seq\":-1,\"at\":\"2026-11-23T14:05:08Z\"}",
		"{\"seq\":1.5,\"at\":\"2026-11-23T14:05:08Z\"}",
		"{\"at\":\"yesterday\"}",
		"{\"engine_status\":\"\"}",
		"{\"cpu\":1,\"reports\":7}",
		"{\"reports\":[]}",
		"{\"reports\":[{}],\"more\":1}",
		"{\"reports\":[{},7]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct metric_report *r;

		if (scan(texts[i], &r))
			fail_msg("taken: %s", texts[i]);
		assert_null(r);
	}
}

/* ---- both ways --------------------------------------------------------------------------- */

static unsigned random_state;

static unsigned below(unsigned n)
{
	random_state = random_state * 1103515245u + 12345u;
	return (random_state >> 16) % n;
}

static const char *const keys[] = {"memory", "cpu", "rate", "seq", "at",    "engine_status",
				   "queue",  "a",   "",     "a/b", "MEMORY"};
static const char *const values[] = {
	"0",
	"7",
	"-12",
	"0.10",
	"123456789.123456",
	"99999999999999",
	"12345678901234567890",
	"1e3",
	"true",
	"false",
	"null",
	"\"\"",
	"\"running\"",
	"\"a/b <c> ~\"",
	"\"with \\\"quotes\\\"\"",
	"\"\xc3\xa9\"",
	"\"2026-11-23T14:05:08.5Z\"",
	"\"2026-11-23T15:05:08+01:00\"",
	"\"2026-11-23T14:05:08Z\"",
	"[]",
	"\"2020-01-01T00:00:00Z\"",
};

static void add_report(struct buf *out, bool thorough)
{
	const unsigned n = below(7);

	buf_add_str(out, "{");
	/* Nothing that counts, but what the quick way leaves alone. */
	if (thorough)
		buf_add_str(out, "\"nothing\":null");
	for (unsigned i = 0; i < n; i++) {
		/* Mostly what fits, so that there are good reports among them. */
		const unsigned key = below(ARRAY_LEN(keys));
		const char *value = values[below(ARRAY_LEN(values))];

		if (key < 4 && below(4) > 0)
			value = values[below(6)];
		if (key == 4 && below(4) > 0)
			value = values[16 + below(3)];
		buf_printf(out, "%s\"%s\":%s", thorough || i > 0 ? "," : "", keys[key], value);
	}
	buf_add_str(out, "}");
}

static void make_message(struct buf *out, bool thorough)
{
	const unsigned n = below(3);

	buf_reset(out);
	if (n == 0) {
		add_report(out, thorough);
		return;
	}
	buf_add_str(out, "{\"reports\":[");
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			buf_add_str(out, ",");
		add_report(out, thorough);
	}
	buf_add_str(out, "]}");
}

static bool same_number(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0 || a == b;
}

static bool same_reports(const struct metric_report *a, const struct metric_report *b)
{
	for (; a != NULL && b != NULL; a = a->next, b = b->next)
		if (a->seq != b->seq || a->at_ms != b->at_ms ||
		    !same_number(a->memory, b->memory) || !same_number(a->cpu, b->cpu) ||
		    !same_number(a->rate, b->rate) ||
		    strcmp(a->engine_status, b->engine_status) != 0 ||
		    a->extra_len != b->extra_len ||
		    (a->extra != NULL && strcmp(a->extra, b->extra) != 0))
			return false;
	return a == NULL && b == NULL;
}

static bool same_rejections(const struct metric_rejection *a, const struct metric_rejection *b)
{
	for (; a != NULL && b != NULL; a = a->next, b = b->next)
		if (a->seq != b->seq || strcmp(a->code, b->code) != 0 ||
		    strcmp(a->message, b->message) != 0)
			return false;
	return a == NULL && b == NULL;
}

static void both_ways_agree(void **state)
{
	struct buf text, other;
	unsigned quick = 0;

	(void)state;
	buf_init(&text, 65536);
	buf_init(&other, 65536);
	random_state = SEED;
	for (unsigned round = 0; round < ROUNDS; round++) {
		const unsigned seed = random_state;
		struct metric_message a, b;
		struct metric_report *list;

		make_message(&text, false);
		random_state = seed;
		make_message(&other, true);
		metric_message_parse(&source, text.data, text.len, &a);
		metric_message_parse(&source, other.data, other.len, &b);
		if (!same_reports(a.reports, b.reports) ||
		    !same_rejections(a.rejections, b.rejections) || a.refused != b.refused)
			fail_msg("seed %u round %u: %s", SEED, round, text.data);
		if (metric_scan(&source, text.data, text.len, &list))
			quick++;
		metric_report_free_list(list);
		metric_message_fini(&a);
		metric_message_fini(&b);
	}
	assert_true(quick > ROUNDS / 10 && quick < ROUNDS);
	buf_fini(&text);
	buf_fini(&other);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(plain_reports_are_taken),
	cmocka_unit_test(several_reports_keep_their_order),
	cmocka_unit_test(the_rest_is_left_to_the_thorough_way),
	cmocka_unit_test(both_ways_agree),
};

UNIT_MAIN(tests)
