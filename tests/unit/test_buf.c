// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/buf.h"
#include "tests/unit/unit.h"

static void holds_what_was_added(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	buf_add_str(&b, "one");
	buf_add_char(&b, ' ');
	buf_printf(&b, "%d", 2);
	buf_add(&b, " three!", 6);
	assert_string_equal(b.data, "one 2 three");
	assert_int_equal(b.len, 11);
	buf_fini(&b);
}

static void grows_up_to_its_ceiling_and_no_further(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (int i = 0; i < 1000; i++)
		buf_add_char(&b, 'x');
	assert_false(b.failed);
	buf_add_char(&b, 'x');
	assert_true(b.failed);
	assert_int_equal(b.len, 1000);
	buf_fini(&b);
}

static void failure_sticks_until_reset(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_add_str(&b, "12345");
	buf_add_str(&b, "1");
	assert_true(b.failed);
	assert_null(buf_take(&b, NULL));
	buf_reset(&b);
	buf_add_str(&b, "1");
	assert_string_equal(b.data, "1");
	buf_fini(&b);
}

static void a_length_that_overflows_is_refused(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX - 1);
	buf_add_char(&b, 'x');
	assert_null(buf_reserve(&b, SIZE_MAX - 1));
	assert_true(b.failed);
	buf_fini(&b);
}

static void taken_bytes_are_the_callers(void **state)
{
	struct buf b;
	size_t len;
	char *data;

	(void)state;
	buf_init(&b, 100);
	buf_add_str(&b, "mine");
	data = buf_take(&b, &len);
	assert_string_equal(data, "mine");
	assert_int_equal(len, 4);
	assert_null(b.data);
	free(data);
	buf_fini(&b);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(holds_what_was_added),
	cmocka_unit_test(grows_up_to_its_ceiling_and_no_further),
	cmocka_unit_test(failure_sticks_until_reset),
	cmocka_unit_test(a_length_that_overflows_is_refused),
	cmocka_unit_test(taken_bytes_are_the_callers),
};

UNIT_MAIN(tests)
