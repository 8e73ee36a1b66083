// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/frames.h"
#include "tests/unit/unit.h"

static struct worker_id worker(const char *text)
{
	struct worker_id id;

	assert_true(worker_id_parse(text, strlen(text), &id));
	return id;
}

static void expect(struct frames *f, const char *id, const char *want)
{
	struct worker_id found;
	const char *payload;
	size_t len;

	assert_true(frame_next(f, &found, &payload, &len));
	assert_string_equal(found.text, id);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(payload, want, len);
}

static void what_is_written_is_read_again(void **state)
{
	static const char *const payloads[] = {"{\"cpu\":1}", "", "two\nlines 7\n",
					       "wrk_b 3\nabc"};
	const struct worker_id a = worker("wrk_a"), b = worker("B-7_x");
	struct frames f;
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	for (size_t i = 0; i < ARRAY_LEN(payloads); i++)
		frame_write(&out, i % 2 == 0 ? &a : &b, payloads[i], strlen(payloads[i]));
	assert_false(out.failed);
	f = (struct frames){out.data, out.data + out.len};
	for (size_t i = 0; i < ARRAY_LEN(payloads); i++)
		expect(&f, i % 2 == 0 ? a.text : b.text, payloads[i]);
	assert_ptr_equal(f.at, f.end);
	buf_fini(&out);
}

static void a_frame_that_does_not_fit_leaves_the_others_whole(void **state)
{
	const struct worker_id a = worker("wrk_a");
	char big[300] = {0};
	struct frames f;
	struct buf out;

	(void)state;
	buf_init(&out, 256);
	frame_write(&out, &a, "x", 1);
	frame_write(&out, &a, big, sizeof(big));
	assert_true(out.failed);
	f = (struct frames){out.data, out.data + out.len};
	expect(&f, "wrk_a", "x");
	assert_ptr_equal(f.at, f.end);
	buf_fini(&out);
}

static void what_is_not_a_frame_is_noticed(void **state)
{
	static const char *const texts[] = {
		"wrk_a",
		"wrk_a 1",
		"wrk_a 1\n",
		"wrk_a 2\nx",
		" 1\nx",
		"wrk a 1\nx",
		"wrk_a \nx",
		"wrk_a 1 \nx",
		"wrk_a -1\nx",
		"wrk_a 0x1\nx",
		"wrk_a 9999999999\nx",
		"a+b 1\nx",
		"wrk_"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		" "
		"1\nx",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct frames f = {texts[i], texts[i] + strlen(texts[i])};
		struct worker_id id;
		const char *payload;
		size_t len;

		if (frame_next(&f, &id, &payload, &len))
			fail_msg("taken: %s", texts[i]);
		assert_ptr_equal(f.at, texts[i]);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_written_is_read_again),
	cmocka_unit_test(a_frame_that_does_not_fit_leaves_the_others_whole),
	cmocka_unit_test(what_is_not_a_frame_is_noticed),
};

UNIT_MAIN(tests)
