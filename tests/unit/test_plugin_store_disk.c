// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A disk that is full, and what may be missing after a crash. */
#include "tests/unit/test_plugin_store.h"

#include <signal.h>
#include <sys/resource.h>

/* ---- a full disk ---- */

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes == 0 ? limit.rlim_max : bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void flush_until(bool healthy)
{
	int64_t until = clock_mono_us() + 10000000;

	while (store_healthy(store) != healthy && clock_mono_us() < until) {
		store_collect(store);
		store_flush(store, STORE_URGENT);
	}
	assert_int_equal(store_healthy(store), healthy);
}

static void full_disk_keeps_changes_in_memory_and_stores_them_later(void **state)
{
	static char big[512 * 1024];
	struct store_status status;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	put("a", "1");
	sync_store();
	assert_true(store_healthy(store));
	limit_file_size(128 * 1024);
	put("a", "2");
	put("big", big);
	flush_until(false);
	store_status(store, &status);
	assert_int_equal(status.code, ERR_DISK_FULL);
	assert_true(status.since_ms > 0 && status.message[0] != '\0');
	assert_int_equal(status.pending, 2);
	assert_holds("a", "2");
	assert_true(store_durable(store) < store_lsn(store));
	limit_file_size(0);
	wait_durable(store_lsn(store));
	flush_until(true);
	store_status(store, &status);
	assert_int_equal(status.code, ERR_OK);
	assert_int_equal(status.since_ms, 0);
	store_close(store);
	reopen(0);
	assert_holds("a", "2");
}

static void journal_that_refused_is_tried_again_though_nothing_is_put(void **state)
{
	static char big[512 * 1024];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	store_close(store);
	reopen(NEVER_MS);
	put("first", "1");
	store_flush(store, STORE_CALM);
	limit_file_size(128 * 1024);
	put("big", big);
	store_flush(store, STORE_CALM);
	assert_false(store_healthy(store));
	/* All becomes durable, and the journal would still refuse. */
	limit_file_size(0);
	sync_store();
	flush_until(true);
}

static void storage_at_its_ceiling_says_so_and_goes_on_when_it_is_raised(void **state)
{
	static char big[8000];
	struct store_status status;
	struct err e = {0};
	char key[16];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	store_close(store);
	store = store_open(dir, 1, NEVER_MS, no_wake, &e);
	assert_non_null(store);
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "%04d", i);
		put(key, big);
		if (i % 50 == 0)
			store_flush(store, STORE_URGENT);
	}
	flush_until(false);
	store_status(store, &status);
	assert_int_equal(status.code, ERR_STORAGE_FULL);
	assert_non_null(strstr(status.message, "storage_size_mib"));
	assert_true(store_stuck(store));
	assert_holds("4999", big);
	/* The journal has it all: more than may wait in memory for one database. */
	crash();
	assert_true(store_healthy(store));
	for (int i = 0; i < 5000; i += 77) {
		snprintf(key, sizeof(key), "%04d", i);
		assert_holds(key, big);
	}
}

/* Whether LMDB alone has it, of what a process that dies now leaves behind. */
static bool lmdb_holds(const char *key)
{
	char copy[64];
	struct err e = {0};
	struct slice value;
	struct lmdb *l;
	bool found;

	copy_dir(dir, copy);
	l = lmdb_open(copy, 64u << 20, &e);
	assert_non_null(l);
	assert_int_equal(lmdb_lsn(l), 0);
	found = lmdb_get(l, STORE_OBJECTS, key, strlen(key), &value);
	lmdb_close(l);
	remove_dir(copy);
	return found;
}

static void crash_amid_the_parts_of_a_commit_loses_nothing(void **state)
{
	char value[1500], key[16];
	struct err e = {0};

	(void)state;
	store_close(store);
	store = store_open(dir, 1, NEVER_MS, no_wake, &e); /* has room for the first parts */
	assert_non_null(store);
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%04d", i);
		put(key, value);
	}
	flush_until(false);
	assert_true(lmdb_holds("0000"));
	assert_false(lmdb_holds("0999"));
	crash();
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%04d", i);
		assert_holds(key, value);
	}
}

