// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Records: put, listed, and there again after a close or a crash. */
#include "tests/unit/test_plugin_store.h"

/* ---- get and put ---- */

static void what_is_put_is_seen_at_once_and_in_every_phase(void **state)
{
	(void)state;
	put("a", "1");
	assert_holds("a", "1"); /* waiting */
	store_flush(store, STORE_URGENT);
	assert_holds("a", "1"); /* on its way */
	put("a", "2");
	assert_holds("a", "2"); /* newer than what is on its way */
	wait_durable(store_lsn(store));
	assert_holds("a", "2"); /* in LMDB */
	put("a", "3");
	assert_holds("a", "3"); /* newer than LMDB's */
	assert_holds("b", NULL);
}

static void deleted_record_is_gone_at_once_and_in_every_phase(void **state)
{
	(void)state;
	put("a", "1");
	delete ("a");
	assert_holds("a", NULL);
	put("a", "2");
	sync_store();
	delete ("a");
	assert_holds("a", NULL);
	store_flush(store, STORE_URGENT);
	assert_holds("a", NULL);
	wait_durable(store_lsn(store));
	assert_holds("a", NULL);
	delete ("never");
	sync_store();
}

static void databases_do_not_mix(void **state)
{
	struct slice value;
	struct err e = {0};

	(void)state;
	put("a", "object");
	assert_false(store_get(store, STORE_REPORTED, "a", 1, &value));
	assert_int_equal(store_put(store, STORE_REPORTED, "a", 1, "state", 5, &e), ERR_OK);
	assert_holds("a", "object");
	sync_store();
	assert_holds("a", "object");
	assert_true(store_get(store, STORE_REPORTED, "a", 1, &value));
	assert_int_equal(value.len, 5);
}

static void durable_reaches_what_was_put_before_it_was_asked(void **state)
{
	uint64_t lsn;

	(void)state;
	put("a", "1");
	lsn = store_lsn(store);
	assert_true(store_durable(store) < lsn);
	store_flush(store, STORE_URGENT);
	put("b", "1");
	wait_durable(lsn);
	sync_store();
	assert_int_equal(store_durable(store), store_lsn(store));
}

/* Puts records of a MiB until one is refused; how many were taken. */
static int fill(enum store_db db)
{
	static char big[1024 * 1024];
	enum err_code code = ERR_OK;
	struct err e = {0};
	char key[16];
	int n = 0;

	for (; n < 100 && code == ERR_OK; n++) {
		snprintf(key, sizeof(key), "%d", n);
		code = store_put(store, db, key, strlen(key), big, sizeof(big), &e);
	}
	assert_int_equal(code, ERR_STORE_UNAVAILABLE);
	assert_false(store_get(store, db, key, strlen(key), &(struct slice){0}));
	return n - 1;
}

static void refuses_more_when_too_much_waits_the_least_important_first(void **state)
{
	struct err e = {0};

	(void)state;
	assert_in_range(fill(STORE_REPORTED), 30, 32);
	assert_in_range(fill(STORE_OBJECTS), 18, 20);
	assert_in_range(fill(STORE_DIRECTORY), 11, 13);
	/* What is no larger than what it replaces is taken all the same. */
	assert_int_equal(store_put(store, STORE_REPORTED, "0", 1, "small", 5, &e), ERR_OK);
	assert_int_equal(store_delete(store, STORE_OBJECTS, "0", 1, &e), ERR_OK);
	assert_holds("0", NULL);
}

/* ---- pages ---- */

struct seen {
	char text[8192];
	size_t n;
};

static void see(void *arg, const char *key, size_t key_len, struct slice value)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s%.*s=%.*s", len > 0 ? " " : "",
		 (int)key_len, key, (int)value.len, (const char *)value.data);
	seen->n++;
}

