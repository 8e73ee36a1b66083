// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/unit/unit.h"

#include "plugin/codec.h"

static void numbers_come_back_as_they_were(void **state)
{
	static const int64_t values[] = {0,   1,         -1,        255,
					 256, INT64_MAX, INT64_MIN, 0x0102030405060708};
	struct buf out;
	struct dec d;

	(void)state;
	buf_init(&out, 1024);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		enc_i64(&out, values[i]);
	enc_u8(&out, 200);
	dec_begin(&d, out.data, out.len);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_int_equal(dec_i64(&d), values[i]);
	assert_int_equal(dec_u8(&d), 200);
	assert_false(d.failed);
	assert_ptr_equal(d.at, d.end);
	buf_fini(&out);
}

static void numbers_are_stored_little_endian(void **state)
{
	char bytes[8];

	(void)state;
	enc_i64_at(bytes, 0x0102030405060708);
	assert_memory_equal(bytes, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
}

static void strings_come_back_as_they_were(void **state)
{
	char text[8], empty[1];
	struct buf out;
	struct dec d;

	(void)state;
	buf_init(&out, 1024);
	enc_str(&out, "seven_7");
	enc_str(&out, "");
	dec_begin(&d, out.data, out.len);
	dec_str(&d, text, sizeof(text));
	dec_str(&d, empty, sizeof(empty));
	assert_false(d.failed);
	assert_string_equal(text, "seven_7");
	assert_string_equal(empty, "");
	buf_fini(&out);
}

static void string_that_does_not_fit_fails_and_is_empty(void **state)
{
	char text[7] = "before";
	struct buf out;
	struct dec d;

	(void)state;
	buf_init(&out, 1024);
	enc_str(&out, "seven_7");
	dec_begin(&d, out.data, out.len);
	dec_str(&d, text, sizeof(text));
	assert_true(d.failed);
	assert_string_equal(text, "");
	buf_fini(&out);
}

static void record_that_is_too_short_fails_at_any_length(void **state)
{
	struct buf out;
	char text[16];

	(void)state;
	buf_init(&out, 1024);
	enc_u8(&out, 1);
	enc_i64(&out, 2);
	enc_str(&out, "text");
	for (size_t len = 0; len <= out.len; len++) {
		struct dec d;

		dec_begin(&d, out.data, len);
		dec_u8(&d);
		dec_i64(&d);
		dec_str(&d, text, sizeof(text));
		assert_int_equal(d.failed, len < out.len);
		if (d.failed)
			assert_string_equal(text, "");
	}
	buf_fini(&out);
}

static void failure_is_sticky_and_reads_zero(void **state)
{
	struct dec d;

	(void)state;
	dec_begin(&d, "\x05\x06", 2);
	assert_int_equal(dec_i64(&d), 0);
	assert_true(d.failed);
	assert_int_equal(dec_u8(&d), 0);
}

static void string_beyond_sixteen_bits_of_length_is_refused(void **state)
{
	char *text = malloc(65537);
	struct buf out;

	(void)state;
	memset(text, 'x', 65536);
	text[65536] = '\0';
	buf_init(&out, 1 << 20);
	enc_str(&out, text);
	assert_true(out.failed);
	buf_fini(&out);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_come_back_as_they_were),
		cmocka_unit_test(numbers_are_stored_little_endian),
		cmocka_unit_test(strings_come_back_as_they_were),
		cmocka_unit_test(string_that_does_not_fit_fails_and_is_empty),
		cmocka_unit_test(record_that_is_too_short_fails_at_any_length),
		cmocka_unit_test(failure_is_sticky_and_reads_zero),
		cmocka_unit_test(string_beyond_sixteen_bits_of_length_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
