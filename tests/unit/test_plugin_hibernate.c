// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Objects that fall asleep and wake: nobody but getConnection's `hibernated` may tell. */
#include "tests/unit/test_plugin_fake.h"

#include "plugin/dirsync.h"
#include "plugin/stats.h"

#define CROWD 5000
#define SECOND_US 1000000

static struct world world;
static struct mosquitto w, bridge;

static struct connset *conns(void)
{
	return &world.p.conns;
}

static int open_world(void **state)
{
	(void)state;
	world_open(&world, true, "3000");
	bridge = tcp_client("bridge", "rollcall-bridge");
	assert_int_equal(basic_auth(&world, &bridge, "x"), MOSQ_ERR_PLUGIN_DEFER);
	put_worker(&world, "wrk_a");
	w = tcp_client("wrk_a", "wrk_a");
	w.protocol = mp_websockets;
	log_in(&world, &w);
	turn(&world);
	assert_told(NULL);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

/* The end of a turn of the loop so many seconds later. */
static bool pass(int64_t seconds)
{
	return connset_tick(conns(), clock_mono_us() + seconds * SECOND_US);
}

/* All that may sleep do. */
static void sleep_now(void)
{
	struct conn *conn = TAILQ_FIRST(&conns()->awake), *next;

	for (; conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, of_awake);
		(void)hibernate_sleep(conns(), conn);
	}
}

static size_t asleep(void)
{
	return conns()->hibernation.conns;
}

static const char *ask(const char *command)
{
	static char text[4096];
	struct mosquitto_evt_control ev = {.client = &bridge, .topic = TOPIC_CONTROL};
	size_t before = broker.said_len;
	const struct said *s;

	snprintf(text, sizeof(text), "{\"commands\":[%s]}", command);
	for (char *at = text; (at = strchr(at, '\'')) != NULL;)
		*at = '"';
	ev.payload = text;
	ev.payloadlen = (uint32_t)strlen(text);
	assert_int_equal(on_control(MOSQ_EVT_CONTROL, &ev, &world.p), MOSQ_ERR_SUCCESS);
	for (int i = 0; i < 1000 && broker.said_len == before; i++)
		turn(&world);
	s = said_on(TOPIC_CONTROL_RESPONSE);
	assert_true(s->len > 0 && s->len < (int)sizeof(text));
	memcpy(text, s->payload, (size_t)s->len);
	text[s->len] = '\0';
	return text;
}

#define GET "{'command':'getConnection','worker_id':'wrk_a'}"

/* ---- when ---- */

static void an_object_sleeps_when_its_time_without_traffic_is_over(void **state)
{
	(void)state;
	pass(9);
	assert_int_equal(asleep(), 0);
	pass(12);
	assert_int_equal(asleep(), 1);
	assert_int_equal(conns()->sessions.used, 0);
	assert_int_equal(conns()->conns.used, 0);
	assert_int_equal(state_of(&world, "wrk_a"), PRESENCE_ONLINE);
	assert_told("");
}

static void traffic_keeps_it_awake(void **state)
{
	(void)state;
	for (int64_t i = 0; i < 60; i += 5) {
		pass(i);
		assert_int_equal(message(&world, &w, "workers/wrk_a/app/x", "y"),
				 MOSQ_ERR_SUCCESS);
	}
	assert_int_equal(asleep(), 0);
	pass(75);
	assert_int_equal(asleep(), 1);
}

static void zero_means_never(void **state)
{
	struct err e = {0};

	(void)state;
	hibernate_close(conns());
	world.p.options.hibernate_after = 0;
	assert_int_equal(hibernate_open(conns(), &e), ERR_OK);
	pass(1000000);
	assert_int_equal(asleep(), 0);
}

static void what_is_not_settled_stays_awake(void **state)
{
	struct mosquitto second = tcp_client("wrk_a.2", "wrk_a");

	(void)state;
	assert_int_equal(basic_auth(&world, &second, TOKEN), MOSQ_ERR_SUCCESS);
	pass(20); /* a login that is not accepted yet */
	assert_int_equal(asleep(), 0);
	connect_event(&world, &second);
	session_close(conns(), connset_session(conns(), &second), REASON_KICKED, "KICKED", "");
	pass(40); /* a session that is being closed */
	assert_int_equal(asleep(), 0);
	disconnect(&world, &second, 0);
	disconnect(&world, &w, 7);
	turn(&world);
	assert_int_equal(state_of(&world, "wrk_a"), PRESENCE_RECONNECTING);
	sleep_now();
	assert_int_equal(asleep(), 0);
}

