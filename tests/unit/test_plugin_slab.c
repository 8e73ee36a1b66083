// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Items by number, the table that finds them, and what they took. */
#include "tests/unit/unit.h"

#include "plugin/histogram.h"
#include "plugin/numtab.h"
#include "plugin/slab.h"
#include "plugin/swap.h"

#include "tests/unit/test_plugin_dir.h"

#define MANY 10000

struct item {
	uint64_t key, copy;
	char rest[48];
};

static struct slab slab;
static uint32_t numbers[MANY];

static struct item *item_of(uint32_t number)
{
	return slab_at(&slab, number);
}

static int open_slab(void **state)
{
	(void)state;
	slab_init(&slab, sizeof(struct item));
	return 0;
}

static int close_slab(void **state)
{
	(void)state;
	slab_fini(&slab);
	assert_int_equal(slab.mapped_bytes, 0);
	return 0;
}

static void fill(size_t from, size_t to)
{
	static const struct item zero;

	for (size_t i = from; i < to; i++) {
		numbers[i] = slab_new(&slab);
		assert_int_not_equal(numbers[i], 0);
		assert_memory_equal(item_of(numbers[i]), &zero, sizeof(zero));
		item_of(numbers[i])->key = i;
		item_of(numbers[i])->copy = ~i;
		memset(item_of(numbers[i])->rest, 0xff, sizeof(zero.rest));
	}
}

static void check(size_t i)
{
	assert_int_equal(item_of(numbers[i])->key, i);
	assert_int_equal(item_of(numbers[i])->copy, ~(uint64_t)i);
}

static void items_keep_what_is_in_them(void **state)
{
	(void)state;
	fill(0, MANY);
	assert_int_equal(slab.used, MANY);
	for (size_t i = 0; i < MANY; i++)
		check(i);
	for (size_t i = 0; i < MANY; i += 2)
		slab_free(&slab, numbers[i]);
	for (size_t i = 1; i < MANY; i += 2)
		check(i);
	assert_int_equal(slab.used, MANY / 2);
}

static void freed_places_are_used_again_from_below(void **state)
{
	size_t before;

	(void)state;
	fill(0, MANY);
	before = slab.mapped_bytes;
	for (size_t i = 0; i < MANY; i += 2)
		slab_free(&slab, numbers[i]);
	fill(0, MANY / 2); /* their numbers are lost; it is the space that counts */
	assert_int_equal(slab.used, MANY);
	assert_int_equal(slab.mapped_bytes, before);
	for (size_t i = 0; i < MANY / 2; i++)
		assert_true(numbers[i] <= MANY);
}

static void what_is_empty_goes_back_to_the_system(void **state)
{
	size_t full;

	(void)state;
	fill(0, MANY);
	full = slab.mapped_bytes;
	assert_true(full >= MANY * sizeof(struct item));
	assert_true(full < MANY * sizeof(struct item) + 32768);
	for (size_t i = 0; i < MANY; i++)
		slab_free(&slab, numbers[i]);
	assert_int_equal(slab.used, 0);
	assert_int_equal(slab.mapped_bytes, 32768); /* one chunk, for the next item */
	fill(0, 1);
	assert_int_equal(slab.mapped_bytes, 32768);
	fill(1, MANY);
	assert_int_equal(slab.mapped_bytes, full);
}

/* ---- the table ---- */

/* Few different hashes, so that entries run into each other. */
static uint32_t bad_hash(const void *owner, uint32_t number)
{
	assert_ptr_equal(owner, &slab);
	return number % 7;
}

static bool match(const void *owner, uint32_t number, const void *key)
{
	(void)owner;
	return number == *(const uint32_t *)key;
}

static uint32_t find(const struct numtab *t, uint32_t number)
{
	return numtab_find(t, number % 7, match, &number);
}

static void an_empty_table_finds_nothing(void **state)
{
	struct numtab t;
	uint32_t pos = 0;

	(void)state;
	numtab_init(&t, &slab, bad_hash);
	assert_int_equal(find(&t, 1), 0);
	assert_int_equal(numtab_next(&t, &pos), 0);
	numtab_remove(&t, 1);
	numtab_fini(&t);
}

