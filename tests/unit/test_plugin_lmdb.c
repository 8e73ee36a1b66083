// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Commits of any size: whole, and without keeping memory of theirs. */
#include "tests/unit/test_plugin_dir.h"

#include "plugin/pending.h"
#include "plugin/store_lmdb.h"

#include <malloc.h>

#define MANY 10000
#define KEPT_MAX (1024 * 1024)

static char dir[64];
static struct lmdb *lmdb;
static struct pending_set set;

static int open_lmdb(void **state)
{
	struct err e = {0};

	(void)state;
	make_dir(dir);
	lmdb = lmdb_open(dir, 256u << 20, &e);
	assert_non_null(lmdb);
	pending_init(&set);
	return 0;
}

static int close_lmdb(void **state)
{
	(void)state;
	pending_fini(&set);
	lmdb_close(lmdb);
	remove_dir(dir);
	return 0;
}

static size_t key_of(uint32_t i, char key[32])
{
	/* In no order. */
	return (size_t)snprintf(key, 32, "wrk_%08x%08x", i * 2654435761u, i);
}

static void put(uint32_t i, uint64_t lsn, const char *value)
{
	char key[32];
	struct pending_key k = pending_key(STORE_OBJECTS, key, key_of(i, key));
	struct pending *p = pending_new(&set, &k, value, strlen(value), value[0] == '\0');

	assert_non_null(p);
	p->lsn = lsn;
	assert_true(pending_add(&set, p));
}

static void commit(uint64_t lsn, bool in_parts)
{
	struct err e = {0};

	if (lmdb_commit(lmdb, &set, lsn, in_parts, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	lmdb_end_read(lmdb);
	assert_int_equal(lmdb_lsn(lmdb), lsn);
	pending_clear(&set);
}

static void assert_stored(uint32_t i, const char *value)
{
	struct slice found;
	char key[32];
	size_t len = key_of(i, key);

	assert_int_equal(lmdb_get(lmdb, STORE_OBJECTS, key, len, &found), value != NULL);
	if (value == NULL)
		return;
	assert_int_equal(found.len, strlen(value));
	assert_memory_equal(found.data, value, found.len);
}

static void commits_of_any_size_are_whole(void **state)
{
	static const uint32_t sizes[] = {0, 1, 127, 128, 129, 256, 1000};
	uint64_t lsn = 0;

	(void)state;
	for (size_t n = 0; n < 2 * ARRAY_LEN(sizes); n++) {
		uint32_t size = sizes[n / 2];
		bool in_parts = n % 2 == 0;

		for (uint32_t i = 0; i < size; i++)
			put(i, ++lsn, "first");
		commit(lsn, in_parts);
		for (uint32_t i = 0; i < size; i += 2)
			put(i, ++lsn, i % 4 == 0 ? "" : "second");
		commit(lsn, in_parts);
		for (uint32_t i = 0; i < size; i++)
			assert_stored(i, i % 2 == 1 ? "first" : i % 4 == 0 ? NULL : "second");
	}
}

static void a_large_commit_keeps_no_memory(void **state)
{
	static const char value[] = "0123456789012345678901234567890123456789012345678901234567"
				    "8901234567890123456789012345678901234567890123456789";
	size_t before;

	(void)state;
	put(MANY, 1, value);
	commit(1, true);
	before = mallinfo2().uordblks;
	for (uint64_t lsn = 1; lsn <= 2; lsn++) {
		for (uint32_t i = 0; i < MANY; i++)
			put(i, lsn * MANY + i, value + lsn);
		commit((lsn + 1) * MANY, true);
	}
	assert_stored(MANY - 1, value + 2);
	assert_true(lmdb_used(lmdb) > 3 * KEPT_MAX);
	pending_fini(&set);
	pending_init(&set);
	assert_true(mallinfo2().uordblks < before + KEPT_MAX);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, open_lmdb, close_lmdb)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(commits_of_any_size_are_whole),
		TEST(a_large_commit_keeps_no_memory),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