static void an_object_that_storage_has_not_taken_is_stored_first(void **state)
{
	struct worker_id id = worker("wrk_a");
	struct conn *conn = connset_find(conns(), &id);
	struct object object;

	(void)state;
	/* As a full write-back table would have left it. */
	conn->unsaved = true;
	TAILQ_INSERT_TAIL(&conns()->unsaved, conn, of_unsaved);
	conn->last.pos.seq = 77;
	sleep_now();
	assert_int_equal(asleep(), 0);
	pass(20);
	assert_int_equal(asleep(), 1);
	assert_true(object_load(world.p.store, &id, &object));
	assert_int_equal(object.last.pos.seq, 77);
}

/* ---- what wakes ---- */

static void asks_to_receive(void)
{
	assert_int_equal(acl(&world, &w, MOSQ_ACL_READ, "workers/wrk_a/commands", "x"),
			 MOSQ_ERR_SUCCESS);
}

static void subscribes(void)
{
	assert_int_equal(acl(&world, &w, MOSQ_ACL_SUBSCRIBE, "workers/wrk_a/commands", NULL),
			 MOSQ_ERR_SUCCESS);
}

static void publishes(void)
{
	assert_int_equal(
		message(&world, &w, "workers/wrk_a/state", "{\"engine_status\":\"x\"}"),
		MOSQ_ERR_SUCCESS);
}

static void is_authenticated_again(void)
{
	reload(&world);
	assert_int_equal(basic_auth(&world, &w, TOKEN), MOSQ_ERR_SUCCESS);
}

static void logs_in_twice(void)
{
	static struct mosquitto second;

	second = tcp_client("wrk_a.2", "wrk_a");
	log_in(&world, &second);
	assert_int_equal(presence_of(&world, "wrk_a").sessions, 2);
	disconnect(&world, &second, 0);
}

static void is_sent_to(void)
{
	assert_non_null(strstr(ask("{'command':'send','worker_id':'wrk_a','topic':'commands',"
				   "'payload':'hello'}"),
			       "\"sessions\":1"));
	assert_string_equal(said_on("workers/wrk_a/commands")->client_id, "wrk_a");
}

static void has_its_entry_renewed(void)
{
	struct dir_entry entry = entry_of("wrk_a", 90, TOKEN), before;
	enum dir_change change;
	struct err e = {0};

	assert_int_equal(directory_apply(&world.p.directory, &entry, &before, &change, &e),
			 ERR_OK);
	dirsync_enforce(&world.p.control, &before, &entry);
}

static void whatever_uses_an_object_wakes_it_and_changes_nothing_else(void **state)
{
	static void (*const uses[])(void) = {asks_to_receive,        subscribes,    publishes,
					     is_authenticated_again, logs_in_twice, is_sent_to,
					     has_its_entry_renewed};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
		sleep_now();
		assert_int_equal(asleep(), 1);
		uses[i]();
		assert_int_equal(asleep(), 0);
		assert_int_equal(conns()->hibernation.woken, i + 1);
		assert_int_equal(state_of(&world, "wrk_a"), PRESENCE_ONLINE);
		turn(&world);
	}
	assert_int_equal(conns()->hibernation.wakes.count, ARRAY_LEN(uses));
	assert_told("online online"); /* the second session's begin and end */
	assert_int_equal(broker.kicked_len, 0);
}

static void its_end_wakes_it_and_is_told_with_the_words_of_its_will(void **state)
{
	(void)state;
	sleep_now();
	disconnect(&world, &w, 7);
	assert_int_equal(asleep(), 0);
	assert_int_equal(will(&world, &w, "{\"reason\":\"crash\"}"), MOSQ_ERR_SUCCESS);
	turn(&world);
	assert_told("reconnecting/connection_lost");
	assert_string_equal(presence_of(&world, "wrk_a").detail, "crash");
	assert_int_equal(conns()->session_stubs.used, 0);
}

static void a_will_before_the_end_is_heard_as_well(void **state)
{
	(void)state;
	sleep_now();
	will(&world, &w, "{\"reason\":\"crash\"}");
	disconnect(&world, &w, 0);
	turn(&world);
	assert_told("reconnecting/connection_lost");
}

