// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The connection object, driven by the events of each broker version in that version's order.
 */
#include "tests/unit/test_plugin_fake.h"

#include <signal.h>
#include <sys/resource.h>

#define W "wrk_a"
#define CONN_LOST 7
#define TAKEN_OVER 142

static struct world world;

/* For both kinds of broker: with and without a connect event. */
static int open_20(void **state)
{
	(void)state;
	world_open(&world, false, "60000");
	put_worker(&world, W);
	assert_told(NULL);
	return 0;
}

static int open_21(void **state)
{
	(void)state;
	world_open(&world, true, "60000");
	put_worker(&world, W);
	assert_told(NULL);
	return 0;
}

static int open_21_without_grace(void **state)
{
	(void)state;
	world_open(&world, true, "0");
	put_worker(&world, W);
	assert_told(NULL);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	assert_no_gap();
	world_close(&world);
	return 0;
}

static bool in_memory(const char *id)
{
	struct worker_id worker_id = worker(id);

	return connset_find(&world.p.conns, &worker_id) != NULL;
}

/* ---- when a session is online ---- */

static void login_alone_is_not_online(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	assert_int_equal(basic_auth(&world, &c, TOKEN), MOSQ_ERR_SUCCESS);
	assert_int_equal(state_of(&world, W), PRESENCE_OFFLINE);
	turns(&world, 10);
	assert_told("");
	connect_event(&world, &c);
	turn(&world);
	assert_told("online");
	connect_event(&world, &c);
	turn(&world);
	assert_told("");
}

static void without_connect_event_login_that_outlives_its_turn_is_online(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	assert_int_equal(basic_auth(&world, &c, TOKEN), MOSQ_ERR_SUCCESS);
	assert_int_equal(state_of(&world, W), PRESENCE_OFFLINE);
	turn(&world);
	assert_told("online");
}

static void without_connect_event_login_refused_later_was_never_online(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	assert_int_equal(basic_auth(&world, &c, TOKEN), MOSQ_ERR_SUCCESS);
	c.id = NULL; /* as 2.0.11 shows it */
	disconnect(&world, &c, -1);
	turns(&world, 10);
	assert_told("");
	assert_int_equal(state_of(&world, W), PRESENCE_OFFLINE);
}

static void without_connect_event_first_check_proves_acceptance(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	c.protocol = mp_websockets;
	assert_int_equal(basic_auth(&world, &c, TOKEN), MOSQ_ERR_SUCCESS);
	assert_int_equal(acl(&world, &c, MOSQ_ACL_SUBSCRIBE, "workers/wrk_a/commands", NULL),
			 MOSQ_ERR_SUCCESS);
	assert_int_equal(state_of(&world, W), PRESENCE_ONLINE);
	turns(&world, 10);
	assert_told("online");
}

static void refused_login_shows_nothing_and_disturbs_nothing(void **state)
{
	struct mosquitto c = tcp_client(W, W), thief = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	turn(&world);
	assert_told("online");
	assert_int_equal(basic_auth(&world, &thief, "tk_wrong"), MOSQ_ERR_AUTH);
	disconnect(&world, &thief, -1);
	turns(&world, 10);
	assert_told("");
	assert_int_equal(state_of(&world, W), PRESENCE_ONLINE);
}

static void login_that_the_broker_refuses_leaves_the_live_session_alone(void **state)
{
	struct mosquitto c = tcp_client(W, W), other = tcp_client(W ".b", W);

	(void)state;
	log_in(&world, &c);
	turn(&world);
	assert_told("online");
	assert_int_equal(basic_auth(&world, &other, TOKEN), MOSQ_ERR_SUCCESS);
	disconnect(&world, &other, 3);
	assert_int_equal(will(&world, &other, "{\"reason\":\"x\"}"), MOSQ_ERR_SUCCESS);
	turns(&world, 10);
	assert_told("");
}

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

/* ---- takeovers ---- */

static void takeover_changes_the_generation_and_shows_no_offline(void **state)
{
	struct mosquitto old = tcp_client(W, W), new = tcp_client(W, W);

	(void)state;
	log_in(&world, &old);
	turn(&world);
	basic_auth(&world, &new, TOKEN);
	will(&world, &old, "{\"reason\":\"taken over\"}");
	disconnect(&world, &old, TAKEN_OVER);
	connect_event(&world, &new);
	turn(&world);
	assert_told("online online");
	assert_int_equal(broker.events[1].generation, broker.events[0].generation + 1);
	assert_int_equal(presence_of(&world, W).sessions, 1);
}

