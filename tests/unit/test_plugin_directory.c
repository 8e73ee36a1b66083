// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/unit/test_plugin_dir.h"

#include "plugin/directory.h"
#include "protocol/log.h"

static char dir[64];
static struct store *store;
static struct directory directory;

static void quiet(enum log_level level, const char *subsystem, const char *text)
{
	(void)level;
	(void)subsystem;
	(void)text;
}

static void no_wake(void)
{
}

static void reopen(void)
{
	struct err e = {0};

	store = store_open(dir, 64, 0, no_wake, &e);
	assert_non_null(store);
	directory_open(&directory, store);
}

static int open_directory(void **state)
{
	struct err e = {0};

	(void)state;
	log_set_sink(quiet);
	make_dir(dir);
	reopen();
	return directory_set_epoch(&directory, "E1", &e) == ERR_OK ? 0 : -1;
}

static int close_directory(void **state)
{
	(void)state;
	store_close(store);
	remove_dir(dir);
	return 0;
}

static struct worker_id id_of(const char *text)
{
	struct worker_id id;

	assert_true(worker_id_parse(text, strlen(text), &id));
	return id;
}

static struct dir_entry entry_of(const char *id, const char *epoch, int64_t n,
				 const char *token)
{
	struct dir_entry entry = {.id = id_of(id), .revision = {.n = n}};

	snprintf(entry.revision.epoch, sizeof(entry.revision.epoch), "%s", epoch);
	if (token == NULL) {
		entry.status = DIR_DELETED;
	} else {
		entry.tokens_len = 1;
		token_hash(token, strlen(token), &entry.tokens[0].hash);
	}
	return entry;
}

/* token NULL: a deletion. */
static enum dir_change apply(const char *id, const char *epoch, int64_t n, const char *token)
{
	struct dir_entry entry = entry_of(id, epoch, n, token), before;
	enum dir_change change;
	struct err e = {0};

	assert_int_equal(directory_apply(&directory, &entry, &before, &change, &e), ERR_OK);
	return change;
}

static int64_t n_of(const char *id)
{
	struct worker_id worker_id = id_of(id);
	struct dir_entry entry;

	return directory_get(&directory, &worker_id, &entry) ? entry.revision.n : -1;
}

static bool is_deleted(const char *id)
{
	struct worker_id worker_id = id_of(id);
	struct dir_entry entry;

	assert_true(directory_get(&directory, &worker_id, &entry));
	return entry.status == DIR_DELETED;
}

static bool belongs_to_other(const char *token, const char *id)
{
	struct worker_id worker_id = id_of(id);
	struct token_hash hash;

	token_hash(token, strlen(token), &hash);
	return directory_token_of_other(&directory, &hash, &worker_id);
}

static void entry_comes_back_as_it_was_put(void **state)
{
	struct dir_entry entry = entry_of("wrk_a", "E1", 7, "t1"), before, after;
	enum dir_change change;
	struct err e = {0};

	(void)state;
	entry.status = DIR_UPDATE_REQUIRED;
	entry.tokens_len = 3;
	for (int i = 0; i < 3; i++) {
		memset(entry.tokens[i].hash.bytes, i + 1, TOKEN_HASH_BYTES);
		entry.tokens[i].expires_ms = 1000 + i;
		entry.tokens[i].role = (enum token_role)i;
	}
	assert_int_equal(directory_apply(&directory, &entry, &before, &change, &e), ERR_OK);
	assert_int_equal(before.status, DIR_DELETED);
	store_close(store);
	reopen();
	assert_true(directory_get(&directory, &entry.id, &after));
	assert_int_equal(after.status, DIR_UPDATE_REQUIRED);
	assert_int_equal(after.revision.n, 7);
	assert_string_equal(after.revision.epoch, "E1");
	assert_int_equal(after.tokens_len, 3);
	for (int i = 0; i < 3; i++) {
		assert_memory_equal(&after.tokens[i].hash, &entry.tokens[i].hash,
				    TOKEN_HASH_BYTES);
		assert_int_equal(after.tokens[i].expires_ms, 1000 + i);
		assert_int_equal(after.tokens[i].role, i);
	}
	assert_string_equal(directory.epoch, "E1");
	assert_int_equal(directory.max_n, 7);
	assert_int_equal(directory.live, 1);
}