static void one_that_takes_it_over_shows_no_offline(void **state)
{
	struct mosquitto second = w;

	(void)state;
	sleep_now();
	assert_int_equal(basic_auth(&world, &second, TOKEN), MOSQ_ERR_SUCCESS);
	disconnect(&world, &w, 142);
	connect_event(&world, &second);
	turn(&world);
	assert_told("online");
	assert_int_equal(presence_of(&world, "wrk_a").sessions, 1);
	assert_int_equal(presence_of(&world, "wrk_a").generation, 2);
}

static void a_new_client_at_its_address_is_not_taken_for_it(void **state)
{
	(void)state;
	put_worker(&world, "wrk_b");
	sleep_now();
	w = tcp_client("wrk_b", "wrk_b");
	log_in(&world, &w);
	turn(&world);
	assert_told("reconnecting/connection_lost online");
	assert_int_equal(state_of(&world, "wrk_b"), PRESENCE_ONLINE);
	assert_int_equal(state_of(&world, "wrk_a"), PRESENCE_RECONNECTING);
}

static void its_token_expires_all_the_same(void **state)
{
	struct dir_entry entry = entry_of("wrk_a", 90, TOKEN);

	(void)state;
	entry.tokens[0].expires_ms = clock_unix_ms() + 50;
	put_entry(&world, &entry);
	conn_tokens_changed(conns(), &entry, &entry);
	sleep_now();
	assert_int_equal(asleep(), 1);
	while (broker.kicked_len == 0)
		turn(&world);
	assert_string_equal(broker.kicked[0], "wrk_a");
	assert_non_null(strstr(said_on("workers/wrk_a/notice")->payload, "TOKEN_EXPIRED"));
	turn(&world);
	assert_told("offline/token_expired");
}

static void a_token_that_is_gone_ends_it(void **state)
{
	struct dir_entry before = entry_of("wrk_a", 89, TOKEN),
			 entry = entry_of("wrk_a", 90, "tk_new");

	(void)state;
	sleep_now();
	conn_tokens_changed(conns(), &before, &entry);
	turns(&world, 6);
	assert_string_equal(broker.kicked[0], "wrk_a");
	assert_told("offline/revoked");
}

static void a_deleted_worker_is_ended_and_forgotten(void **state)
{
	struct worker_id id = worker("wrk_a");
	struct object object;

	(void)state;
	sleep_now();
	conn_close_sessions(conns(), &id, REASON_DELETED, "WORKER_DELETED", "", NULL, NULL);
	conn_forget(conns(), &id);
	turns(&world, 6);
	assert_told("offline/deleted");
	assert_false(object_load(world.p.store, &id, &object));
	assert_int_equal(conns()->conn_stubs.used, 0);
}

/* ---- what does not ---- */

static void to_look_at_it_wakes_nothing(void **state)
{
	char awake[4096], *at;

	(void)state;
	message(&world, &w, "workers/wrk_a/app/x", "12345");
	snprintf(awake, sizeof(awake), "%s", ask(GET));
	assert_non_null(strstr(awake, "\"messages_received\":1,\"bytes_received\":5"));
	assert_non_null(strstr(awake, "\"transport\":\"websockets\""));
	at = strstr(awake, "\"hibernated\":false");
	assert_non_null(at);
	sleep_now();
	assert_non_null(strstr(ask("{'command':'listConnections'}"), "\"online\""));
	assert_int_equal(presence_of(&world, "wrk_a").sessions, 1);
	memcpy(at + strlen("\"hibernated\":"), "true ", 5);
	memmove(at + strlen("\"hibernated\":true"), at + strlen("\"hibernated\":false"),
		strlen(at) - strlen("\"hibernated\":false") + 1);
	assert_string_equal(ask(GET), awake);
	assert_int_equal(asleep(), 1);
	assert_int_equal(conns()->hibernation.woken, 0);
}

static void a_login_that_is_refused_does_not_wake_it(void **state)
{
	struct mosquitto stranger = tcp_client("wrk_a.x", "wrk_a");

	(void)state;
	world.p.options.max_sessions_per_worker = 1;
	sleep_now();
	assert_int_equal(basic_auth(&world, &stranger, "tk_wrong"), MOSQ_ERR_AUTH);
	assert_int_equal(basic_auth(&world, &stranger, TOKEN), MOSQ_ERR_AUTH);
	assert_int_equal(asleep(), 1);
}

/* ---- several sessions ---- */

