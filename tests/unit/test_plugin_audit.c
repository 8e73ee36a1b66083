// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/unit/test_plugin_fake.h"

#define MINUTE_US 60000000

static struct publish publish;
static struct audit audit;

static int open_audit(void **state)
{
	(void)state;
	log_set_sink(quiet);
	broker_forget();
	publish_open(&publish, "node-1", "workers", true);
	audit_open(&audit, &publish, "node-1");
	return 0;
}

static int close_audit(void **state)
{
	(void)state;
	audit_close(&audit);
	publish_close(&publish);
	broker_forget();
	return 0;
}

/* "CODE worker address count" of row i. */
static const char *row(size_t i)
{
	static char text[512];
	struct err e = {0};
	struct json_object *doc;
	struct jread r;

	assert_in_range(i, 0, broker.said_len - 1);
	assert_string_equal(broker.said[i].topic, TOPIC_AUDIT);
	doc = jread_parse(broker.said[i].payload, (size_t)broker.said[i].len, &e);
	assert_non_null(doc);
	jread_begin(&r, doc, &e);
	snprintf(text, sizeof(text), "%s %s %s %lld", jread_str(&r, "code", 1, 60),
		 jread_str_or(&r, "worker_id", 1, 64, "-"),
		 jread_str_or(&r, "address", 1, 64, "-"),
		 (long long)jread_i64(&r, "count", 1, INT64_MAX));
	assert_int_equal(jread_end(&r), ERR_OK);
	json_object_put(doc);
	return text;
}

static void refuse(const char *worker, const char *address)
{
	audit_refused(&audit, REFUSED_INVALID_TOKEN, worker, "client", address);
}

static void next_minute(void)
{
	audit_tick(&audit, audit.minute_ends_us);
}

static void first_refusal_is_told_at_once(void **state)
{
	(void)state;
	refuse("wrk_a", "1.2.3.4");
	assert_int_equal(broker.said_len, 1);
	assert_string_equal(row(0), "INVALID_TOKEN wrk_a 1.2.3.4 1");
}

static void repetitions_are_held_back_and_counted_once_a_minute(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		refuse("wrk_a", "1.2.3.4");
	assert_int_equal(broker.said_len, 1);
	audit_tick(&audit, audit.minute_ends_us - 1);
	assert_int_equal(broker.said_len, 1);
	next_minute();
	assert_int_equal(broker.said_len, 2);
	assert_string_equal(row(1), "INVALID_TOKEN wrk_a 1.2.3.4 99");
	/* that was the new minute's row */
	refuse("wrk_a", "1.2.3.4");
	assert_int_equal(broker.said_len, 2);
	next_minute();
	assert_string_equal(row(2), "INVALID_TOKEN wrk_a 1.2.3.4 1");
	next_minute();
	assert_int_equal(broker.said_len, 3);
	assert_int_equal(audit.rows.len, 0);
	refuse("wrk_a", "1.2.3.4");
	assert_string_equal(row(3), "INVALID_TOKEN wrk_a 1.2.3.4 1");
}

static void worker_address_and_code_make_rows_of_their_own(void **state)
{
	(void)state;
	refuse("wrk_a", "1.2.3.4");
	refuse("wrk_b", "1.2.3.4");
	refuse("wrk_a", "1.2.3.5");
	audit_refused(&audit, REFUSED_TOKEN_EXPIRED, "wrk_a", "client", "1.2.3.4");
	assert_int_equal(broker.said_len, 4);
	audit_refused(&audit, REFUSED_TOKEN_EXPIRED, "wrk_a", "another", "1.2.3.4");
	assert_int_equal(broker.said_len, 4);
}

static void nothing_known_of_the_client_is_told_as_null(void **state)
{
	(void)state;
	audit_refused(&audit, REFUSED_WORKER_NOT_FOUND, "", NULL, NULL);
	assert_string_equal(row(0), "WORKER_NOT_FOUND - - 1");
}

static void memory_is_bounded_and_nothing_is_lost_from_the_count(void **state)
{
	size_t before;
	char name[32];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "wrk_%d", i);
		refuse(name, "1.2.3.4");
	}
	assert_int_equal(audit.rows.len, AUDIT_ROWS_MAX + 1);
	assert_int_equal(broker.said_len, AUDIT_ROWS_MAX + 1);
	before = broker.said_len;
	next_minute();
	assert_int_equal(broker.said_len, before + 1);
	snprintf(name, sizeof(name), "INVALID_TOKEN - - %d", 3000 - AUDIT_ROWS_MAX - 1);
	assert_string_equal(row(before), name);
	assert_int_equal(audit.rows.len, 1);
}

static void text_of_strangers_is_told_as_valid_json(void **state)
{
	(void)state;
	audit_refused(
		&audit, REFUSED_CLIENT_ID_REFUSED, "", "\"\\\n\x01\xff",
		"a very long forwarded-for header, a very long forwarded-for header \xff");
	row(0);
	assert_int_equal(broker.said_len, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_audit, close_audit)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_refusal_is_told_at_once),
		TEST(repetitions_are_held_back_and_counted_once_a_minute),
		TEST(worker_address_and_code_make_rows_of_their_own),
		TEST(nothing_known_of_the_client_is_told_as_null),
		TEST(memory_is_bounded_and_nothing_is_lost_from_the_count),
		TEST(text_of_strangers_is_told_as_valid_json),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
