// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/expiry.h"

#include "tests/unit/unit.h"

#define MANY 500

/* The heap gives them back in order of time, whatever was set, moved and removed before. */
static void the_first_is_always_the_one_due_first(void **state)
{
	struct expiry x[MANY] = {0};
	struct expiry_heap h = {0};
	int64_t last = 0;
	size_t n = 0;

	(void)state;
	srand(7);
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < MANY; i++)
			assert_true(expiry_set(&h, &x[i], 1 + rand() % 1000));
	for (size_t i = 0; i < MANY; i += 3)
		expiry_remove(&h, &x[i]);
	for (struct expiry *first; (first = expiry_first(&h)) != NULL; n++) {
		assert_true(first->at_ms >= last);
		last = first->at_ms;
		expiry_remove(&h, first);
		assert_int_equal(first->slot, 0);
	}
	assert_int_equal(n, MANY - (MANY + 2) / 3);
	expiry_heap_fini(&h);
}

static void a_token_without_an_end_is_not_in_it(void **state)
{
	struct expiry x = {0};
	struct expiry_heap h = {0};

	(void)state;
	assert_true(expiry_set(&h, &x, 0));
	assert_null(expiry_first(&h));
	assert_true(expiry_set(&h, &x, 5));
	assert_ptr_equal(expiry_first(&h), &x);
	assert_true(expiry_set(&h, &x, 0));
	assert_null(expiry_first(&h));
	expiry_remove(&h, &x);
	expiry_heap_fini(&h);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_first_is_always_the_one_due_first),
	cmocka_unit_test(a_token_without_an_end_is_not_in_it),
};

UNIT_MAIN(tests)