static void all_sessions_come_back_in_their_order(void **state)
{
	static struct mosquitto more[3];
	static const char *const ids[] = {"wrk_a.1", "wrk_a.2", "wrk_a.3"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		more[i] = tcp_client(ids[i], "wrk_a");
		log_in(&world, &more[i]);
	}
	message(&world, &more[1], "workers/wrk_a/app/x", "y");
	sleep_now();
	assert_int_equal(conns()->hibernation.sessions, 4);
	assert_non_null(strstr(ask("{'command':'send','worker_id':'wrk_a','topic':'commands',"
				   "'payload':'x'}"),
			       "\"generation\":4,\"sessions\":1"));
	assert_string_equal(said_on("workers/wrk_a/commands")->client_id, "wrk_a.3");
	assert_int_equal(conns()->hibernation.sessions, 0);
	assert_int_equal(connset_session(conns(), &more[1])->messages_in, 1);
	sleep_now();
	disconnect(&world, &more[1], 0);
	turn(&world);
	sleep_now();
	assert_int_equal(conns()->hibernation.sessions, 3);
	assert_int_equal(presence_of(&world, "wrk_a").sessions, 3);
	assert_null(connset_session(conns(), &more[1]));
	assert_string_equal(connset_session(conns(), &w)->client_id, "wrk_a");
}

/* ---- restart ---- */

static void after_a_crash_it_was_closed_by_the_restart(void **state)
{
	(void)state;
	sleep_now();
	turn(&world);
	world_crash(&world, "3000");
	assert_told("offline/broker_restart");
	assert_int_equal(asleep(), 0);
	assert_int_equal(conns()->conn_stubs.used, 0);
	log_in(&world, &w);
	assert_int_equal(state_of(&world, "wrk_a"), PRESENCE_ONLINE);
}

/* ---- the file fails ---- */

static void where_the_file_cannot_be_written_it_stays_awake(void **state)
{
	struct swap *swap = &conns()->hibernation.swap;
	int good = swap->fd;

	(void)state;
	swap->fd = open("/dev/full", O_RDWR);
	assert_true(swap->fd >= 0);
	pass(20);
	assert_int_equal(asleep(), 0);
	assert_int_equal(conns()->hibernation.write_failures, 1);
	assert_int_equal(message(&world, &w, "workers/wrk_a/app/x", "y"), MOSQ_ERR_SUCCESS);
	close(swap->fd);
	swap->fd = good;
	pass(40);
	assert_int_equal(asleep(), 1);
}

static void lose_the_file(void)
{
	sleep_now();
	assert_int_equal(asleep(), 1);
	assert_int_equal(ftruncate(conns()->hibernation.swap.fd, 0), 0);
}

static void a_lost_session_counts_until_it_shows_up_and_is_closed(void **state)
{
	(void)state;
	lose_the_file();
	assert_int_equal(state_of(&world, "wrk_a"), PRESENCE_ONLINE);
	assert_int_equal(message(&world, &w, "workers/wrk_a/app/x", "y"), MOSQ_ERR_ACL_DENIED);
	assert_int_equal(presence_of(&world, "wrk_a").sessions, 1);
	assert_true(conns()->hibernation.read_failures > 0);
	turns(&world, 6);
	assert_non_null(strstr(said_on("workers/wrk_a/notice")->payload, "KICKED"));
	assert_string_equal(broker.kicked[0], "wrk_a");
	assert_told("offline/kicked");
	assert_int_equal(conns()->session_stubs.used, 0);
}

static void the_end_of_a_lost_session_is_told_as_it_was(void **state)
{
	(void)state;
	lose_the_file();
	disconnect(&world, &w, 7);
	turn(&world);
	assert_told("reconnecting/connection_lost");
	assert_int_equal(presence_of(&world, "wrk_a").generation, 1);
	assert_int_equal(conns()->session_stubs.used, 0);
}

static void a_lost_session_is_counted_off_as_what_it_was(void **state)
{
	const int64_t *sessions = stats.families[STAT_SESSIONS];

	(void)state;
	disconnect(&world, &w, 0);
	w.protocol = mp_websockets;
	log_in(&world, &w);
	turns(&world, 3);
	assert_true(sessions[0] == 0 && sessions[1] == 1);
	lose_the_file();
	disconnect(&world, &w, 7);
	turn(&world);
	assert_true(sessions[0] == 0 && sessions[1] == 0);
}

