// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Items of all sizes in memory of their own. */
#include "tests/unit/unit.h"

#include "plugin/region.h"

#define ITEMS 500
#define STEPS 50000
#define LARGEST 3000 /* small ones and large ones */

struct held {
	unsigned char *at;
	size_t size;
	unsigned char fill;
};

static struct region region;
static struct held items[ITEMS];

static int open_region(void **state)
{
	(void)state;
	region_init(&region);
	memset(items, 0, sizeof(items));
	srand(11);
	return 0;
}

static int close_region(void **state)
{
	(void)state;
	region_fini(&region);
	assert_int_equal(region.mapped_bytes, 0);
	return 0;
}

static void take(struct held *h)
{
	h->size = (size_t)(rand() % LARGEST);
	h->fill = (unsigned char)rand();
	h->at = region_alloc(&region, h->size);
	assert_non_null(h->at);
	assert_int_equal((uintptr_t)h->at % _Alignof(max_align_t), 0);
	memset(h->at, h->fill, h->size);
}

static void assert_untouched(const struct held *h)
{
	for (size_t i = 0; i < h->size; i++)
		assert_int_equal(h->at[i], h->fill);
}

static void give(struct held *h)
{
	assert_untouched(h);
	region_free(&region, h->at, h->size);
	h->at = NULL;
}

static void items_do_not_touch_each_other(void **state)
{
	(void)state;
	for (int step = 0; step < STEPS; step++) {
		struct held *h = &items[rand() % ITEMS];

		if (h->at == NULL)
			take(h);
		else
			give(h);
	}
	for (int i = 0; i < ITEMS; i++)
		if (items[i].at != NULL)
			assert_untouched(&items[i]);
}

static void what_is_freed_is_used_again(void **state)
{
	size_t mapped;
	void *item;

	(void)state;
	item = region_alloc(&region, 200);
	mapped = region.mapped_bytes;
	for (int i = 0; i < STEPS; i++) {
		region_free(&region, item, 200);
		item = region_alloc(&region, 200);
		assert_non_null(item);
	}
	assert_int_equal(region.mapped_bytes, mapped);
}

static void a_reset_gives_back_what_a_storm_took(void **state)
{
	size_t quiet;

	(void)state;
	assert_non_null(region_alloc(&region, 100));
	quiet = region.mapped_bytes;
	region_reset(&region);
	assert_int_equal(region.mapped_bytes, quiet); /* kept for the next */
	for (int i = 0; i < 10000; i++)
		assert_non_null(region_alloc(&region, 100));
	assert_non_null(region_alloc(&region, 100000));
	region_reset(&region);
	assert_true(region.mapped_bytes <= quiet);
	take(&items[0]);
	assert_untouched(&items[0]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_region, close_region)
	const struct CMUnitTest tests[] = {
		TEST(items_do_not_touch_each_other),
		TEST(what_is_freed_is_used_again),
		TEST(a_reset_gives_back_what_a_storm_took),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