/* Against a plain array, with thousands of random steps. */
static void a_table_agrees_with_a_list(void **state)
{
	static bool in[128];
	struct numtab t;
	uint32_t len = 0, seen = 0;

	(void)state;
	numtab_init(&t, &slab, bad_hash);
	for (uint64_t i = 0, dice = 88172645463325252u; i < 20000; i++) {
		uint32_t n;

		dice ^= dice << 13;
		dice ^= dice >> 7;
		dice ^= dice << 17;
		n = (uint32_t)(dice >> 40) % (i < 15000 ? 127 : 3) + 1;
		if (in[n])
			numtab_remove(&t, n);
		else
			assert_true(numtab_add(&t, n));
		len += in[n] ? UINT32_MAX : 1;
		in[n] = !in[n];
		assert_int_equal(t.len, len);
		for (n = 1; n < 128; n++)
			assert_int_equal(find(&t, n), in[n] ? n : 0);
	}
	for (uint32_t pos = 0, n; (n = numtab_next(&t, &pos)) != 0; seen++)
		assert_true(in[n]);
	assert_int_equal(seen, len);
	numtab_fini(&t);
}

static uint32_t good_hash(const void *owner, uint32_t number)
{
	(void)owner;
	return number * 2654435761u;
}

static void a_table_shrinks_with_what_is_in_it(void **state)
{
	struct numtab t;

	(void)state;
	numtab_init(&t, &slab, good_hash);
	for (uint32_t n = 1; n <= MANY; n++)
		assert_true(numtab_add(&t, n));
	assert_true(t.cap <= 2 * MANY);
	for (uint32_t n = 1; n <= MANY - 10; n++)
		numtab_remove(&t, n);
	assert_true(t.cap <= 128);
	for (uint32_t n = MANY - 9; n <= MANY; n++)
		assert_int_equal(numtab_find(&t, good_hash(NULL, n), match, &n), n);
	numtab_fini(&t);
}

/* ---- the file ---- */

static void each_number_has_its_place_in_the_file(void **state)
{
	char dir[64], a[100], b[100], read_a[100], read_b[100];
	struct iovec out[] = {
		{a, sizeof(a)},
                {b, sizeof(b)}
        };
	struct iovec in[] = {
		{read_a, sizeof(read_a)},
                {read_b, sizeof(read_b)}
        };
	struct err e = {0};
	struct swap swap;

	(void)state;
	make_dir(dir);
	assert_int_equal(swap_open(&swap, dir, 256, &e), ERR_OK);
	for (uint32_t n = 100; n > 0; n--) {
		memset(a, (int)n, sizeof(a));
		memset(b, (int)n + 100, sizeof(b));
		assert_true(swap_write(&swap, n, out, 2));
	}
	for (uint32_t n = 1; n <= 100; n++) {
		memset(a, (int)n, sizeof(a));
		memset(b, (int)n + 100, sizeof(b));
		assert_true(swap_read(&swap, n, in, 2));
		assert_memory_equal(read_a, a, sizeof(a));
		assert_memory_equal(read_b, b, sizeof(b));
	}
	assert_false(swap_read(&swap, 101, in, 2)); /* never written */
	swap_close(&swap);
	assert_int_equal(swap_open(&swap, dir, 256, &e), ERR_OK);
	assert_false(swap_read(&swap, 1, in, 2)); /* of another life */
	swap_close(&swap);
	remove_dir(dir);
	assert_int_equal(swap_open(&swap, dir, 256, &e), ERR_STORE_UNAVAILABLE);
}

/* ---- times ---- */

static void quantiles_are_close_and_never_too_low(void **state)
{
	static struct histogram h;

	(void)state;
	assert_int_equal(histogram_quantile(&h, 0.5), 0);
	for (int64_t ns = 1; ns <= 100000; ns++)
		histogram_add(&h, ns);
	for (int i = 1; i < 100; i++) {
		int64_t q = histogram_quantile(&h, i / 100.0);

		assert_true(q >= i * 1000 && q <= i * 1000 * 9 / 8 + 1);
	}
	assert_int_equal(histogram_quantile(&h, 1), 100000);
	histogram_add(&h, INT64_MAX);
	histogram_add(&h, -5);
	assert_int_equal(h.count, 100002);
	assert_true(h.max_ns == INT64_MAX);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, open_slab, close_slab)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(items_keep_what_is_in_them),
		TEST(freed_places_are_used_again_from_below),
		TEST(what_is_empty_goes_back_to_the_system),
		TEST(an_empty_table_finds_nothing),
		TEST(a_table_agrees_with_a_list),
		TEST(a_table_shrinks_with_what_is_in_it),
		TEST(each_number_has_its_place_in_the_file),
		TEST(quantiles_are_close_and_never_too_low),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