static void without_connect_event_end_of_the_elder_proves_the_heir(void **state)
{
	struct mosquitto old = tcp_client(W, W), new = tcp_client(W, W);

	(void)state;
	log_in(&world, &old);
	basic_auth(&world, &new, TOKEN);
	will(&world, &old, NULL);
	disconnect(&world, &old, -1);
	assert_int_equal(state_of(&world, W), PRESENCE_ONLINE);
	turns(&world, 4);
	assert_told("online online");
	assert_int_equal(presence_of(&world, W).sessions, 1);
}

static void end_of_the_elder_that_comes_seconds_late_is_no_news(void **state)
{
	struct mosquitto old = tcp_client(W, W), new = tcp_client(W, W);

	(void)state;
	old.protocol = new.protocol = mp_websockets;
	log_in(&world, &old);
	basic_auth(&world, &new, TOKEN);
	will(&world, &old, NULL);
	turns(&world, 10);
	assert_told("online online");
	/* the old connection may do nothing any more */
	assert_int_equal(acl(&world, &old, MOSQ_ACL_WRITE, "workers/wrk_a/metrics", "{}"),
			 MOSQ_ERR_ACL_DENIED);
	disconnect(&world, &old, -1);
	turns(&world, 3);
	assert_told("");
	assert_int_equal(presence_of(&world, W).sessions, 1);
}

static void takeover_that_fails_after_all_ends_offline(void **state)
{
	struct mosquitto old = tcp_client(W, W), new = tcp_client(W, W);

	(void)state;
	log_in(&world, &old);
	turn(&world);
	basic_auth(&world, &new, TOKEN);
	disconnect(&world, &old, TAKEN_OVER);
	disconnect(&world, &new, CONN_LOST);
	turn(&world);
	assert_told("online reconnecting/connection_lost");
}

static void count_of_sessions_is_told_when_a_takeover_fails(void **state)
{
	struct mosquitto a = tcp_client(W, W), b = tcp_client(W ".b", W),
			 again = tcp_client(W, W);

	(void)state;
	log_in(&world, &a);
	log_in(&world, &b);
	turn(&world);
	basic_auth(&world, &again, TOKEN);
	disconnect(&world, &a, TAKEN_OVER);
	disconnect(&world, &again, CONN_LOST);
	turn(&world);
	assert_told("online online online");
	assert_int_equal(presence_of(&world, W).sessions, 1);
}

/* ---- several sessions, grace ---- */

static void second_session_keeps_it_online(void **state)
{
	struct mosquitto a = tcp_client(W, W), b = tcp_client(W ".b", W);

	(void)state;
	log_in(&world, &a);
	log_in(&world, &b);
	turn(&world);
	assert_int_equal(presence_of(&world, W).sessions, 2);
	disconnect(&world, &a, CONN_LOST);
	turn(&world);
	assert_told("online online online");
	assert_int_equal(presence_of(&world, W).sessions, 1);
	assert_int_equal(presence_of(&world, W).generation, 2);
	disconnect(&world, &b, CONN_LOST);
	turn(&world);
	assert_told("reconnecting/connection_lost");
	assert_int_equal(presence_of(&world, W).sessions, 0);
}

static void both_sessions_that_end_in_one_turn_are_one_loss(void **state)
{
	struct mosquitto a = tcp_client(W, W), b = tcp_client(W ".b", W);

	(void)state;
	log_in(&world, &a);
	log_in(&world, &b);
	turn(&world);
	disconnect(&world, &b, CONN_LOST);
	disconnect(&world, &a, CONN_LOST);
	turn(&world);
	assert_told("online online online reconnecting/connection_lost");
}

static void grace_ends_offline_with_the_first_reason(void **state)
{
	int64_t until = clock_mono_us() + 5000000, since;
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	world.p.options.reconnect_grace_ms = 20;
	log_in(&world, &c);
	turn(&world);
	disconnect(&world, &c, CONN_LOST);
	will(&world, &c, "{\"reason\":\"tunnel\"}");
	turn(&world);
	assert_int_equal(state_of(&world, W), PRESENCE_RECONNECTING);
	since = presence_of(&world, W).disconnected_since_ms;
	while (state_of(&world, W) == PRESENCE_RECONNECTING && clock_mono_us() < until)
		turn(&world);
	assert_told("online reconnecting/connection_lost offline/connection_lost");
	assert_string_equal(presence_of(&world, W).detail, "tunnel");
	assert_int_equal(presence_of(&world, W).disconnected_since_ms, since);
}

static void return_within_grace_is_never_offline(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	disconnect(&world, &c, CONN_LOST);
	turn(&world);
	log_in(&world, &c);
	turns(&world, 3);
	assert_told("online reconnecting/connection_lost online");
	assert_int_equal(presence_of(&world, W).disconnected_since_ms, 0);
}