static void put_all(const char *value)
{
	char key[16];

	for (int i = 0; i < 450; i++) {
		snprintf(key, sizeof(key), "%04d", i);
		put(key, value);
	}
}

/* Each of its pages would have to be there twice. */
static void what_has_no_room_in_one_transaction_is_recovered_in_parts(void **state)
{
	char value[1000], copy[64];
	struct err e = {0};

	(void)state;
	store_close(store);
	store = store_open(dir, 1, NEVER_MS, no_wake, &e);
	assert_non_null(store);
	memset(value, 'a', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	put_all(value);
	sync_store();
	memset(value, 'b', sizeof(value) - 1);
	put_all(value);
	store_flush(store, STORE_CALM);
	copy_dir(dir, copy);
	store_close(store);
	remove_dir(dir);
	memcpy(dir, copy, sizeof(copy));
	store = store_open(dir, 1, NEVER_MS, no_wake, &e);
	if (store == NULL)
		fail_msg("%s", e.msg);
	assert_holds("0000", value);
	assert_holds("0449", value);
}

/* ---- what may be missing ---- */

static void begin_store(void)
{
	struct err e = {0};

	assert_int_equal(store_begin(store, &e), ERR_OK);
}

static void crash_alone_lets_nothing_be_missing(void **state)
{
	(void)state;
	assert_false(store_may_lack(store));
	begin_store();
	put("a", "1");
	store_flush(store, STORE_CALM);
	crash();
	assert_false(store_may_lack(store));
	store_close(store);
	reopen(0);
	assert_false(store_may_lack(store));
}

static void crash_on_a_full_disk_may_have_lost_something(void **state)
{
	static char big[512 * 1024];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	begin_store();
	limit_file_size(128 * 1024);
	put("big", big);
	store_flush(store, STORE_CALM);
	limit_file_size(0);
	crash();
	assert_true(store_may_lack(store));
	/* Another crash, before anybody has drawn a conclusion. */
	crash();
	assert_true(store_may_lack(store));
	begin_store();
	crash();
	assert_false(store_may_lack(store));
}

static void full_disk_that_is_over_lets_nothing_be_missing(void **state)
{
	static char big[512 * 1024];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	begin_store();
	limit_file_size(128 * 1024);
	put("big", big);
	store_flush(store, STORE_CALM);
	limit_file_size(0);
	wait_durable(store_lsn(store));
	flush_until(true);
	crash();
	assert_holds("big", big);
	assert_false(store_may_lack(store));
}

static void machine_that_went_down_may_have_lost_something(void **state)
{
	static const char other[64] =
		"running 11111111-2222-3333-4444-555555555555                  \n";
	char path[256];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/state", dir);
	begin_store();
	fd = open(path, O_WRONLY);
	assert_int_equal(write(fd, other, sizeof(other)), sizeof(other));
	close(fd);
	crash();
	assert_true(store_may_lack(store));
	begin_store();
	store_close(store);
	reopen(0);
	assert_false(store_may_lack(store));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(full_disk_keeps_changes_in_memory_and_stores_them_later),
		TEST(journal_that_refused_is_tried_again_though_nothing_is_put),
		TEST(storage_at_its_ceiling_says_so_and_goes_on_when_it_is_raised),
		TEST(crash_amid_the_parts_of_a_commit_loses_nothing),
		TEST(what_has_no_room_in_one_transaction_is_recovered_in_parts),
		TEST(crash_alone_lets_nothing_be_missing),
		TEST(crash_on_a_full_disk_may_have_lost_something),
		TEST(full_disk_that_is_over_lets_nothing_be_missing),
		TEST(machine_that_went_down_may_have_lost_something),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
