// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The connection object, driven by the events of each broker version in that version's order:
 * when it is online, and what of several sessions. */
#include "tests/unit/test_plugin_conn.h"

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
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
