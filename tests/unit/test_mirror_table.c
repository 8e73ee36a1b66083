// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/presence/mirror_table.h"
#include "tests/unit/unit.h"

static struct mirror_table table;

static int open_table(void **state)
{
	(void)state;
	mirror_table_init(&table);
	return 0;
}

static int close_table(void **state)
{
	(void)state;
	mirror_table_clear(&table);
	return 0;
}

static struct presence event(const char *id, enum presence_state is, int sessions, int64_t seq)
{
	struct presence p = {
		.state = is, .sessions = sessions, .pos = {5, seq}
        };

	snprintf(p.worker.text, sizeof(p.worker.text), "%s", id);
	p.reason = is == PRESENCE_ONLINE ? REASON_NONE : REASON_CONNECTION_LOST;
	return p;
}

static void hear(const char *id, enum presence_state is, int sessions, int64_t seq)
{
	struct presence p = event(id, is, sessions, seq);

	assert_true(mirror_table_apply(&table, &p, false));
}

static enum presence_state state_of(const char *id)
{
	struct worker_id worker = {0};
	const struct presence *found;

	assert_true(worker_id_parse(id, strlen(id), &worker));
	found = mirror_table_find(&table, &worker);
	return found != NULL ? found->state : PRESENCE_UNKNOWN;
}

static void the_newer_wins_in_whichever_order_they_come(void **state)
{
	(void)state;
	hear("wrk_a", PRESENCE_OFFLINE, 0, 9);
	hear("wrk_a", PRESENCE_ONLINE, 1, 8);
	assert_int_equal(state_of("wrk_a"), PRESENCE_OFFLINE);
	hear("wrk_a", PRESENCE_ONLINE, 1, 10);
	assert_int_equal(state_of("wrk_a"), PRESENCE_ONLINE);
}

static void sums_follow_every_change(void **state)
{
	(void)state;
	hear("wrk_a", PRESENCE_ONLINE, 2, 1);
	hear("wrk_b", PRESENCE_ONLINE, 1, 2);
	hear("wrk_c", PRESENCE_RECONNECTING, 0, 3);
	assert_int_equal(table.by_state[PRESENCE_ONLINE], 2);
	assert_int_equal(table.by_state[PRESENCE_RECONNECTING], 1);
	assert_int_equal(table.sessions, 3);
	assert_int_equal(table.digest.count, 2);
	hear("wrk_a", PRESENCE_OFFLINE, 0, 4);
	hear("wrk_b", PRESENCE_OFFLINE, 0, 5);
	hear("wrk_c", PRESENCE_OFFLINE, 0, 6);
	assert_int_equal(table.by_state[PRESENCE_OFFLINE], 3);
	assert_int_equal(table.sessions, 0);
	assert_true(digest_equal(&table.digest, &(struct digest){0}));
}

static void two_tables_that_heard_the_same_prove_it(void **state)
{
	struct mirror_table other;
	struct presence p;

	(void)state;
	mirror_table_init(&other);
	for (int64_t i = 0; i < 300; i++) {
		char id[16];

		snprintf(id, sizeof(id), "wrk_%d", (int)(i * 7 % 20));
		p = event(id, (enum presence_state)(i % 3), i % 3 == PRESENCE_ONLINE, i + 1);
		assert_true(mirror_table_apply(&table, &p, false));
		assert_true(mirror_table_apply(&other, &p, false));
		assert_true(digest_equal(&table.digest, &other.digest));
	}
	p = event("wrk_0", PRESENCE_ONLINE, 5, 1000);
	assert_true(mirror_table_apply(&other, &p, false));
	assert_false(digest_equal(&table.digest, &other.digest));
	mirror_table_clear(&other);
}

static void a_page_that_is_older_does_not_bring_a_deleted_worker_back(void **state)
{
	struct presence gone = event("wrk_a", PRESENCE_OFFLINE, 0, 7),
			page = event("wrk_a", PRESENCE_ONLINE, 1, 3);

	(void)state;
	gone.reason = REASON_DELETED;
	assert_true(mirror_table_apply(&table, &gone, true));
	assert_true(mirror_table_apply(&table, &page, true));
	assert_int_equal(state_of("wrk_a"), PRESENCE_UNKNOWN);
	mirror_table_sweep(&table);
	assert_int_equal(table.entries.len, 0);
	assert_int_equal(table.deleted, 0);
	assert_int_equal(table.by_state[PRESENCE_OFFLINE], 0);
}