/* All pages of at most `limit`, in one string. */
static void assert_pages(size_t limit, const char *expected)
{
	char next[STORE_KEY_MAX + 1], after[STORE_KEY_MAX + 1] = "";
	struct seen seen = {0};
	size_t before;
	bool more = true;

	while (more) {
		before = seen.n;
		more = store_page(store, STORE_OBJECTS, after[0] != '\0' ? after : NULL, limit,
				  see, &seen, next);
		assert_in_range(seen.n - before, 0, limit);
		if (more)
			assert_true(strcmp(next, after) > 0);
		memcpy(after, next, sizeof(after));
	}
	assert_string_equal(seen.text, expected);
}

static void pages_merge_what_waits_with_what_is_stored(void **state)
{
	static const char *const all = "a=1 b=2 c=new d=4 f=6 fa=7";

	(void)state;
	put("b", "2");
	put("c", "old");
	put("e", "5");
	put("f", "6");
	sync_store();
	put("c", "new");
	delete ("e");
	store_flush(store, STORE_URGENT); /* these two are on their way, or there */
	put("a", "1");
	put("d", "4");
	put("fa", "7");
	put("g", "8");
	delete ("g");
	for (size_t limit = 1; limit <= 10; limit++)
		assert_pages(limit, all);
	sync_store();
	for (size_t limit = 1; limit <= 10; limit++)
		assert_pages(limit, all);
}

static void page_that_ends_with_the_last_record_has_no_next(void **state)
{
	char next[STORE_KEY_MAX + 1];
	struct seen seen = {0};

	(void)state;
	put("a", "1");
	sync_store();
	put("b", "2");
	assert_false(store_page(store, STORE_OBJECTS, NULL, 2, see, &seen, next));
	assert_string_equal(seen.text, "a=1 b=2");
	assert_false(store_page(store, STORE_OBJECTS, "b", 2, see, &seen, next));
	assert_int_equal(seen.n, 2);
}

static void count(void *arg, const char *key, size_t key_len, struct slice value)
{
	(void)key;
	(void)key_len;
	(void)value;
	++*(size_t *)arg;
}

static void thousands_that_wait_lose_none_on_their_pages(void **state)
{
	char key[16], next[STORE_KEY_MAX + 1], after[STORE_KEY_MAX + 1] = "";
	size_t seen = 0;
	bool more = true;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "%05d", (i * 7919) % 10000);
		put(key, "x");
		if (i == 2000)
			sync_store();
		if (i % 3 == 0)
			delete (key);
	}
	while (more) {
		more = store_page(store, STORE_OBJECTS, after[0] != '\0' ? after : NULL, 250,
				  count, &seen, next);
		memcpy(after, next, sizeof(after));
	}
	assert_int_equal(seen, 5000 - 1667);
}

static void long_run_of_deleted_records_ends_a_page(void **state)
{
	char key[16], next[STORE_KEY_MAX + 1], after[STORE_KEY_MAX + 1] = "";
	size_t seen = 0, pages = 1;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "%05d", i);
		put(key, "x");
	}
	sync_store();
	for (int i = 1; i < 4999; i++) {
		snprintf(key, sizeof(key), "%05d", i);
		delete (key);
	}
	while (store_page(store, STORE_OBJECTS, after[0] != '\0' ? after : NULL, 10, count,
			  &seen, next)) {
		assert_true(strcmp(next, after) > 0);
		memcpy(after, next, sizeof(after));
		pages++;
	}
	assert_int_equal(seen, 2);
	assert_in_range(pages, 3, 10);
}

/* ---- life and death ---- */

static void what_was_stored_is_there_after_a_close(void **state)
{
	(void)state;
	put("a", "1");
	put("b", "2");
	delete ("b");
	store_close(store);
	reopen(0);
	assert_holds("a", "1");
	assert_holds("b", NULL);
}