static void greater_n_wins_equal_changes_nothing_smaller_is_stale(void **state)
{
	(void)state;
	assert_int_equal(apply("wrk_a", "E1", 5, "t1"), DIR_APPLIED);
	assert_int_equal(apply("wrk_a", "E1", 4, "t2"), DIR_STALE);
	assert_int_equal(apply("wrk_a", "E1", 5, "t2"), DIR_UNCHANGED);
	assert_int_equal(n_of("wrk_a"), 5);
	assert_int_equal(apply("wrk_a", "E1", 6, "t2"), DIR_APPLIED);
	assert_int_equal(n_of("wrk_a"), 6);
}

static void tombstone_keeps_an_older_put_away(void **state)
{
	(void)state;
	apply("wrk_a", "E1", 5, "t1");
	assert_int_equal(directory.live, 1);
	assert_int_equal(apply("wrk_a", "E1", 6, NULL), DIR_APPLIED);
	assert_int_equal(directory.live, 0);
	assert_int_equal(apply("wrk_a", "E1", 5, "t1"), DIR_STALE);
	assert_true(is_deleted("wrk_a"));
	assert_true(directory_owns(&directory, "wrk_a"));
	assert_int_equal(apply("wrk_a", "E1", 7, "t1"), DIR_APPLIED);
	assert_int_equal(directory.live, 1);
}

static void tombstone_of_an_unknown_worker_is_kept_too(void **state)
{
	(void)state;
	assert_int_equal(apply("imported", "E1", 6, NULL), DIR_APPLIED);
	assert_int_equal(directory.live, 0);
	assert_int_equal(apply("imported", "E1", 5, "t1"), DIR_STALE);
	assert_true(directory_owns(&directory, "imported"));
}

static void other_epoch_is_refused_unless_its_synchronisation_is_open(void **state)
{
	struct dir_entry entry = entry_of("wrk_a", "E2", 1, "t1"), before;
	enum dir_change change;
	struct err e = {0};

	(void)state;
	apply("wrk_a", "E1", 100, "t1");
	assert_int_equal(directory_apply(&directory, &entry, &before, &change, &e),
			 ERR_EPOCH_MISMATCH);
	assert_int_equal(n_of("wrk_a"), 100);
	snprintf(directory.sync_epoch, sizeof(directory.sync_epoch), "E2");
	assert_int_equal(apply("wrk_a", "E2", 1, "t1"), DIR_APPLIED);
	assert_int_equal(n_of("wrk_a"), 1);
	/* the old database's bridge is still talking */
	assert_int_equal(apply("wrk_a", "E1", 101, "t1"), DIR_STALE);
	assert_int_equal(apply("wrk_b", "E1", 102, "t2"), DIR_APPLIED);
	assert_int_equal(apply("wrk_b", "E2", 2, "t2"), DIR_APPLIED);
}

static void drop_takes_what_is_as_old_as_the_tombstone_or_of_another_epoch(void **state)
{
	static const struct {
		const char *epoch;
		int64_t n;
		bool dropped;
	} rows[] = {
		{"E1", 4,  true },
		{"E1", 5,  true },
		{"E1", 6,  false},
		{"E2", 99, true },
	};
	struct dir_entry tombstone = entry_of("wrk_a", "E1", 5, NULL), before;
	struct err e = {0};
	bool dropped;

	(void)state;
	snprintf(directory.sync_epoch, sizeof(directory.sync_epoch), "E2");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char id[16];

		snprintf(id, sizeof(id), "wrk_%zu", i);
		apply(id, rows[i].epoch, rows[i].n, "t1");
		tombstone.id = id_of(id);
		assert_int_equal(directory_drop(&directory, &tombstone, &before, &dropped, &e),
				 ERR_OK);
		assert_int_equal(dropped, rows[i].dropped);
		assert_int_equal(is_deleted(id), rows[i].dropped);
		assert_int_equal(directory_drop(&directory, &tombstone, &before, &dropped, &e),
				 ERR_OK);
		assert_false(dropped);
	}
	assert_int_equal(directory.live, 1);
}

