// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The set of waiting records, against a plain array that does the same. */
#include "tests/unit/unit.h"

#include "plugin/pending.h"

#define KEYS 400
#define STEPS 40000

static bool present[STORE_DB_COUNT][KEYS];

static struct pending_key key_of(enum store_db db, int n, char text[16])
{
	snprintf(text, 16, "%d", n); /* of different lengths: "1", "10", "100" */
	return pending_key(db, text, strlen(text));
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Walks the set from `after` on and compares with what must be there, in strcmp's order. */
static void assert_walk(const struct pending_set *set, enum store_db db, const char *after)
{
	static char expected[KEYS][16];
	const struct pending *p = pending_first(set, db, after);
	size_t n = 0;

	for (int i = 0; i < KEYS; i++) {
		snprintf(expected[n], sizeof(expected[n]), "%d", i);
		n += present[db][i] && (after == NULL || strcmp(expected[n], after) > 0);
	}
	qsort(expected, n, sizeof(expected[0]), compare_text);
	for (size_t i = 0; i < n; i++, p = p->behind) {
		assert_non_null(p);
		assert_int_equal(p->key_len, strlen(expected[i]));
		assert_memory_equal(p->bytes, expected[i], p->key_len);
	}
	assert_null(p);
}

static int depth_of(const struct pending *p)
{
	int left, right;

	if (p == NULL)
		return 0;
	left = depth_of(p->left);
	right = depth_of(p->right);
	return 1 + (left > right ? left : right);
}

static void change(struct pending_set *set, enum store_db db, int n)
{
	char text[16];
	struct pending_key k = key_of(db, n, text);
	struct pending *p = pending_find(set, &k);

	assert_int_equal(p != NULL, present[db][n]);
	if (p != NULL) {
		pending_remove(set, p);
		pending_free(set, p);
	} else {
		p = pending_new(set, &k, "value", 5, false);
		assert_non_null(p);
		assert_true(pending_add(set, p));
	}
	present[db][n] = !present[db][n];
}

static void set_does_what_a_sorted_array_does(void **state)
{
	struct pending_set set;
	char after[16];

	(void)state;
	memset(present, 0, sizeof(present));
	pending_init(&set);
	srand(7);
	for (int step = 0; step < STEPS; step++) {
		enum store_db db = (enum store_db)(rand() % 2);

		change(&set, db, rand() % KEYS);
		if (step % 500 == 0) {
			snprintf(after, sizeof(after), "%d", rand() % KEYS);
			assert_walk(&set, db, NULL);
			assert_walk(&set, db, after);
		}
	}
	pending_fini(&set);
}

static void order_of_arrival_does_not_unbalance_it(void **state)
{
	struct pending_set set;
	char text[16];

	(void)state;
	pending_init(&set);
	for (int i = 0; i < 20000; i++) {
		struct pending_key k;
		struct pending *p;

		snprintf(text, sizeof(text), "%06d", i);
		k = pending_key(STORE_OBJECTS, text, strlen(text));
		p = pending_new(&set, &k, NULL, 0, true);
		assert_true(p != NULL && pending_add(&set, p));
	}
	assert_in_range(depth_of(set.root[STORE_OBJECTS]), 15, 60);
	pending_fini(&set);
}

static void memory_is_counted(void **state)
{
	struct pending_key k = pending_key(STORE_META, "a", 1);
	struct pending_set set;
	struct pending *p;

	(void)state;
	pending_init(&set);
	assert_int_equal(set.bytes, 0);
	p = pending_new(&set, &k, "12345", 5, false);
	assert_true(pending_add(&set, p));
	assert_true(set.bytes > 6);
	pending_remove(&set, p);
	assert_int_equal(set.bytes, 0);
	pending_free(&set, p);
	pending_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_does_what_a_sorted_array_does),
		cmocka_unit_test(order_of_arrival_does_not_unbalance_it),
		cmocka_unit_test(memory_is_counted),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
