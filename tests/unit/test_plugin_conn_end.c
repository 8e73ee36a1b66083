// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* How sessions end: by themselves, and by us. */
#include "tests/unit/test_plugin_conn.h"

/* ---- how it ends: one row a cause, in the order in which each version raises it ---- */

struct ending {
	const char *what;
	bool connect_event;
	int reason;
	const char *order; /* D: the end, W: its will */
	const char *told;
};

static const struct ending endings[] = {
	{"2.0 goodbye or unknown",  false, -1,  "D",  "reconnecting/connection_closed"},
	{"2.0 lost, with a will",   false, -1,  "DW", "reconnecting/connection_lost"  },
	{"2.0 will first",          false, -1,  "WD", "reconnecting/connection_lost"  },
	{"2.1 goodbye",             true,  0,   "D",  "offline/client_disconnect"     },
	{"2.1 goodbye 0x04",        true,  0,   "DW", "reconnecting/connection_lost"  },
	{"2.1 lost",                true,  7,   "D",  "reconnecting/connection_lost"  },
	{"2.1 lost, with a will",   true,  7,   "DW", "reconnecting/connection_lost"  },
	{"2.1.3 will first",        true,  7,   "WD", "reconnecting/connection_lost"  },
	{"2.1.3 0x04, will first",  true,  0,   "WD", "reconnecting/connection_lost"  },
	{"2.1 keepalive",           true,  19,  "DW", "reconnecting/keepalive_timeout"},
	{"2.1 malformed",           true,  21,  "DW", "reconnecting/protocol_error"   },
	{"2.1 too large",           true,  25,  "DW", "reconnecting/protocol_error"   },
	{"2.1 kicked with will",    true,  152, "DW", "offline/kicked"                },
	{"2.1 kicked without will", true,  152, "D",  "offline/kicked"                },
};

static void every_ending_is_told_with_its_reason(void **state)
{
	char expected[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		const struct ending *row = &endings[i];
		struct mosquitto c = tcp_client(W, W);

		world_open(&world, row->connect_event, "60000");
		put_worker(&world, W);
		assert_told(NULL);
		log_in(&world, &c);
		turn(&world);
		for (const char *at = row->order; *at != '\0'; at++)
			if (*at == 'D')
				disconnect(&world, &c, row->reason);
			else
				will(&world, &c, "{\"reason\":\"power\"}");
		turn(&world);
		snprintf(expected, sizeof(expected), "online %s", row->told);
		if (broker.events_len != 2)
			fail_msg("%s: %zu events", row->what, broker.events_len);
		assert_told(expected);
		assert_string_equal(broker.events[1].detail,
				    strchr(row->order, 'W') != NULL ? "power" : "");
		assert_int_equal(broker.events[1].generation, broker.events[0].generation);
		assert_no_gap();
		world_close(&world);
	}
}

static void end_that_is_told_twice_is_one(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	turn(&world);
	disconnect(&world, &c, 0);
	disconnect(&world, &c, CONN_LOST);
	turn(&world);
	assert_told("online offline/client_disconnect");
	disconnect(&world, &c, CONN_LOST);
	turn(&world);
	assert_told("");
}

static void message_on_the_will_topic_changes_nothing(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	assert_int_equal(message(&world, &c, "workers/wrk_a/will", "{\"reason\":\"lie\"}"),
			 MOSQ_ERR_SUCCESS);
	disconnect(&world, &c, 0);
	turn(&world);
	assert_told("online offline/client_disconnect");
	assert_string_equal(presence_of(&world, W).detail, "");
}

static void message_on_the_will_topic_of_an_earlier_turn_is_no_will(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	will(&world, &c,
	     NULL); /* the check alone: another plugin kept the message event from us */
	turn(&world);
	disconnect(&world, &c, 0);
	turn(&world);
	assert_told("online offline/client_disconnect");
}

static void late_will_only_refines_reason_and_detail(void **state)
{
	struct mosquitto c = tcp_client(W, W);
	int64_t since;

	(void)state;
	log_in(&world, &c);
	turn(&world);
	disconnect(&world, &c, -1);
	turn(&world);
	since = presence_of(&world, W).disconnected_since_ms;
	assert_told("online reconnecting/connection_closed");
	assert_int_equal(will(&world, &c, "{\"reason\":\"late\"}"), MOSQ_ERR_SUCCESS);
	turn(&world);
	assert_told("reconnecting/connection_lost");
	assert_string_equal(presence_of(&world, W).detail, "late");
	assert_int_equal(presence_of(&world, W).disconnected_since_ms, since);
}

