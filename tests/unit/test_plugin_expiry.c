// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/unit/unit.h"

#include "plugin/expiry.h"

#define MANY 500

static struct expiry items[MANY];
static struct expiry_heap heap;

static int empty(void **state)
{
	(void)state;
	memset(items, 0, sizeof(items));
	return 0;
}

static int fini(void **state)
{
	(void)state;
	expiry_heap_fini(&heap);
	return 0;
}

static void set(size_t i, int64_t at_ms)
{
	assert_true(expiry_set(&heap, &items[i], at_ms));
}

/* Takes all out, earliest first; how many they were. */
static size_t drain(void)
{
	struct expiry *first;
	int64_t last = 0;
	size_t n = 0;

	for (; (first = expiry_first(&heap)) != NULL; n++) {
		assert_true(first->at_ms >= last);
		last = first->at_ms;
		expiry_remove(&heap, first);
		assert_int_equal(first->slot, 0);
	}
	return n;
}

static void first_is_who_expires_first(void **state)
{
	(void)state;
	assert_null(expiry_first(&heap));
	for (size_t i = 0; i < MANY; i++)
		set(i, (int64_t)(i * 7919 % 1009) + 1);
	assert_int_equal(drain(), MANY);
}

static void who_never_expires_is_not_kept(void **state)
{
	(void)state;
	set(0, 0);
	assert_null(expiry_first(&heap));
	set(0, 5);
	assert_ptr_equal(expiry_first(&heap), &items[0]);
	set(0, 0);
	assert_null(expiry_first(&heap));
}

static void a_time_that_changes_moves_its_item(void **state)
{
	(void)state;
	for (size_t i = 0; i < MANY; i++)
		set(i, 1000 + (int64_t)i);
	set(MANY - 1, 1);
	assert_ptr_equal(expiry_first(&heap), &items[MANY - 1]);
	set(MANY - 1, 9000);
	assert_ptr_equal(expiry_first(&heap), &items[0]);
	set(0, 5000);
	assert_ptr_equal(expiry_first(&heap), &items[1]);
	assert_int_equal(drain(), MANY);
}

static void items_leave_from_anywhere_and_only_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < MANY; i++)
		set(i, (int64_t)(i * 7919 % 1009) + 1);
	for (size_t i = 0; i < MANY; i += 3) {
		expiry_remove(&heap, &items[i]);
		expiry_remove(&heap, &items[i]);
	}
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(items[i].slot == 0, i % 3 == 0);
	assert_int_equal(drain(), MANY - (MANY + 2) / 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, empty, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_is_who_expires_first),
		TEST(who_never_expires_is_not_kept),
		TEST(a_time_that_changes_moves_its_item),
		TEST(items_leave_from_anywhere_and_only_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
