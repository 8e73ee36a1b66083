// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* What is JSON, and where it ceases to be. tests/fuzz/fuzz_json.c holds it against a grammar
 * written in another way. */
#include "protocol/jcheck.h"
#include "protocol/util.h"
#include "tests/unit/unit.h"

#define DEPTH 4

static void what_is_json_passes(void **state)
{
	static const char *const good[] = {
		"0",
		"-0",
		"-12.50e-3",
		"1E+5",
		"true",
		" \t\r\n null ",
		"\"\"",
		"\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fC\xC3\xBC\x7f\"",
		"[]",
		"{}",
		"[ ]",
		"{ }",
		"[1,[2,{\"a\":[]}]]",
		"{\"a\" : 1 , \"\":{\"a\":[{}]}}",
		"[[[[]]]]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		size_t at;
		const char *wrong = jcheck(good[i], strlen(good[i]), DEPTH, &at);

		if (wrong != NULL)
			fail_msg("%s: %s at %zu", good[i], wrong, at);
		assert_int_equal(at, strlen(good[i]));
	}
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
	static const struct {
		const char *text, *wrong;
		size_t at;
	} rows[] = {
		{"",            "a value expected",                0},
		{"  ",          "a value expected",                2},
		{"1 2",         "more than one value",             2},
		{"{}}",         "more than one value",             2},
		{"[1",          "a comma or an end expected",      2},
		{"[1}",         "a comma or an end expected",      2},
		{"[1 2]",       "a comma or an end expected",      3},
		{"[1,]",        "a value expected",                3},
		{"[,1]",        "a value expected",                1},
		{"{\"a\":1,}",  "a key expected",                  7},
		{"{a:1}",       "a key expected",                  1},
		{"{1:1}",       "a key expected",                  1},
		{"{\"a\"}",     "a colon expected",                4},
		{"{\"a\":}",    "a value expected",                5},
		{"01",          "more than one value",             1},
		{"-",           "a number that is none",           1},
		{"1.",          "a number that is none",           2},
		{".5",          "a value expected",                0},
		{"1e+",         "a number that is none",           3},
		{"+1",          "a value expected",                0},
		{"NaN",         "a value expected",                0},
		{"tru",         "a value that is none",            0},
		{"nulL",        "a value that is none",            0},
		{"\"a",         "a string without an end",         2},
		{"\"a\nb\"",    "a control character in a string", 2},
		{"\"\\x\"",     "an escape that is none",          2},
		{"\"\\u12G4\"", "an escape that is none",          5},
		{"\"\\",        "an escape that is none",          2},
		{"'a'",         "a value expected",                0},
		{"/**/1",       "a value expected",                0},
		{"[[[[1]]]]",   "too deep",                        4},
		{"[[[[[]]]]]",  "too deep",                        4},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t at;
		const char *wrong = jcheck(rows[i].text, strlen(rows[i].text), DEPTH, &at);

		if (wrong == NULL || strcmp(wrong, rows[i].wrong) != 0 || at != rows[i].at)
			fail_msg("%s: %s at %zu", rows[i].text, wrong, at);
	}
}

static void the_length_is_obeyed(void **state)
{
	size_t at;

	(void)state;
	assert_null(jcheck("12,", 2, DEPTH, &at));
	assert_non_null(jcheck("true", 3, DEPTH, &at));
	assert_non_null(jcheck("1\0", 2, DEPTH, &at));
	assert_non_null(jcheck("\"\0\"", 3, DEPTH, &at));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_json_passes),
	cmocka_unit_test(what_is_wrong_is_named_with_its_place),
	cmocka_unit_test(the_length_is_obeyed),
};

UNIT_MAIN(tests)
