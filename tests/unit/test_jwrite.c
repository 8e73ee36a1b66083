// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/jwrite.h"
#include "tests/unit/unit.h"

#include <math.h>

static struct buf out;
static struct jwrite w;

static int begin(void **state)
{
	(void)state;
	buf_init(&out, 10000);
	jwrite_begin(&w, &out);
	return 0;
}

static int end(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static void commas_stand_between_values_alone(void **state)
{
	(void)state;
	jwrite_object(&w, NULL);
	jwrite_i64(&w, "a", -1);
	jwrite_array(&w, "b");
	jwrite_array_end(&w);
	jwrite_array(&w, "c");
	jwrite_bool(&w, NULL, true);
	jwrite_null(&w, NULL);
	jwrite_object(&w, NULL);
	jwrite_object_end(&w);
	jwrite_array_end(&w);
	jwrite_str(&w, "d", NULL);
	jwrite_object_end(&w);
	assert_string_equal(out.data, "{\"a\":-1,\"b\":[],\"c\":[true,null,{}],\"d\":null}");
}

static void strings_are_escaped(void **state)
{
	(void)state;
	jwrite_strn(&w, NULL, "\"\\\n\r\t\x01\0z", 8);
	assert_string_equal(out.data, "\"\\\"\\\\\\n\\r\\t\\u0001\\u0000z\"");
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
	(void)state;
	jwrite_str(&w, NULL,
		   "\xC3\xBC|\xFF|\xC0\x80|\xED\xA0\x80|\xE2\x82|\xF0\x9F\x98\x80|"
		   "\xF4\x90\x80\x80");
	assert_string_equal(out.data, "\"\xC3\xBC|\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBD|"
				      "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD|"
				      "\xEF\xBF\xBD\xEF\xBF\xBD|\xF0\x9F\x98\x80|"
				      "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void a_sequence_that_is_cut_off_is_no_character(void **state)
{
	(void)state;
	jwrite_strn(&w, NULL, "\xF0\x9F\x98\x80", 3);
	assert_string_equal(out.data, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void numbers_come_back_as_they_were(void **state)
{
	static const double numbers[] = {0.1,  1.0 / 3,       1e300, 5e-324,
					 -2.5, 123456789.125, 1e21,  4503599627370497.5};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		buf_reset(&out);
		jwrite_begin(&w, &out);
		jwrite_f64(&w, NULL, numbers[i]);
		assert_true(strtod(out.data, NULL) == numbers[i]);
	}
}

static void numbers_are_short_where_they_can_be(void **state)
{
	(void)state;
	jwrite_array(&w, NULL);
	jwrite_f64(&w, NULL, 0.1);
	jwrite_f64(&w, NULL, 0.08508399999999999);
	jwrite_f64(&w, NULL, 3);
	jwrite_f64(&w, NULL, -0.5);
	jwrite_f64(&w, NULL, NAN);
	jwrite_f64(&w, NULL, INFINITY);
	jwrite_i64(&w, NULL, INT64_MIN);
	jwrite_i64(&w, NULL, INT64_MAX);
	jwrite_array_end(&w);
	assert_string_equal(out.data, "[0.1,0.08508399999999999,3,-0.5,null,null,-"
				      "9223372036854775808,9223372036854775807]");
}

static void an_unknown_time_is_null(void **state)
{
	(void)state;
	jwrite_object(&w, NULL);
	jwrite_time(&w, "a", 0);
	jwrite_time(&w, "b", 1795442708542);
	jwrite_object_end(&w);
	assert_string_equal(out.data, "{\"a\":null,\"b\":\"2026-11-23T14:05:08.542Z\"}");
}

static void a_strangers_key_is_escaped(void **state)
{
	(void)state;
	jwrite_object(&w, NULL);
	jwrite_key(&w, "a\"b", 3);
	jwrite_i64(&w, NULL, 1);
	jwrite_key(&w, "c", 1);
	jwrite_raw(&w, NULL, "[2]", 3);
	jwrite_object_end(&w);
	assert_string_equal(out.data, "{\"a\\\"b\":1,\"c\":[2]}");
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
	T(commas_stand_between_values_alone),
	T(strings_are_escaped),
	T(bytes_that_are_not_utf8_are_replaced),
	T(a_sequence_that_is_cut_off_is_no_character),
	T(numbers_come_back_as_they_were),
	T(numbers_are_short_where_they_can_be),
	T(an_unknown_time_is_null),
	T(a_strangers_key_is_escaped),
};

UNIT_MAIN(tests)