static void without_grace_loss_is_offline_at_once(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	disconnect(&world, &c, CONN_LOST);
	turn(&world);
	assert_told("online offline/connection_lost");
	assert_false(in_memory(W));
}

/* ---- memory: what a turn frees, and what the next login finds ---- */

static void login_in_the_turn_of_a_refused_one_keeps_its_object(void **state)
{
	struct mosquitto refused = tcp_client(W, W), c = tcp_client(W, W);

	(void)state;
	basic_auth(&world, &refused, TOKEN);
	disconnect(&world, &refused, CONN_LOST);
	log_in(&world, &c);
	turn(&world);
	assert_told("online");
	assert_true(in_memory(W));
	disconnect(&world, &c, 0);
	turn(&world);
	assert_told("offline/client_disconnect");
}

static void login_in_the_turn_of_a_late_will_keeps_its_object(void **state)
{
	struct mosquitto old = tcp_client(W, W), c = tcp_client(W, W);

	(void)state;
	log_in(&world, &old);
	disconnect(&world, &old, CONN_LOST);
	turn(&world);
	will(&world, &old, "{\"reason\":\"late\"}");
	basic_auth(&world, &c, TOKEN);
	turns(&world, 2);
	connect_event(&world, &c);
	turn(&world);
	assert_told("online offline/connection_lost offline/connection_lost online");
}

static void client_at_the_address_of_a_forgotten_one_is_another_session(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	turn(&world);
	c.id = W ".b"; /* the end of the first was never told */
	log_in(&world, &c);
	turn(&world);
	assert_told("online offline/connection_lost online");
	assert_int_equal(presence_of(&world, W).sessions, 1);
	disconnect(&world, &c, CONN_LOST);
	turn(&world);
	assert_told("offline/connection_lost");
}

