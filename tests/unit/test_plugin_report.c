// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/unit/test_plugin_dir.h"

#include "plugin/report.h"
#include "protocol/log.h"

static char dir[64];
static struct store *store;
static struct worker_id id;

static void quiet(enum log_level level, const char *subsystem, const char *text)
{
	(void)level;
	(void)subsystem;
	(void)text;
}

static void no_wake(void)
{
}

static int open_store(void **state)
{
	struct err e = {0};

	(void)state;
	log_set_sink(quiet);
	make_dir(dir);
	worker_id_parse("wrk_a", 5, &id);
	store = store_open(dir, 64, 0, no_wake, &e);
	return store != NULL ? 0 : -1;
}

static int close_store(void **state)
{
	(void)state;
	store_close(store);
	remove_dir(dir);
	return 0;
}

static enum err_code report(const char *payload)
{
	struct err e = {0};

	return report_state(store, &id, payload, strlen(payload), &e);
}

static void assert_reported(const char *status, const char *json)
{
	struct reported_state got;

	assert_true(reported_load(store, &id, &got));
	assert_string_equal(got.engine_status, status);
	assert_int_equal(got.json.len, strlen(json));
	assert_memory_equal(got.json.data, json, strlen(json));
}

/* ---- state ---- */

static void state_is_kept_as_it_was_sent(void **state)
{
	static const char *const text = "{\"engine_status\":\"running\", \"x\":[1.50,{}]}";

	(void)state;
	assert_int_equal(report(text), ERR_OK);
	assert_reported("running", text);
	assert_int_equal(report("{}"), ERR_OK);
	assert_reported("", "{}");
}

static void bad_state_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"[]",
		"null",
		"1",
		"{\"engine_status\":1}",
		"{\"engine_status\":\"\"}",
		"{\"a\":NaN}",
		"{\"a\":1.}",
		"{\"a\":\"x\ny\"}",
		"{\"a\":\"\xff\"}",
		"{\"engine_status\":\"123456789012345678901234567890123\"}"};
	char deep[201];

	(void)state;
	assert_int_equal(report("{\"engine_status\":\"running\"}"), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (report(bad[i]) == ERR_OK)
			fail_msg("taken: %s", bad[i]);
	memset(deep, '[', 200);
	deep[200] = '\0';
	assert_int_not_equal(report(deep), ERR_OK);
	assert_reported("running", "{\"engine_status\":\"running\"}");
}

static void state_of_more_than_eight_kib_is_left_out(void **state)
{
	char *text = malloc(REPORTED_MAX_BYTES + 2);

	(void)state;
	memset(text, ' ', REPORTED_MAX_BYTES + 1);
	memcpy(text, "{}", 2);
	text[REPORTED_MAX_BYTES] = '\0';
	assert_int_equal(report(text), ERR_OK);
	assert_reported("", text);
	text[REPORTED_MAX_BYTES] = ' ';
	text[REPORTED_MAX_BYTES + 1] = '\0';
	assert_int_equal(report(text), ERR_PAYLOAD_TOO_LARGE);
	free(text);
}

static void engine_status_is_counted_in_characters_and_kept_in_bytes(void **state)
{
	/* 32 characters of two bytes each do not fit: left out, not cut in the middle */
	char text[128] = "{\"engine_status\":\"";

	(void)state;
	for (int i = 0; i < 32; i++)
		strcat(text, "\xC3\xBC");
	strcat(text, "\"}");
	assert_int_equal(report(text), ERR_INVALID_REQUEST);
	assert_false(reported_load(store, &id, &(struct reported_state){0}));
}

/* ---- wills ---- */

static void will_reason_is_read(void **state)
{
	static const struct {
		const char *payload, *reason;
	} rows[] = {
		{"{\"reason\":\"power\"}",           "power"   },
		{"{\"a\":1,\"reason\":\"\\u00fc\"}", "\xC3\xBC"},
		{"{\"reason\":\"\"}",                NULL      },
		{"{\"reason\":null}",                NULL      },
		{"{\"reason\":7}",                   NULL      },
		{"{\"reason\":{\"reason\":\"x\"}}",  NULL      },
		{"{\"reason\":\"a\\u0000b\"}",       NULL      },
		{"{}",			       NULL      },
		{"[\"reason\"]",                     NULL      },
		{"reason",			   NULL      },
		{"",				 NULL      },
		{"{\"reason\":\"x\"",                NULL      },
	};
	char out[PRESENCE_DETAIL_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool found = report_will_reason(rows[i].payload, strlen(rows[i].payload), out);

		if (found != (rows[i].reason != NULL))
			fail_msg("%s", rows[i].payload);
		assert_string_equal(out, rows[i].reason != NULL ? rows[i].reason : "");
	}
	assert_false(report_will_reason(NULL, 0, out));
	assert_false(report_will_reason(NULL, 10, out));
}

static void long_will_reason_is_cut_between_characters(void **state)
{
	static const char *const characters[] = {"a", "\xC3\xBC", "\xE2\x82\xAC",
						 "\xF0\x9F\x98\x80"};
	char out[PRESENCE_DETAIL_MAX + 1], text[1200];

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(characters); c++) {
		size_t size = strlen(characters[c]);

		for (size_t shift = 0; shift < 4; shift++) {
			snprintf(text, sizeof(text), "{\"reason\":\"%.*s", (int)shift, "xxxx");
			while (strlen(text) < 400)
				strcat(text, characters[c]);
			strcat(text, "\"}");
			assert_true(report_will_reason(text, strlen(text), out));
			assert_in_range(strlen(out), PRESENCE_DETAIL_MAX - 3,
					PRESENCE_DETAIL_MAX);
			assert_int_equal((strlen(out) - shift) % size, 0);
		}
	}
}

static void will_of_more_than_a_kib_says_nothing(void **state)
{
	char out[PRESENCE_DETAIL_MAX + 1], text[1100];

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "{\"reason\":\"x\"}", 14);
	assert_true(report_will_reason(text, 1024, out));
	assert_false(report_will_reason(text, 1025, out));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(state_is_kept_as_it_was_sent),
		TEST(bad_state_changes_nothing),
		TEST(state_of_more_than_eight_kib_is_left_out),
		TEST(engine_status_is_counted_in_characters_and_kept_in_bytes),
		cmocka_unit_test(will_reason_is_read),
		cmocka_unit_test(long_will_reason_is_cut_between_characters),
		cmocka_unit_test(will_of_more_than_a_kib_says_nothing),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
