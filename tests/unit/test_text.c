// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/text.h"
#include "protocol/util.h"
#include "tests/unit/unit.h"

static void numbers_are_written_as_printf_would(void **state)
{
	static const int64_t numbers[] = {
		0, 1, -1, 9, 10, -10, 123456789, 1795450000123, INT64_MAX, INT64_MIN};
	char text[TEXT_I64_SIZE], expected[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		snprintf(expected, sizeof(expected), "%lld", (long long)numbers[i]);
		assert_int_equal(text_i64(numbers[i], text), strlen(expected));
		assert_string_equal(text, expected);
	}
}

static void copies_end_where_the_room_does(void **state)
{
	char out[4];

	(void)state;
	text_copy(out, sizeof(out), "");
	assert_string_equal(out, "");
	text_copy(out, sizeof(out), "abc");
	assert_string_equal(out, "abc");
	text_copy(out, sizeof(out), "abcdef");
	assert_string_equal(out, "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_written_as_printf_would),
		cmocka_unit_test(copies_end_where_the_room_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