static void nothing_is_sent_to_a_lost_session(void **state)
{
	(void)state;
	lose_the_file();
	assert_non_null(strstr(ask("{'command':'send','worker_id':'wrk_a','topic':'commands',"
				   "'payload':'x'}"),
			       "NOT_CONNECTED"));
	assert_int_equal(said_on("workers/wrk_a/commands")->len, -1);
	disconnect(&world, &w, 0);
	turn(&world);
	assert_told("offline/client_disconnect");
}

static void the_address_of_a_lost_session_may_have_a_new_client(void **state)
{
	(void)state;
	put_worker(&world, "wrk_b");
	lose_the_file();
	w = tcp_client("wrk_b", "wrk_b");
	log_in(&world, &w);
	assert_int_equal(message(&world, &w, "workers/wrk_b/app/x", "y"), MOSQ_ERR_SUCCESS);
	assert_int_equal(state_of(&world, "wrk_b"), PRESENCE_ONLINE);
}

/* ---- many ---- */

static struct mosquitto crowd[CROWD];
static char names[CROWD][16];

static void gather(void)
{
	for (size_t i = 0; i < CROWD; i++) {
		snprintf(names[i], sizeof(names[i]), "wrk_%zu", i);
		put_worker(&world, names[i]);
		crowd[i] = tcp_client(names[i], names[i]);
		log_in(&world, &crowd[i]);
		if (i % 100 == 0)
			turn(&world);
	}
	turn(&world);
}

static void many_sleep_in_bounded_turns_and_need_little(void **state)
{
	struct hibernate_stats figures;
	size_t before = 0;
	int slices = 0;

	(void)state;
	gather();
	while (pass(20)) {
		assert_true(asleep() > before);
		before = asleep();
		slices++;
	}
	assert_int_equal(asleep(), CROWD + 1);
	assert_true(slices > 0);
	hibernate_stats(conns(), &figures);
	assert_int_equal(figures.conns_asleep, CROWD + 1);
	assert_int_equal(figures.sessions_asleep, CROWD + 1);
	assert_true(figures.stub_bytes / CROWD <= 128);
	/* At most an empty chunk of each kind is kept. */
	assert_true(figures.awake_bytes <= 2 * 32768);
	for (size_t i = 0; i < CROWD; i++) {
		assert_int_equal(acl(&world, &crowd[i], MOSQ_ACL_SUBSCRIBE, "x/#", NULL),
				 MOSQ_ERR_ACL_DENIED);
		assert_string_equal(connset_session(conns(), &crowd[i])->client_id, names[i]);
	}
	hibernate_stats(conns(), &figures);
	assert_int_equal(figures.woken, CROWD);
	assert_true(figures.wake_median_ns > 0 &&
		    figures.wake_median_ns <= figures.wake_p99_ns &&
		    figures.wake_p99_ns <= figures.wake_max_ns);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_object_sleeps_when_its_time_without_traffic_is_over),
		TEST(traffic_keeps_it_awake),
		TEST(zero_means_never),
		TEST(what_is_not_settled_stays_awake),
		TEST(an_object_that_storage_has_not_taken_is_stored_first),
		TEST(whatever_uses_an_object_wakes_it_and_changes_nothing_else),
		TEST(its_end_wakes_it_and_is_told_with_the_words_of_its_will),
		TEST(a_will_before_the_end_is_heard_as_well),
		TEST(one_that_takes_it_over_shows_no_offline),
		TEST(a_new_client_at_its_address_is_not_taken_for_it),
		TEST(its_token_expires_all_the_same),
		TEST(a_token_that_is_gone_ends_it),
		TEST(a_deleted_worker_is_ended_and_forgotten),
		TEST(to_look_at_it_wakes_nothing),
		TEST(a_login_that_is_refused_does_not_wake_it),
		TEST(all_sessions_come_back_in_their_order),
		TEST(after_a_crash_it_was_closed_by_the_restart),
		TEST(where_the_file_cannot_be_written_it_stays_awake),
		TEST(a_lost_session_counts_until_it_shows_up_and_is_closed),
		TEST(the_end_of_a_lost_session_is_told_as_it_was),
		TEST(a_lost_session_is_counted_off_as_what_it_was),
		TEST(nothing_is_sent_to_a_lost_session),
		TEST(the_address_of_a_lost_session_may_have_a_new_client),
		TEST(many_sleep_in_bounded_turns_and_need_little),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
