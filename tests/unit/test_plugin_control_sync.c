// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Synchronisation: the plugin's directory becomes what the bridge has. */
#include "tests/unit/test_plugin_control.h"

/* ---- synchronisation ---- */

static void sync_drops_what_was_not_mentioned(void **state)
{
	char id[64];

	(void)state;
	data_of(&bridge, put_text("wrk_a", EPOCH, 1, NULL));
	data_of(&bridge, put_text("wrk_b", EPOCH, 2, NULL));
	data_of(&bridge, put_text("wrk_c", EPOCH, 5, NULL));
	data_of(&bridge, put_text("wrk_newer", EPOCH, 6, NULL));
	snprintf(id, sizeof(id), "%s", begin(&bridge, EPOCH, 5));
	data_of(&bridge, put_text("wrk_a", EPOCH, 1, id));
	data_of(&bridge, put_text("wrk_b", EPOCH, 2, id));
	assert_string_equal(data_of(&bridge, end_text(id, 2, false)), "{\"dropped\":1}");
	assert_int_equal(held(), 3);
	/* a tombstone at the snapshot's n keeps an older put away */
	assert_string_equal(data_of(&bridge, put_text("wrk_c", EPOCH, 5, NULL)),
			    "{\"applied\":0,\"unchanged\":1,\"stale\":0}");
}

static void sync_of_another_epoch_replaces_everything(void **state)
{
	char id[64];

	(void)state;
	for (int i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "wrk_%d", i);
		data_of(&bridge, put_text(name, EPOCH, 100 + i, NULL));
	}
	snprintf(id, sizeof(id), "%s", begin(&bridge, "epoch-2", 7));
	for (int i = 0; i < 2; i++) {
		char name[16];

		snprintf(name, sizeof(name), "wrk_%d", i);
		assert_string_equal(data_of(&bridge, put_text(name, "epoch-2", i + 1, id)),
				    "{\"applied\":1,\"unchanged\":0,\"stale\":0}");
	}
	assert_string_equal(data_of(&bridge, end_text(id, 2, false)), "{\"dropped\":1}");
	assert_int_equal(held(), 2);
	assert_int_equal(world.p.directory.max_n, 7);
	assert_string_equal(world.p.directory.epoch, "epoch-2");
	assert_string_equal(error_of(&bridge, put_text("wrk_0", EPOCH, 999, NULL)),
			    "EPOCH_MISMATCH");
}

static void half_is_half_of_what_was_held_before(void **state)
{
	char id[64], name[32];

	(void)state;
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "wrk_%d", i);
		data_of(&bridge, put_text(name, EPOCH, i + 1, NULL));
	}
	snprintf(id, sizeof(id), "%s", begin(&bridge, "epoch-2", 9));
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "wrk_new%d", i);
		data_of(&bridge, put_text(name, "epoch-2", i + 1, id));
	}
	assert_string_equal(error_of(&bridge, end_text(id, 5, false)), "SYNC_TOO_DESTRUCTIVE");
	assert_int_equal(held(), 9);
	assert_string_equal(world.p.directory.epoch, EPOCH);
	assert_string_equal(error_of(&bridge, end_text(id, 5, false)), "SYNC_TOO_DESTRUCTIVE");
	assert_string_equal(data_of(&bridge, end_text(id, 5, true)), "{\"dropped\":4}");
	assert_int_equal(held(), 5);
}

static void sync_is_bound_to_its_client_its_id_and_its_count(void **state)
{
	char id[64];

	(void)state;
	data_of(&bridge, put_text("wrk_a", EPOCH, 1, NULL));
	snprintf(id, sizeof(id), "%s", begin(&bridge, EPOCH, 5));
	assert_string_equal(error_of(&second, "{'command':'beginSync','epoch':'" EPOCH "',"
					      "'snapshot_n':5}"),
			    "CONFLICT");
	assert_string_equal(error_of(&second, put_text("wrk_a", EPOCH, 1, id)),
			    "SYNC_MISMATCH");
	assert_string_equal(error_of(&second, end_text(id, 0, true)), "SYNC_MISMATCH");
	assert_string_equal(error_of(&bridge, end_text("0123", 0, true)), "SYNC_MISMATCH");
	data_of(&bridge, put_text("wrk_a", EPOCH, 1, id));
	data_of(&bridge, put_text("wrk_a", EPOCH, 1, id)); /* counts once */
	assert_string_equal(error_of(&bridge, end_text(id, 2, true)), "SYNC_MISMATCH");
	assert_string_equal(data_of(&bridge, end_text(id, 1, false)), "{\"dropped\":0}");
	assert_string_equal(error_of(&bridge, end_text(id, 1, false)), "SYNC_MISMATCH");
}

static void sync_lapses_when_its_client_goes(void **state)
{
	char id[64];

	(void)state;
	data_of(&bridge, put_text("wrk_a", EPOCH, 1, NULL));
	snprintf(id, sizeof(id), "%s", begin(&bridge, "epoch-2", 5));
	data_of(&bridge, put_text("wrk_b", "epoch-2", 1, id));
	disconnect(&world, &bridge, 7);
	turn(&world);
	assert_string_equal(world.p.directory.sync_epoch, "");
	assert_int_equal(held(), 2);
	assert_string_equal(error_of(&second, put_text("wrk_c", "epoch-2", 2, NULL)),
			    "EPOCH_MISMATCH");
	begin(&second, EPOCH, 5);
}

static void same_client_may_begin_anew(void **state)
{
	char id[64];

	(void)state;
	begin(&bridge, EPOCH, 5);
	snprintf(id, sizeof(id), "%s", begin(&bridge, EPOCH, 6));
	assert_string_equal(data_of(&bridge, end_text(id, 0, false)), "{\"dropped\":0}");
}

static void sync_of_thousands_is_dropped_in_slices(void **state)
{
	char id[64], name[32];

	(void)state;
	for (int i = 0; i < 1300; i++) {
		struct dir_entry entry;

		snprintf(name, sizeof(name), "wrk_%04d", i);
		entry = entry_of(name, i + 1, NULL);
		put_entry(&world, &entry);
	}
	snprintf(id, sizeof(id), "%s", begin(&bridge, EPOCH, 2000));
	assert_string_equal(data_of(&bridge, end_text(id, 0, true)), "{\"dropped\":1300}");
	assert_int_equal(held(), 0);
}

static void dropped_worker_is_closed_and_forgotten(void **state)
{
	struct mosquitto c = tcp_client("wrk_a", "wrk_a");
	char id[64];

	(void)state;
	put_worker(&world, "wrk_a");
	log_in(&world, &c);
	turn(&world);
	snprintf(id, sizeof(id), "%s", begin(&bridge, EPOCH, 100));
	data_of(&bridge, end_text(id, 0, true));
	turns(&world, 6);
	assert_int_equal(broker.kicked_len, 1);
	assert_false(connset_presence(&world.p.conns, &(struct worker_id){"wrk_a"},
				      &(struct presence){0}));
	assert_int_equal(said_on("workers/wrk_a/presence")->len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sync_drops_what_was_not_mentioned),
		TEST(sync_of_another_epoch_replaces_everything),
		TEST(half_is_half_of_what_was_held_before),
		TEST(sync_is_bound_to_its_client_its_id_and_its_count),
		TEST(sync_lapses_when_its_client_goes),
		TEST(same_client_may_begin_anew),
		TEST(sync_of_thousands_is_dropped_in_slices),
		TEST(dropped_worker_is_closed_and_forgotten),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