static void stranger_at_the_address_of_a_session_inherits_nothing(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	turn(&world);
	c.id = c.username = "alice";
	assert_int_equal(basic_auth(&world, &c, "x"), MOSQ_ERR_PLUGIN_DEFER);
	assert_int_equal(acl(&world, &c, MOSQ_ACL_WRITE, "workers/wrk_a/metrics", "{}"),
			 MOSQ_ERR_ACL_DENIED);
	turn(&world);
	assert_told("online offline/connection_lost");
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

/* ---- SIGHUP ---- */

static void sighup_is_no_login(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	turn(&world);
	reload(&world);
	assert_int_equal(basic_auth(&world, &c, TOKEN), MOSQ_ERR_SUCCESS);
	turns(&world, 5);
	assert_told("online");
	assert_int_equal(presence_of(&world, W).sessions, 1);
}

static void sighup_that_another_plugin_kept_from_us_is_no_login_either(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	log_in(&world, &c);
	turn(&world);
	assert_int_equal(basic_auth(&world, &c, TOKEN), MOSQ_ERR_SUCCESS);
	turns(&world, 5);
	assert_told("online");
	assert_int_equal(state_of(&world, W), PRESENCE_ONLINE);
}

static void sighup_leaves_a_session_that_outlived_its_connection_alone(void **state)
{
	struct mosquitto gone = tcp_client(W, W);

	(void)state;
	log_in(&world, &gone);
	disconnect(&world, &gone, CONN_LOST);
	turn(&world);
	reload(&world);
	/* Refused, it would be freed once and kept in two places by 2.0. */
	assert_int_equal(basic_auth(&world, &gone, TOKEN), MOSQ_ERR_SUCCESS);
	turns(&world, 5);
	assert_told("online reconnecting/connection_lost");
	assert_int_equal(acl(&world, &gone, MOSQ_ACL_READ, "workers/" W "/commands", NULL),
			 MOSQ_ERR_ACL_DENIED);
}

/* 2.1 reads WebSockets where it reads TCP, so that one is no login either: nobody would ever
 * accept or end it, until a kick or a revocation took it for a live one. */
static void sighup_leaves_such_a_websocket_alone(void **state)
{
	struct mosquitto gone = tcp_client(W, W);

	(void)state;
	gone.protocol = mp_websockets;
	log_in(&world, &gone);
	disconnect(&world, &gone, CONN_LOST);
	turn(&world);
	reload(&world);
	assert_int_equal(basic_auth(&world, &gone, TOKEN), MOSQ_ERR_SUCCESS);
	assert_null(connset_session(&world.p.conns, &gone));
	turns(&world, 5);
	assert_told("online reconnecting/connection_lost");
}

/* 2.0 has such a client until its library has given the connection up. */
static void sighup_does_not_revive_a_websocket_that_was_kicked(void **state)
{
	struct mosquitto c = tcp_client(W, W);
	struct worker_id id = worker(W);

	(void)state;
	c.protocol = mp_websockets;
	log_in(&world, &c);
	assert_int_equal(conn_close_sessions(&world.p.conns, &id, REASON_KICKED, "KICKED", "x",
					     NULL, NULL),
			 1);
	turns(&world, 6);
	assert_string_equal(broker.kicked[0], W);
	assert_told("online offline/kicked");
	reload(&world);
	assert_int_equal(basic_auth(&world, &c, TOKEN), MOSQ_ERR_AUTH);
	turns(&world, 6);
	assert_told("");
	disconnect(&world, &c, CONN_LOST);
	log_in(&world, &c);
	turn(&world);
	assert_told("online");
}

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

#define ON_20(test) cmocka_unit_test_setup_teardown(test, open_20, close_world)
#define ON_21(test) cmocka_unit_test_setup_teardown(test, open_21, close_world)
#define NO_GRACE(test) cmocka_unit_test_setup_teardown(test, open_21_without_grace, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_21(login_alone_is_not_online),
		ON_20(without_connect_event_login_that_outlives_its_turn_is_online),
		ON_20(without_connect_event_login_refused_later_was_never_online),
		ON_20(without_connect_event_first_check_proves_acceptance),
		ON_20(refused_login_shows_nothing_and_disturbs_nothing),
		ON_21(refused_login_shows_nothing_and_disturbs_nothing),
		ON_21(login_that_the_broker_refuses_leaves_the_live_session_alone),
		cmocka_unit_test(every_ending_is_told_with_its_reason),
		ON_21(end_that_is_told_twice_is_one),
		ON_21(message_on_the_will_topic_changes_nothing),
		ON_21(message_on_the_will_topic_of_an_earlier_turn_is_no_will),
		ON_20(late_will_only_refines_reason_and_detail),
		ON_20(late_will_after_the_return_changes_nothing),
		ON_21(late_will_of_a_goodbye_changes_nothing),
		ON_20(nothing_but_the_will_comes_from_an_ended_session),
		ON_21(nothing_but_the_will_comes_from_an_ended_session),
		ON_21(takeover_changes_the_generation_and_shows_no_offline),
		ON_20(without_connect_event_end_of_the_elder_proves_the_heir),
		ON_20(end_of_the_elder_that_comes_seconds_late_is_no_news),
		ON_21(takeover_that_fails_after_all_ends_offline),
		ON_21(count_of_sessions_is_told_when_a_takeover_fails),
		ON_20(second_session_keeps_it_online),
		ON_21(second_session_keeps_it_online),
		ON_21(both_sessions_that_end_in_one_turn_are_one_loss),
		ON_21(grace_ends_offline_with_the_first_reason),
		ON_21(return_within_grace_is_never_offline),
		NO_GRACE(without_grace_loss_is_offline_at_once),
		ON_21(login_in_the_turn_of_a_refused_one_keeps_its_object),
		ON_20(login_in_the_turn_of_a_refused_one_keeps_its_object),
		NO_GRACE(login_in_the_turn_of_a_late_will_keeps_its_object),
		NO_GRACE(client_at_the_address_of_a_forgotten_one_is_another_session),
		NO_GRACE(stranger_at_the_address_of_a_session_inherits_nothing),
		ON_21(kick_notifies_denies_and_closes),
		ON_20(kick_whose_end_comes_within_the_call_is_told_once),
		ON_20(kick_leaves_the_successor_of_its_client_id_alone),
		ON_21(kick_leaves_the_successor_of_its_client_id_alone),
		ON_20(closing_all_counts_an_elder_that_is_taken_over_once),
		ON_21(token_that_expires_ends_its_session_without_a_bridge),
		ON_20(elder_of_a_closed_heir_is_not_waited_for),
		ON_21(deleted_worker_leaves_nothing),
		ON_21(worker_that_is_put_again_while_it_is_being_forgotten_stays),
		ON_20(sighup_is_no_login),
		ON_21(sighup_is_no_login),
		ON_20(sighup_that_another_plugin_kept_from_us_is_no_login_either),
		ON_21(sighup_that_another_plugin_kept_from_us_is_no_login_either),
		ON_20(sighup_leaves_a_session_that_outlived_its_connection_alone),
		ON_20(sighup_does_not_revive_a_websocket_that_was_kicked),
		ON_21(sighup_leaves_such_a_websocket_alone),
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
