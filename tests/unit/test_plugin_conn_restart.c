// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* What a broker's next life makes of the earlier one. */
#include "tests/unit/test_plugin_conn.h"

#include <signal.h>
#include <sys/resource.h>

/* ---- restarts ---- */

static void after_a_crash_nobody_is_online_and_generations_go_on(void **state)
{
	struct mosquitto c = tcp_client(W, W);
	struct presence before, after;

	(void)state;
	log_in(&world, &c);
	turn(&world);
	before = presence_of(&world, W);
	world_crash(&world, "60000");
	after = presence_of(&world, W);
	assert_told("online offline/broker_restart");
	assert_int_equal(after.state, PRESENCE_OFFLINE);
	assert_int_equal(after.generation, before.generation);
	assert_true(after.pos.boot > before.pos.boot);
	assert_int_equal(after.pos.seq, 1);
	log_in(&world, &c);
	turn(&world);
	assert_told("online");
	assert_true(presence_of(&world, W).generation > before.generation);
	world_crash(&world, "60000");
	assert_told("offline/broker_restart");
}

static void no_generation_is_ever_repeated(void **state)
{
	int64_t last = 0;

	(void)state;
	for (int boot = 0; boot < 3; boot++) {
		for (int i = 0; i < 50; i++) {
			struct mosquitto c = tcp_client(W, W);

			log_in(&world, &c);
			turn(&world);
			assert_true(presence_of(&world, W).generation > last);
			last = presence_of(&world, W).generation;
			disconnect(&world, &c, 0);
			turn(&world);
		}
		world_crash(&world, "60000");
	}
}

/* Leaves the storage as a kill on a full disk does. */
static void forget_what_was_lacking(void)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/state", world.dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("torn", f);
	fclose(f);
}

static void generations_go_on_above_all_where_records_may_be_missing(void **state)
{
	struct mosquitto c = tcp_client(W, W), other = tcp_client("w2", "w2");
	int64_t before, floor;

	(void)state;
	put_worker(&world, "w2");
	log_in(&world, &c);
	before = presence_of(&world, W).generation;
	turn(&world);
	world_crash(&world, "60000");
	log_in(&world, &c);
	assert_in_range(presence_of(&world, W).generation, before + 1, before + 100);
	turn(&world);
	forget_what_was_lacking();
	world_crash(&world, "60000");
	log_in(&world, &c);
	log_in(&world, &other);
	floor = presence_of(&world, W).generation;
	assert_true(floor > 1 << 24);
	assert_true(presence_of(&world, "w2").generation > 1 << 24);
	/* And a crash like any other does not raise it. */
	turn(&world);
	world_crash(&world, "60000");
	log_in(&world, &c);
	assert_in_range(presence_of(&world, W).generation, floor + 1, floor + 100);
}

/* Fills what storage may keep waiting for objects, and lets no disk take any of it. */
static void let_storage_refuse_objects(void)
{
	static char big[1 << 20];
	struct rlimit limit;
	struct err e = {0};
	char key[16];

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; e.code == ERR_OK; i++) {
		snprintf(key, sizeof(key), "big%d", i);
		(void)(store_put(world.p.store, STORE_OBJECTS, key, strlen(key), big,
				 sizeof(big) / (i < 50 ? 1 : 65536), &e) == ERR_OK);
	}
}

static void let_storage_take_them(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void object_that_storage_refuses_stays_in_memory_and_true(void **state)
{
	struct mosquitto c = tcp_client(W, W);
	int64_t until = clock_mono_us() + 10000000;
	struct object object;
	struct err e = {0};

	(void)state;
	log_in(&world, &c);
	turn(&world);
	assert_int_equal(store_sync(world.p.store, &e), ERR_OK);
	let_storage_refuse_objects();
	disconnect(&world, &c, 0);
	turns(&world, 3);
	assert_int_equal(state_of(&world, W), PRESENCE_OFFLINE);
	assert_true(object_load(world.p.store, &(struct worker_id){W}, &object));
	assert_int_equal(object.last.state, PRESENCE_ONLINE); /* storage is behind */
	let_storage_take_them();
	while (object.last.state != PRESENCE_OFFLINE && clock_mono_us() < until) {
		turn(&world);
		assert_true(object_load(world.p.store, &(struct worker_id){W}, &object));
	}
	assert_int_equal(object.last.state, PRESENCE_OFFLINE);
	assert_true(TAILQ_EMPTY(&world.p.conns.unsaved));
}

static void after_a_shutdown_the_reason_says_so(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	turn(&world);
	will(&world, &c, NULL); /* of SIGTERM: a will without an end */
	world_stop(&world);
	world_start(&world, "60000");
	assert_told("online offline/broker_shutdown");
	assert_string_equal(presence_of(&world, W).detail, "");
}

static void crash_within_grace_keeps_the_reason_of_the_loss(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	disconnect(&world, &c, 19);
	will(&world, &c, "{\"reason\":\"tunnel\"}");
	turn(&world);
	world_crash(&world, "60000");
	assert_told("online reconnecting/keepalive_timeout offline/keepalive_timeout");
	assert_string_equal(presence_of(&world, W).detail, "tunnel");
}

static void restart_renews_the_retained_events_of_the_others(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	disconnect(&world, &c, 0);
	turn(&world);
	world_stop(&world);
	broker_forget();
	world_start(&world, "60000");
	assert_told("");
	assert_true(said_on("workers/wrk_a/presence")->retain);
	assert_int_equal(reason_of_worker(&world, W), REASON_CLIENT_DISCONNECT);
}

static void restart_closes_more_objects_than_a_page_holds(void **state)
{
	static struct mosquitto clients[1200];
	static char ids[ARRAY_LEN(clients)][16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		snprintf(ids[i], sizeof(ids[i]), "wrk_%04zu", i);
		put_worker(&world, ids[i]);
		clients[i] = tcp_client(ids[i], ids[i]);
		log_in(&world, &clients[i]);
	}
	turn(&world);
	world_crash(&world, "60000");
	assert_int_equal(broker.events_len, 2 * ARRAY_LEN(clients));
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		assert_int_equal(state_of(&world, ids[i]), PRESENCE_OFFLINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_20(after_a_crash_nobody_is_online_and_generations_go_on),
		ON_21(after_a_crash_nobody_is_online_and_generations_go_on),
		ON_21(no_generation_is_ever_repeated),
		ON_21(generations_go_on_above_all_where_records_may_be_missing),
		ON_21(object_that_storage_refuses_stays_in_memory_and_true),
		ON_21(after_a_shutdown_the_reason_says_so),
		ON_21(crash_within_grace_keeps_the_reason_of_the_loss),
		ON_21(restart_renews_the_retained_events_of_the_others),
		ON_21(restart_closes_more_objects_than_a_page_holds),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
