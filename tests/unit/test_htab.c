// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/htab.h"
#include "tests/unit/unit.h"

struct item {
	uint64_t key;
};

/* Few different hashes, so that entries run into each other. */
static uint64_t bad_hash(const void *item)
{
	return ((const struct item *)item)->key % 7;
}

static bool match(const void *item, const void *key)
{
	return ((const struct item *)item)->key == *(const uint64_t *)key;
}

static struct item *find(const struct htab *t, uint64_t key)
{
	return htab_find(t, key % 7, match, &key);
}

static void an_empty_table_finds_nothing(void **state)
{
	struct htab t;
	size_t pos = 0;

	(void)state;
	htab_init(&t, bad_hash);
	assert_null(find(&t, 1));
	assert_null(htab_next(&t, &pos));
	htab_remove(&t, &t);
	htab_fini(&t);
}

static void what_was_added_is_found_until_removed(void **state)
{
	static struct item items[1000];
	struct htab t;

	(void)state;
	htab_init(&t, bad_hash);
	for (uint64_t i = 0; i < 1000; i++) {
		items[i].key = i;
		assert_true(htab_add(&t, &items[i]));
	}
	assert_int_equal(t.len, 1000);
	for (uint64_t i = 0; i < 1000; i += 3)
		htab_remove(&t, &items[i]);
	for (uint64_t i = 0; i < 1000; i++)
		assert_ptr_equal(find(&t, i), i % 3 == 0 ? NULL : &items[i]);
	htab_fini(&t);
}

/* Against a plain array, with thousands of random steps. */
static void it_agrees_with_a_list(void **state)
{
	static struct item items[64];
	bool in[64] = {false};
	struct htab t;

	(void)state;
	htab_init(&t, bad_hash);
	for (size_t i = 0; i < 64; i++)
		items[i].key = i * 31;
	for (int step = 0; step < 20000; step++) {
		size_t i = randombytes_uniform(64), pos = 0, count = 0, want = 0;

		if (in[i])
			htab_remove(&t, &items[i]);
		else
			assert_true(htab_add(&t, &items[i]));
		in[i] = !in[i];
		for (size_t k = 0; k < 64; k++) {
			assert_ptr_equal(find(&t, items[k].key), in[k] ? &items[k] : NULL);
			want += in[k];
		}
		while (htab_next(&t, &pos) != NULL)
			count++;
		assert_int_equal(count, want);
		assert_int_equal(t.len, want);
	}
	htab_fini(&t);
}

static void hashes_of_equal_keys_are_equal(void **state)
{
	(void)state;
	assert_true(htab_hash_str("abc") == htab_hash_bytes("abcd", 3));
	assert_true(htab_hash_str("abc") != htab_hash_str("abd"));
	assert_true(htab_hash_ptr(state) == htab_hash_ptr(state));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_empty_table_finds_nothing),
	cmocka_unit_test(what_was_added_is_found_until_removed),
	cmocka_unit_test(it_agrees_with_a_list),
	cmocka_unit_test(hashes_of_equal_keys_are_equal),
};

UNIT_MAIN(tests)