static void late_will_after_the_return_changes_nothing(void **state)
{
	struct mosquitto c = tcp_client(W, W), again = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	turn(&world);
	disconnect(&world, &c, -1);
	turn(&world);
	log_in(&world, &again);
	turn(&world);
	assert_told("online reconnecting/connection_closed online");
	will(&world, &c, "{\"reason\":\"late\"}");
	turn(&world);
	assert_told("");
	assert_int_equal(state_of(&world, W), PRESENCE_ONLINE);
}

static void late_will_of_a_goodbye_changes_nothing(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	disconnect(&world, &c, 0);
	turn(&world);
	assert_told("online offline/client_disconnect");
	will(&world, &c, "{\"reason\":\"late\"}");
	turn(&world);
	assert_told("");
}

static void nothing_but_the_will_comes_from_an_ended_session(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	disconnect(&world, &c, CONN_LOST);
	assert_int_equal(acl(&world, &c, MOSQ_ACL_WRITE, "workers/wrk_a/metrics", "{}"),
			 MOSQ_ERR_ACL_DENIED);
	assert_int_equal(acl(&world, &c, MOSQ_ACL_READ, "workers/wrk_a/commands", "{}"),
			 MOSQ_ERR_ACL_DENIED);
	turn(&world);
	assert_int_equal(acl(&world, &c, MOSQ_ACL_WRITE, "workers/wrk_a/metrics", "{}"),
			 MOSQ_ERR_ACL_DENIED);
	assert_int_equal(acl(&world, &c, MOSQ_ACL_READ, "workers/wrk_a/commands", "{}"),
			 MOSQ_ERR_ACL_DENIED);
	assert_int_equal(will(&world, &c, NULL), MOSQ_ERR_SUCCESS);
}

/* ---- we end it ---- */

static void kick_notifies_denies_and_closes(void **state)
{
	struct mosquitto c = tcp_client(W, W);
	struct worker_id id = worker(W);

	(void)state;
	log_in(&world, &c);
	turn(&world);
	assert_int_equal(conn_close_sessions(&world.p.conns, &id, REASON_KICKED, "KICKED",
					     "bye", NULL, NULL),
			 1);
	assert_string_equal(said_on("workers/wrk_a/notice")->client_id, W);
	assert_int_equal(acl(&world, &c, MOSQ_ACL_WRITE, "workers/wrk_a/metrics", "{}"),
			 MOSQ_ERR_ACL_DENIED);
	assert_int_equal(conn_close_sessions(&world.p.conns, &id, REASON_KICKED, "KICKED",
					     "bye", NULL, NULL),
			 0);
	turns(&world, 4);
	assert_int_equal(broker.kicked_len, 1);
	assert_told("online offline/kicked");
	disconnect(&world, &c, 152); /* of a WebSocket on 2.0, turns later */
	turn(&world);
	assert_told("");
}

static struct mosquitto *kick_ends;

static void end_within_kick(const char *client_id)
{
	assert_string_equal(client_id, kick_ends->id);
	disconnect(&world, kick_ends, -1);
}

static void kick_whose_end_comes_within_the_call_is_told_once(void **state)
{
	struct mosquitto a = tcp_client(W, W), b = tcp_client(W ".b", W);
	struct worker_id id = worker(W);

	(void)state;
	log_in(&world, &a);
	log_in(&world, &b);
	turn(&world);
	kick_ends = &b;
	broker.on_kick = end_within_kick;
	session_close(&world.p.conns, connset_session(&world.p.conns, &b), REASON_KICKED,
		      "KICKED", "");
	turns(&world, 4);
	assert_told("online online online");
	kick_ends = &a;
	conn_close_sessions(&world.p.conns, &id, REASON_REVOKED, "WORKER_REVOKED", "", NULL,
			    NULL);
	turns(&world, 4);
	assert_told("offline/revoked");
	assert_int_equal(broker.kicked_len, 2);
}

static void kick_leaves_the_successor_of_its_client_id_alone(void **state)
{
	struct mosquitto old = tcp_client(W, W), new = tcp_client(W, W);

	(void)state;
	log_in(&world, &old);
	turn(&world);
	session_close(&world.p.conns, connset_session(&world.p.conns, &old), REASON_KICKED,
		      "KICKED", "");
	turns(&world, 3);
	log_in(&world, &new);
	turns(&world, 5);
	assert_int_equal(broker.kicked_len, 0);
	assert_told("online online");
	disconnect(&world, &old, -1);
	turn(&world);
	assert_told("");
}

static void closing_all_counts_an_elder_that_is_taken_over_once(void **state)
{
	struct mosquitto old = tcp_client(W, W), new = tcp_client(W, W);
	struct worker_id id = worker(W);

	(void)state;
	log_in(&world, &old);
	basic_auth(&world, &new, TOKEN);
	assert_int_equal(conn_close_sessions(&world.p.conns, &id, REASON_REVOKED,
					     "WORKER_REVOKED", "", NULL, NULL),
			 1);
	turns(&world, 5);
	assert_int_equal(broker.kicked_len, 1);
	assert_int_equal(state_of(&world, W), PRESENCE_OFFLINE);
	assert_int_equal(reason_of_worker(&world, W), REASON_REVOKED);
}

