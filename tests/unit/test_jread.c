// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/jread.h"
#include "tests/unit/unit.h"

static struct err e;

static struct json_object *parse(const char *text)
{
	struct json_object *doc = jread_parse(text, strlen(text), &e);

	assert_non_null(doc);
	return doc;
}

static void nested(char *out, int depth)
{
	memset(out, '[', (size_t)depth);
	memset(out + depth, ']', (size_t)depth);
	out[2 * depth] = '\0';
}

static void what_is_not_json_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"{}x",
		"{} {}",
		"[1,]",
		"{'a':1}",
		"{\"a\":}",
		"nul",
		"null",
		"\"\xFF\"",
		"\"\xED\xA0\x80\"",
		"01",
		"-01",
		"00",
		"1.",
		"-",
		"1e",
		"1e+",
		"[.5]",
		"{\"a\":1.}",
		"1-2",
		"NaN",
		"/**/{}",
		"{\"a\" 1}",
		"\"a\nb\"",
		"\xC3\xBC",
		"{}\xC3\xBC",
		"\"\xC3\xBC",
		"\"\\\xC3\xBC\"",
		"{\"\xC3\xBC\"\xC3\xBC:1}",
		"\"\xC3\xBC\" 1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.code = ERR_OK;
		if (jread_parse(bad[i], strlen(bad[i]), &e) != NULL)
			fail_msg("taken for JSON: %s", bad[i]);
		assert_int_equal(e.code, ERR_INVALID_REQUEST);
	}
	assert_null(jread_parse("{}\0", 3, &e));
}

static void values_of_every_kind_are_taken(void **state)
{
	static const char *const good[] = {
		"{}",   "[]", " {\"a\":[1,-2.5e3,true,null,\"\\u00fc\"]}\n",     "1", "\"a\"",
		"true", "-0", "[0,-1,10,0.5,-0.25e-3,1E5,1e+5,{\"1.\":\"-01\"}]"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		json_object_put(parse(good[i]));
}

/* json-c 0.18, when strict, takes none but ASCII. */
static void strings_may_hold_any_character(void **state)
{
	struct json_object *doc =
		parse("{\"\xC3\xBC\":\"a\xE2\x82\xAC\\n\xF0\x9F\x98\x80z\"} ");

	(void)state;
	assert_string_equal(json_object_get_string(json_object_object_get(doc, "\xC3\xBC")),
			    "a\xE2\x82\xAC\n\xF0\x9F\x98\x80z");
	json_object_put(doc);
}

static void nesting_has_a_limit(void **state)
{
	char text[1000];

	(void)state;
	nested(text, JREAD_MAX_DEPTH - 1);
	json_object_put(parse(text));
	nested(text, 200);
	assert_null(jread_parse(text, strlen(text), &e));
	assert_non_null(strstr(e.msg, "deep"));
}

static void fields_are_read(void **state)
{
	struct json_object *doc = parse(
		"{\"s\":\"\xC3\xBC\",\"i\":5,\"b\":true,\"t\":\"2026-11-23T14:05:08.542Z\","
		"\"o\":{},\"a\":[1,2],\"n\":null}");
	struct jread r;

	(void)state;
	jread_begin(&r, doc, &e);
	assert_string_equal(jread_str(&r, "s", 1, 1), "\xC3\xBC");
	assert_int_equal(jread_i64(&r, "i", 0, 5), 5);
	assert_true(jread_bool_or(&r, "b", false));
	assert_int_equal(jread_time_or_0(&r, "t"), 1795442708542);
	assert_non_null(jread_object_or_null(&r, "o"));
	assert_non_null(jread_array(&r, "a", 2, 2));
	assert_null(jread_object_or_null(&r, "n"));
	assert_int_equal(jread_i64_or(&r, "n", 7, 0, 9), 7);
	assert_string_equal(jread_str_or(&r, "absent", 1, 9, "else"), "else");
	assert_int_equal(jread_end(&r), ERR_OK);
	json_object_put(doc);
}

/* Reads one field as a string of 2 to 3, an integer of 1..9 and so on, by its name. */
static const char *error_of(const char *text)
{
	static const char *const keys[] = {"s", "i", "b", "t", "o", "a", NULL};
	struct json_object *doc = parse(text);
	struct jread r;

	jread_begin(&r, doc, &e);
	jread_only(&r, keys);
	jread_str_or(&r, "s", 2, 3, NULL);
	jread_i64_or(&r, "i", 1, 1, 9);
	jread_bool_or(&r, "b", false);
	jread_time_or_0(&r, "t");
	jread_object_or_null(&r, "o");
	jread_array_or_null(&r, "a", 2);
	assert_int_equal(jread_end(&r), ERR_INVALID_REQUEST);
	json_object_put(doc);
	return e.msg;
}

static void errors_name_the_field(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"{\"s\":1}",             "s: must be a string"                            },
		{"{\"s\":\"a\"}",         "s: must have 2 to 3 characters, has 1"          },
		{"{\"s\":\"a\\u0000b\"}", "s: must not contain a NUL character"            },
		{"{\"i\":10}",            "i: 10 is outside 1..9"                          },
		{"{\"i\":1.5}",           "i: must be an integer"                          },
		{"{\"i\":\"1\"}",         "i: must be an integer"                          },
		{"{\"b\":1}",             "b: must be true or false"                       },
		{"{\"t\":\"now\"}",       "t: must be a time like 2026-11-23T14:05:08.542Z"},
		{"{\"o\":[]}",            "o: must be an object"                           },
		{"{\"a\":{}}",            "a: must be an array"                            },
		{"{\"a\":[1,2,3]}",       "a: must have 0 to 2 elements, has 3"            },
		{"{\"x\":1}",             "x: is not a field of this request"              },
		{"[]",                    "must be a JSON object"                          },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(error_of(rows[i].text), rows[i].message);
}

static void the_first_error_wins(void **state)
{
	struct json_object *doc = parse("{\"b\":5}");
	struct jread r;

	(void)state;
	jread_begin(&r, doc, &e);
	assert_null(jread_str(&r, "a", 1, 2));
	assert_false(jread_bool_or(&r, "b", true));
	assert_int_equal(jread_end(&r), ERR_INVALID_REQUEST);
	assert_string_equal(e.msg, "a: is missing");
	json_object_put(doc);
}

static void elements_of_arrays_are_named_with_their_index(void **state)
{
	struct json_object *doc = parse("{}");
	struct jread r;

	(void)state;
	jread_begin_at(&r, doc, &e, "workers", 3);
	jread_str(&r, "id", 1, 2);
	assert_string_equal(e.msg, "workers[3].id: is missing");
	json_object_put(doc);
	jread_begin_at(&r, NULL, &e, "workers", 4);
	assert_string_equal(e.msg, "workers[4]: must be an object");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_not_json_is_refused),
	cmocka_unit_test(values_of_every_kind_are_taken),
	cmocka_unit_test(strings_may_hold_any_character),
	cmocka_unit_test(nesting_has_a_limit),
	cmocka_unit_test(fields_are_read),
	cmocka_unit_test(errors_name_the_field),
	cmocka_unit_test(the_first_error_wins),
	cmocka_unit_test(elements_of_arrays_are_named_with_their_index),
};

UNIT_MAIN(tests)