static void a_deleted_worker_goes_at_once_while_nothing_is_listed(void **state)
{
	struct presence gone = event("wrk_a", PRESENCE_OFFLINE, 0, 7);

	(void)state;
	hear("wrk_a", PRESENCE_ONLINE, 1, 6);
	hear("wrk_b", PRESENCE_ONLINE, 1, 5);
	gone.reason = REASON_DELETED;
	assert_true(mirror_table_apply(&table, &gone, false));
	assert_int_equal(table.entries.len, 1);
	assert_int_equal(table.sessions, 1);
}

/* ---- before a list and after it ---------------------------------------------------------- */

static struct mirror_table before;

static int open_both(void **state)
{
	mirror_table_init(&before);
	return open_table(state);
}

static int close_both(void **state)
{
	mirror_table_clear(&before);
	return close_table(state);
}

static bool all_but_unrecorded(void *arg, const struct worker_id *id)
{
	return strcmp(id->text, arg) != 0;
}

static bool lacks(void)
{
	char unrecorded[] = "wrk_unrecorded";

	return mirror_table_lacks(&table, &before, all_but_unrecorded, unrecorded);
}

static void listing_begins(void)
{
	assert_true(mirror_table_move(&before, &table));
	assert_int_equal(table.entries.len, 0);
}

static void what_is_there_again_or_newer_is_not_lacking(void **state)
{
	(void)state;
	hear("wrk_a", PRESENCE_OFFLINE, 0, 7);
	hear("wrk_b", PRESENCE_ONLINE, 1, 8);
	listing_begins();
	hear("wrk_a", PRESENCE_OFFLINE, 0, 7);
	assert_true(lacks());
	hear("wrk_b", PRESENCE_OFFLINE, 0, 9);
	hear("wrk_new", PRESENCE_ONLINE, 1, 10);
	assert_false(lacks());
}

static void an_object_that_is_older_than_it_was_is_lacking(void **state)
{
	struct presence p = event("wrk_a", PRESENCE_ONLINE, 1, 7);

	(void)state;
	p.generation = 3;
	assert_true(mirror_table_apply(&table, &p, false));
	listing_begins();
	p.pos.seq = 6;
	assert_true(mirror_table_apply(&table, &p, true));
	assert_true(lacks());
	/* A later start of a broker whose storage is new: its first session. */
	p.pos.boot++;
	p.generation = 1;
	assert_true(mirror_table_apply(&table, &p, true));
	assert_true(lacks());
	p.pos.seq++;
	p.generation = 4;
	assert_true(mirror_table_apply(&table, &p, true));
	assert_false(lacks());
}

static void workers_deleted_or_without_a_record_are_not_lacking(void **state)
{
	struct presence gone = event("wrk_a", PRESENCE_OFFLINE, 0, 9);

	(void)state;
	gone.reason = REASON_DELETED;
	hear("wrk_a", PRESENCE_ONLINE, 1, 7);
	hear("wrk_unrecorded", PRESENCE_ONLINE, 1, 8);
	listing_begins();
	assert_true(mirror_table_apply(&table, &gone, true));
	assert_false(lacks());
	/* The list fails, and the next one does not have the worker at all. */
	listing_begins();
	assert_false(lacks());
}

static void lists_that_fail_add_to_what_was_known(void **state)
{
	(void)state;
	hear("wrk_a", PRESENCE_ONLINE, 1, 7);
	listing_begins();
	hear("wrk_b", PRESENCE_ONLINE, 1, 8);
	listing_begins();
	assert_int_equal(before.entries.len, 2);
	hear("wrk_b", PRESENCE_ONLINE, 1, 8);
	assert_true(lacks());
	hear("wrk_a", PRESENCE_ONLINE, 1, 7);
	assert_false(lacks());
}

#define TABLE_TEST(f) cmocka_unit_test_setup_teardown(f, open_table, close_table)
#define LIST_TEST(f) cmocka_unit_test_setup_teardown(f, open_both, close_both)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(the_newer_wins_in_whichever_order_they_come),
		TABLE_TEST(sums_follow_every_change),
		TABLE_TEST(two_tables_that_heard_the_same_prove_it),
		TABLE_TEST(a_page_that_is_older_does_not_bring_a_deleted_worker_back),
		TABLE_TEST(a_deleted_worker_goes_at_once_while_nothing_is_listed),
		LIST_TEST(what_is_there_again_or_newer_is_not_lacking),
		LIST_TEST(an_object_that_is_older_than_it_was_is_lacking),
		LIST_TEST(workers_deleted_or_without_a_record_are_not_lacking),
		LIST_TEST(lists_that_fail_add_to_what_was_known),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