static void token_that_expires_ends_its_session_without_a_bridge(void **state)
{
	struct dir_entry entry = entry_of(W, 10, TOKEN);
	int64_t until = clock_mono_us() + 5000000;
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	entry.tokens[0].expires_ms = clock_unix_ms() + 20;
	put_entry(&world, &entry);
	log_in(&world, &c);
	turn(&world);
	while (state_of(&world, W) == PRESENCE_ONLINE && clock_mono_us() < until)
		turn(&world);
	assert_told("online offline/token_expired");
	assert_int_equal(broker.kicked_len, 1);
}

/* The heir's token is gone, the elder's is not: the elder is over all the same. */
static void elder_of_a_closed_heir_is_not_waited_for(void **state)
{
	struct mosquitto old = tcp_client(W, W), new = tcp_client(W, W);
	struct dir_entry both = entry_of(W, 10, TOKEN), one = entry_of(W, 11, "tk_old");

	(void)state;
	both.tokens_len = 2;
	token_hash("tk_old", 6, &both.tokens[1].hash);
	both.tokens[0].expires_ms = both.tokens[1].expires_ms = clock_unix_ms() + 60000;
	one.tokens[0].expires_ms = clock_unix_ms() + 70000;
	put_entry(&world, &both);
	assert_int_equal(basic_auth(&world, &old, "tk_old"), MOSQ_ERR_SUCCESS);
	turn(&world);
	assert_int_equal(basic_auth(&world, &new, TOKEN), MOSQ_ERR_SUCCESS);
	conn_tokens_changed(&world.p.conns, &both, &one);
	turns(&world, 5);
	assert_told("online online offline/revoked");
	assert_null(expiry_first(&world.p.conns.expiries));
}

static void deleted_worker_leaves_nothing(void **state)
{
	struct mosquitto c = tcp_client(W, W);
	struct worker_id id = worker(W);
	const struct said *last;

	(void)state;
	log_in(&world, &c);
	turn(&world);
	conn_close_sessions(&world.p.conns, &id, REASON_DELETED, "WORKER_DELETED", "", NULL,
			    NULL);
	conn_forget(&world.p.conns, &id);
	turns(&world, 5);
	assert_told("online offline/deleted");
	last = said_on("workers/wrk_a/presence");
	assert_true(last->retain && last->len == 0);
	assert_false(in_memory(W));
	assert_false(connset_presence(&world.p.conns, &id, &(struct presence){0}));
}

static void worker_that_is_put_again_while_it_is_being_forgotten_stays(void **state)
{
	struct mosquitto old = tcp_client(W, W), new = tcp_client(W ".b", W);
	struct worker_id id = worker(W);

	(void)state;
	log_in(&world, &old);
	turn(&world);
	conn_close_sessions(&world.p.conns, &id, REASON_DELETED, "WORKER_DELETED", "", NULL,
			    NULL);
	conn_forget(&world.p.conns, &id);
	put_worker(&world, W);
	log_in(&world, &new);
	turns(&world, 6);
	assert_int_equal(state_of(&world, W), PRESENCE_ONLINE);
	disconnect(&world, &new, 0);
	turn(&world);
	assert_int_equal(reason_of_worker(&world, W), REASON_CLIENT_DISCONNECT);
	assert_true(said_on("workers/wrk_a/presence")->len > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_ending_is_told_with_its_reason),
		ON_21(end_that_is_told_twice_is_one),
		ON_21(message_on_the_will_topic_changes_nothing),
		ON_21(message_on_the_will_topic_of_an_earlier_turn_is_no_will),
		ON_20(late_will_only_refines_reason_and_detail),
		ON_20(late_will_after_the_return_changes_nothing),
		ON_21(late_will_of_a_goodbye_changes_nothing),
		ON_20(nothing_but_the_will_comes_from_an_ended_session),
		ON_21(nothing_but_the_will_comes_from_an_ended_session),
		ON_21(kick_notifies_denies_and_closes),
		ON_20(kick_whose_end_comes_within_the_call_is_told_once),
		ON_20(kick_leaves_the_successor_of_its_client_id_alone),
		ON_21(kick_leaves_the_successor_of_its_client_id_alone),
		ON_20(closing_all_counts_an_elder_that_is_taken_over_once),
		ON_21(token_that_expires_ends_its_session_without_a_bridge),
		ON_20(elder_of_a_closed_heir_is_not_waited_for),
		ON_21(deleted_worker_leaves_nothing),
		ON_21(worker_that_is_put_again_while_it_is_being_forgotten_stays),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