static void crash_after_a_flush_loses_nothing(void **state)
{
	uint64_t lsn;

	(void)state;
	put("gone", "1");
	sync_store();
	store_close(store);
	reopen(NEVER_MS);
	put("first", "1");
	store_flush(store, STORE_CALM); /* to the thread: the interval has not begun yet */
	put("a", "1");
	store_flush(store, STORE_CALM);
	put("a", "2");
	delete ("gone");
	store_flush(store, STORE_CALM);
	lsn = store_lsn(store);
	crash();
	assert_holds("first", "1");
	assert_holds("a", "2");
	assert_holds("gone", NULL);
	assert_true(store_lsn(store) >= lsn);
	assert_int_equal(store_durable(store), store_lsn(store));
}

static void crash_before_a_flush_loses_the_turn_alone(void **state)
{
	(void)state;
	put("a", "1");
	store_flush(store, STORE_CALM);
	put("a", "2");
	crash();
	assert_holds("a", "1");
}

static void second_crash_in_a_row_loses_nothing_either(void **state)
{
	(void)state;
	put("a", "1");
	store_flush(store, STORE_CALM);
	crash();
	put("b", "2");
	store_flush(store, STORE_CALM);
	crash();
	assert_holds("a", "1");
	assert_holds("b", "2");
}

static void numbers_go_on_after_a_crash(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		char value[16];

		snprintf(value, sizeof(value), "%d", i);
		put("a", value);
		store_flush(store, (enum store_pace)(i % 3));
		crash();
		assert_holds("a", value);
	}
}

static void stale_start_of_a_journal_does_not_undo_what_is_newer(void **state)
{
	char path[256], old[4096];
	ssize_t n;
	int fd;

	(void)state;
	store_close(store);
	reopen(NEVER_MS);
	put("x", "first");
	store_flush(store, STORE_CALM); /* into LMDB, with journal.0; journal.1 is next */
	sync_store();
	put("a", "old");
	store_flush(store, STORE_CALM);
	snprintf(path, sizeof(path), "%s/journal.1", dir);
	fd = open(path, O_RDONLY);
	n = read(fd, old, sizeof(old));
	close(fd);
	assert_true(n > 0);
	put("a", "new");
	store_flush(store, STORE_CALM);
	/* The record of "old" stands in the other file once more, behind the newer one. */
	snprintf(path, sizeof(path), "%s/journal.0", dir);
	fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, old, (size_t)n), n);
	close(fd);
	crash();
	assert_holds("a", "new");
}

static void second_open_of_a_directory_is_refused(void **state)
{
	struct err e = {0};

	(void)state;
	assert_null(store_open(dir, 64, 0, no_wake, &e));
	assert_int_equal(e.code, ERR_STORE_UNAVAILABLE);
	assert_non_null(strstr(e.msg, "in use"));
	put("a", "1");
	assert_holds("a", "1");
}

static void directory_that_cannot_be_made_is_named(void **state)
{
	struct err e = {0};

	(void)state;
	assert_null(store_open("/nonexistent/rollcall", 64, 0, no_wake, &e));
	assert_non_null(strstr(e.msg, "/nonexistent/rollcall"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_put_is_seen_at_once_and_in_every_phase),
		TEST(deleted_record_is_gone_at_once_and_in_every_phase),
		TEST(databases_do_not_mix),
		TEST(durable_reaches_what_was_put_before_it_was_asked),
		TEST(refuses_more_when_too_much_waits_the_least_important_first),
		TEST(pages_merge_what_waits_with_what_is_stored),
		TEST(page_that_ends_with_the_last_record_has_no_next),
		TEST(thousands_that_wait_lose_none_on_their_pages),
		TEST(long_run_of_deleted_records_ends_a_page),
		TEST(what_was_stored_is_there_after_a_close),
		TEST(crash_after_a_flush_loses_nothing),
		TEST(crash_before_a_flush_loses_the_turn_alone),
		TEST(second_crash_in_a_row_loses_nothing_either),
		TEST(numbers_go_on_after_a_crash),
		TEST(stale_start_of_a_journal_does_not_undo_what_is_newer),
		TEST(second_open_of_a_directory_is_refused),
		TEST(directory_that_cannot_be_made_is_named),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
