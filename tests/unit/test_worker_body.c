// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/worker_body.h"
#include "tests/unit/unit.h"

static struct err e;

/* Reads name and tags; the caller frees the change. */
static struct worker_change *read_body(const char *text)
{
	struct worker_change *c = calloc(1, sizeof(*c));
	struct json_object *doc = jread_parse(text, strlen(text), &e);
	struct jread r;

	assert_non_null(doc);
	jread_begin(&r, doc, &e);
	worker_read_name(&r, c);
	worker_read_tags(&r, c);
	json_object_put(doc);
	return c;
}

static void names_are_trimmed(void **state)
{
	struct worker_change *c = read_body("{\"name\":\"  My worker \"}");

	(void)state;
	assert_int_equal(e.code, ERR_OK);
	assert_string_equal(c->name, "My worker");
	assert_null(c->tags);
	worker_change_free(c);
}

static void length_is_counted_in_characters(void **state)
{
	char text[700] = "{\"name\":\"";
	struct worker_change *c;

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(text, "\xE2\x82\xAC");
	strcat(text, "\"}");
	c = read_body(text);
	assert_int_equal(e.code, ERR_OK);
	assert_int_equal(strlen(c->name), 300);
	worker_change_free(c);
}

static void what_is_absent_stays(void **state)
{
	struct worker_change *c = read_body("{\"name\":null}");

	(void)state;
	assert_int_equal(e.code, ERR_OK);
	assert_null(c->name);
	assert_null(c->tags);
	worker_change_free(c);
}

static void no_tags_are_not_the_same_as_none_given(void **state)
{
	struct worker_change *c = read_body("{\"tags\":[]}");

	(void)state;
	assert_non_null(c->tags);
	assert_int_equal(c->tags_len, 0);
	worker_change_free(c);
}

static void wrong_values_name_their_field(void **state)
{
	static const struct {
		const char *text, *field;
	} rows[] = {
		{"{\"name\":\"ab\"}",          "name: "                  },
		{"{\"name\":\"   ab   \"}",    "name: "                  },
		{"{\"name\":\"a\\tbc\"}",      "name: "                  },
		{"{\"name\":\"abc\\u007f\"}",  "name: "                  },
		{"{\"name\":[]}",              "name: "                  },
		{"{\"tags\":\"a\"}",           "tags: "                  },
		{"{\"tags\":[1]}",             "tags: [0]"               },
		{"{\"tags\":[\"a\",\"b c\"]}", "tags: [1]"               },
		{"{\"tags\":[\"a\",\"\"]}",    "tags: [1]"               },
		{"{\"tags\":[\"a\",\"a\"]}",   "tags: [1] is there twice"},
		{"{\"tags\":[\"a,b\"]}",       "tags: [0]"               },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct worker_change *c = read_body(rows[i].text);

		assert_int_equal(e.code, ERR_INVALID_REQUEST);
		assert_memory_equal(e.msg, rows[i].field, strlen(rows[i].field));
		worker_change_free(c);
	}
}

static void unknown_is_neither_yes_nor_no(void **state)
{
	static const struct {
		enum presence_state state;
		const char *json;
	} rows[] = {
		{PRESENCE_ONLINE,       "true" },
		{PRESENCE_OFFLINE,      "false"},
		{PRESENCE_RECONNECTING, "false"},
		{PRESENCE_UNKNOWN,      "null" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct presence p = {.state = rows[i].state};
		struct jwrite w;
		struct buf out;

		buf_init(&out, 100);
		jwrite_begin(&w, &out);
		worker_write_connected(&w, NULL, &p);
		assert_string_equal(out.data, rows[i].json);
		buf_fini(&out);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names_are_trimmed),
	cmocka_unit_test(length_is_counted_in_characters),
	cmocka_unit_test(what_is_absent_stays),
	cmocka_unit_test(no_tags_are_not_the_same_as_none_given),
	cmocka_unit_test(wrong_values_name_their_field),
	cmocka_unit_test(unknown_is_neither_yes_nor_no),
};

UNIT_MAIN(tests)
