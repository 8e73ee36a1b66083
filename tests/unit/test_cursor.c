// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/events/cursor.h"
#include "tests/unit/unit.h"

static void a_page_cursor_comes_back(void **state)
{
	const struct page_cursor cursor = {1795442708542, {"wrk_abc"}};
	struct page_cursor back;
	char text[CURSOR_TEXT_SIZE];

	(void)state;
	page_cursor_print(&cursor, text);
	assert_int_equal(
		strspn(text,
		       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
		strlen(text));
	assert_true(page_cursor_parse(text, &back));
	assert_int_equal(back.created_ms, cursor.created_ms);
	assert_string_equal(back.id.text, "wrk_abc");
}

static void the_longest_id_fits(void **state)
{
	struct page_cursor cursor = {.created_ms = INT64_MAX}, back;
	char text[CURSOR_TEXT_SIZE];

	(void)state;
	memset(cursor.id.text, 'x', WORKER_ID_MAX);
	page_cursor_print(&cursor, text);
	assert_true(page_cursor_parse(text, &back));
	assert_string_equal(back.id.text, cursor.id.text);
}

static void what_we_did_not_write_is_refused(void **state)
{
	/* "p1 ", "p1 x y", "p1 5 ", "p1 5 a.b", "p2 5 a", "p1 99999999999999999999 a", "p1 5
	 * a\0" */
	static const char *const bad[] = {
		"",           "!",           "cDEg",     "cDEgeCB5",
		"cDEgNSA",    "cDEgNSBhLmI", "cDIgNSBh", "cDEgOTk5OTk5OTk5OTk5OTk5OTk5OTkgYQ",
		"cDEgNSBhAA", "cDEgNSBh="};
	struct page_cursor cursor;

	(void)state;
	assert_true(page_cursor_parse("cDEgNSBh", &cursor)); /* "p1 5 a" */
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (page_cursor_parse(bad[i], &cursor))
			fail_msg("taken for a cursor: %s", bad[i]);
}

static void a_watch_cursor_comes_back(void **state)
{
	struct watch_cursor cursor = {"0123456789abcdef", UINT64_MAX, false}, back;
	char text[CURSOR_TEXT_SIZE];

	(void)state;
	watch_cursor_print(&cursor, text);
	assert_true(watch_cursor_parse(text, &back));
	assert_string_equal(back.instance, cursor.instance);
	assert_true(back.n == cursor.n);
	assert_false(back.unknown);
	cursor.unknown = true;
	watch_cursor_print(&cursor, text);
	assert_true(watch_cursor_parse(text, &back));
	assert_string_equal(back.instance, cursor.instance);
	assert_true(back.n == cursor.n && back.unknown);
}

static void a_command_cursor_comes_back(void **state)
{
	struct command_cursor cursor = {1795442708542, {"cmd_01ARYZ6S410000000000000000"}},
			      back;
	char text[CURSOR_TEXT_SIZE];

	(void)state;
	command_cursor_print(&cursor, text);
	assert_true(command_cursor_parse(text, &back));
	assert_true(back.created_ms == cursor.created_ms);
	assert_string_equal(back.id.text, cursor.id.text);
	assert_false(page_cursor_parse(text, &(struct page_cursor){0}));
	text[strlen(text) - 1] = '\0';
	assert_false(command_cursor_parse(text, &back));
	assert_false(command_cursor_parse("", &back));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_page_cursor_comes_back),
	cmocka_unit_test(the_longest_id_fits),
	cmocka_unit_test(what_we_did_not_write_is_refused),
	cmocka_unit_test(a_watch_cursor_comes_back),
	cmocka_unit_test(a_command_cursor_comes_back),
};

UNIT_MAIN(tests)
