// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A broker that reads its configuration anew asks for the login of everybody who is there. */
#include "tests/unit/test_plugin_conn.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_20(sighup_is_no_login),
		ON_21(sighup_is_no_login),
		ON_20(sighup_that_another_plugin_kept_from_us_is_no_login_either),
		ON_21(sighup_that_another_plugin_kept_from_us_is_no_login_either),
		ON_20(sighup_leaves_a_session_that_outlived_its_connection_alone),
		ON_20(sighup_does_not_revive_a_websocket_that_was_kicked),
		ON_21(sighup_leaves_such_a_websocket_alone),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