static void tokens_are_found_by_their_owner_until_they_are_replaced(void **state)
{
	(void)state;
	apply("wrk_a", "E1", 1, "ta");
	apply("wrk_b", "E1", 2, "tb");
	assert_true(belongs_to_other("tb", "wrk_a"));
	assert_false(belongs_to_other("ta", "wrk_a"));
	assert_false(belongs_to_other("tc", "wrk_a"));
	apply("wrk_b", "E1", 3, "tc");
	assert_false(belongs_to_other("tb", "wrk_a"));
	assert_true(belongs_to_other("tc", "wrk_a"));
	apply("wrk_b", "E1", 4, NULL);
	assert_false(belongs_to_other("tc", "wrk_a"));
}

static void user_names_are_owned_by_prefix_or_entry(void **state)
{
	char name[80];

	(void)state;
	apply("imported", "E1", 1, "t");
	assert_true(directory_owns(&directory, "imported"));
	assert_true(directory_owns(&directory, "wrk_never_heard_of"));
	assert_true(directory_owns(&directory, "wrk_"));
	assert_false(directory_owns(&directory, "alice"));
	assert_false(directory_owns(&directory, "import"));
	assert_false(directory_owns(&directory, "imported2"));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_false(directory_owns(&directory, name));
}

static void damaged_record_admits_nobody_and_may_be_replaced(void **state)
{
	struct err e = {0};

	(void)state;
	apply("wrk_a", "E1", 1, "t");
	for (size_t len = 0; len < 12; len++) {
		assert_int_equal(store_put(store, STORE_DIRECTORY, "wrk_a", 5,
					   "\1\0\0\0\0\0\0\0\0\0\xff\xff", len, &e),
				 ERR_OK);
		assert_int_equal(n_of("wrk_a"), -1);
	}
	store_close(store);
	reopen();
	assert_int_equal(directory.live, 0);
	assert_int_equal(apply("wrk_a", "E1", 2, "t"), DIR_APPLIED);
	assert_int_equal(n_of("wrk_a"), 2);
}

static void counts_are_right_after_a_restart_of_thousands(void **state)
{
	char id[16], token[16];

	(void)state;
	for (int i = 0; i < 2500; i++) {
		snprintf(id, sizeof(id), "wrk_%d", i);
		snprintf(token, sizeof(token), "t%d", i);
		apply(id, "E1", i + 1, i % 5 == 0 ? NULL : token);
	}
	assert_int_equal(directory.live, 2000);
	assert_int_equal(directory.max_n, 2500);
	store_close(store);
	reopen();
	assert_int_equal(directory.live, 2000);
	assert_int_equal(directory.max_n, 2500);
}

static void names_and_numbers_go_together(void **state)
{
	enum dir_status status;
	enum token_role role;

	(void)state;
	for (unsigned i = DIR_ACTIVE; i <= DIR_DELETED; i++) {
		assert_true(dir_status_parse(dir_status_name(i), &status));
		assert_int_equal(status, i);
	}
	for (unsigned i = TOKEN_CURRENT; i <= TOKEN_PREVIOUS; i++) {
		assert_true(token_role_parse(token_role_name(i), &role));
		assert_int_equal(role, i);
	}
	assert_false(dir_status_parse("Active", &status));
	assert_false(token_role_parse("", &role));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_directory, close_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(entry_comes_back_as_it_was_put),
		TEST(greater_n_wins_equal_changes_nothing_smaller_is_stale),
		TEST(tombstone_keeps_an_older_put_away),
		TEST(tombstone_of_an_unknown_worker_is_kept_too),
		TEST(other_epoch_is_refused_unless_its_synchronisation_is_open),
		TEST(drop_takes_what_is_as_old_as_the_tombstone_or_of_another_epoch),
		TEST(tokens_are_found_by_their_owner_until_they_are_replaced),
		TEST(user_names_are_owned_by_prefix_or_entry),
		TEST(damaged_record_admits_nobody_and_may_be_replaced),
		TEST(counts_are_right_after_a_restart_of_thousands),
		cmocka_unit_test(names_and_numbers_go_together),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
