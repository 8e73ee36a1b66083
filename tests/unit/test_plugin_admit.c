// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Logins: who may come in, and which code the audit gives for those who may not. */
#include "tests/unit/test_plugin_fake.h"

static struct world world;

static void fill_directory(void)
{
	struct dir_entry entry;

	put_worker(&world, "wrk_a");
	entry = entry_of("wrk_b", 10, "tk_of_b");
	put_entry(&world, &entry);
	put_worker(&world, "imported");
	entry = entry_of("wrk_revoked", 12, TOKEN);
	entry.status = DIR_REVOKED;
	put_entry(&world, &entry);
	entry = entry_of("wrk_update", 13, TOKEN);
	entry.status = DIR_UPDATE_REQUIRED;
	put_entry(&world, &entry);
	entry = entry_of("wrk_deleted", 14, NULL);
	entry.status = DIR_DELETED;
	put_entry(&world, &entry);
	entry = entry_of("wrk_expired", 15, TOKEN);
	entry.tokens[0].expires_ms = clock_unix_ms() - 1;
	put_entry(&world, &entry);
	entry = entry_of("wrk_later", 16, TOKEN);
	entry.tokens[0].expires_ms = clock_unix_ms() + 60000;
	put_entry(&world, &entry);
}

static int open_world(void **state)
{
	(void)state;
	world_open(&world, true, "0");
	fill_directory();
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

/* The last code that was told on the audit topic, "" if none was. */
static const char *audited(void)
{
	static char code[64];
	const struct said *s = said_on(TOPIC_AUDIT);
	struct err e = {0};
	struct json_object *doc;
	struct jread r;

	code[0] = '\0';
	if (s->len < 0)
		return code;
	doc = jread_parse(s->payload, (size_t)s->len, &e);
	jread_begin(&r, doc, &e);
	snprintf(code, sizeof(code), "%s", jread_str(&r, "code", 1, 60));
	json_object_put(doc);
	return code;
}

#define DEFER MOSQ_ERR_PLUGIN_DEFER
#define OK MOSQ_ERR_SUCCESS
#define NO MOSQ_ERR_AUTH

static void every_login_gets_its_answer_and_its_code(void **state)
{
	static const struct {
		const char *user, *password, *client_id;
		int rc;
		const char *code;
	} rows[] = {
		{"wrk_a",           TOKEN,     "wrk_a",                                   OK,    ""                 },
		{"wrk_a",           TOKEN,     "wrk_a.b",                                 OK,    ""                 },
		{"wrk_update",      TOKEN,     "wrk_update",                              OK,    ""                 },
		{"wrk_later",       TOKEN,     "wrk_later",                               OK,    ""                 },
		{"imported",        TOKEN,     "imported.x",                              OK,    ""                 },
		{"wrk_a",           "wrong",   "wrk_a",                                   NO,    "INVALID_TOKEN"    },
		{"wrk_a",           "",        "wrk_a",                                   NO,    "INVALID_TOKEN"    },
		{"wrk_a",           NULL,      "wrk_a",                                   NO,    "INVALID_TOKEN"    },
		{"wrk_a",           "tk_of_b", "wrk_a",                                   NO,    "TOKEN_MISMATCH"   },
		{"wrk_expired",     TOKEN,     "wrk_expired",                             NO,    "TOKEN_EXPIRED"    },
		{"wrk_revoked",     TOKEN,     "wrk_revoked",                             NO,    "WORKER_REVOKED"   },
		{"wrk_deleted",     TOKEN,     "wrk_deleted",                             NO,    "WORKER_NOT_FOUND" },
		{"wrk_unknown",     TOKEN,     "wrk_unknown",                             NO,    "WORKER_NOT_FOUND" },
		{"wrk_",            TOKEN,     "wrk_",                                    NO,    "WORKER_NOT_FOUND" },
		{"wrk_a b",         TOKEN,     "wrk_a b",                                 NO,    "WORKER_NOT_FOUND" },
		{"wrk_a",           TOKEN,     "wrk_b",                                   NO,    "CLIENT_ID_REFUSED"},
		{"wrk_a",           TOKEN,     "wrk_a.",                                  NO,    "CLIENT_ID_REFUSED"},
		{"wrk_a",           TOKEN,     "wrk_a.b.c",                               NO,    "CLIENT_ID_REFUSED"},
		{"wrk_a",           TOKEN,     "wrk_a_",                                  NO,    "CLIENT_ID_REFUSED"},
		{"wrk_a",           TOKEN,     "auto-123",                                NO,    "CLIENT_ID_REFUSED"},
		{"wrk_a",           TOKEN,     "wrk_a.123456789012345678901234567890123", NO,
		 "CLIENT_ID_REFUSED"										},
		{"alice",           "x",       "alice",                                   DEFER, ""                 },
		{"alice",           "x",       "wrk_a",                                   NO,    "CLIENT_ID_REFUSED"},
		{"alice",           "x",       "wrk_a.b",                                 NO,    "CLIENT_ID_REFUSED"},
		{"alice",           "x",       "imported",                                NO,    "CLIENT_ID_REFUSED"},
		{"alice",           "x",       "wrk_unknown",                             NO,    "CLIENT_ID_REFUSED"},
		{"alice",           "x",       "wrk_deleted",                             NO,    "CLIENT_ID_REFUSED"},
		{NULL,              NULL,      "wrk_a",                                   NO,    "CLIENT_ID_REFUSED"},
		{NULL,              NULL,      "sensor",                                  DEFER, ""                 },
		{"rollcall-bridge", "x",       "bridge",                                  DEFER, ""                 },
		{"rollcall-bridge", "x",       "wrk_a",                                   NO,    "CLIENT_ID_REFUSED"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mosquitto c = tcp_client(rows[i].client_id, rows[i].user);
		int rc;

		close_world(NULL);
		open_world(NULL);
		rc = basic_auth(&world, &c, rows[i].password);
		if (rc != rows[i].rc || strcmp(audited(), rows[i].code) != 0)
			fail_msg("%s as %s: %d %s", rows[i].user, rows[i].client_id, rc,
				 audited());
	}
}

static void sessions_that_would_be_kept_are_refused(void **state)
{
	struct mosquitto c = tcp_client("wrk_a", "wrk_a");

	(void)state;
	c.persistent = true;
	assert_int_equal(basic_auth(&world, &c, TOKEN), NO);
	assert_string_equal(audited(), "PERSISTENT_SESSION");
}

static void keepalive_is_from_one_to_the_limit(void **state)
{
	static const int keepalives[] = {1, 120}, refused[] = {0, 121, 65535};
	struct mosquitto c = tcp_client("wrk_a", "wrk_a");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		c.keepalive = refused[i];
		assert_int_equal(basic_auth(&world, &c, TOKEN), NO);
		assert_string_equal(audited(), "KEEPALIVE_REFUSED");
	}
	for (size_t i = 0; i < ARRAY_LEN(keepalives); i++) {
		c.keepalive = keepalives[i];
		assert_int_equal(basic_auth(&world, &c, TOKEN), OK);
		disconnect(&world, &c, 0);
		turn(&world);
	}
}

static void option_transports_refuses_tcp(void **state)
{
	struct mosquitto c = tcp_client("wrk_a", "wrk_a");

	(void)state;
	world.p.options.transports = TRANSPORTS_WEBSOCKETS;
	assert_int_equal(basic_auth(&world, &c, TOKEN), NO);
	assert_string_equal(audited(), "TRANSPORT_REFUSED");
	c.protocol = mp_websockets;
	assert_int_equal(basic_auth(&world, &c, TOKEN), OK);
}

static void sessions_of_a_worker_are_limited_but_a_takeover_always_passes(void **state)
{
	struct mosquitto a = tcp_client("wrk_a", "wrk_a"), b = tcp_client("wrk_a.b", "wrk_a"),
			 c = tcp_client("wrk_a.c", "wrk_a"),
			 again = tcp_client("wrk_a", "wrk_a");

	(void)state;
	world.p.options.max_sessions_per_worker = 2;
	log_in(&world, &a);
	log_in(&world, &b);
	assert_int_equal(basic_auth(&world, &c, TOKEN), NO);
	assert_string_equal(audited(), "TOO_MANY_SESSIONS");
	assert_int_equal(basic_auth(&world, &again, TOKEN), OK);
	disconnect(&world, &b, 0);
	turn(&world);
	disconnect(&world, &again, 0);
	assert_int_equal(basic_auth(&world, &c, TOKEN), OK);
}

static void any_of_three_tokens_lets_in_until_it_expires(void **state)
{
	struct dir_entry entry = entry_of("wrk_a", 100, NULL);
	static const char *const tokens[] = {"tk_1", "tk_2", "tk_3"};
	struct mosquitto c = tcp_client("wrk_a", "wrk_a");

	(void)state;
	entry.tokens_len = 3;
	for (int i = 0; i < 3; i++) {
		token_hash(tokens[i], 4, &entry.tokens[i].hash);
		entry.tokens[i].expires_ms = clock_unix_ms() + (i == 1 ? -1000 : 60000);
	}
	assert_int_equal(put_entry(&world, &entry), DIR_APPLIED);
	assert_int_equal(basic_auth(&world, &c, "tk_1"), OK);
	disconnect(&world, &c, 0);
	assert_int_equal(basic_auth(&world, &c, "tk_2"), NO);
	assert_string_equal(audited(), "TOKEN_EXPIRED");
	assert_int_equal(basic_auth(&world, &c, "tk_3"), OK);
	disconnect(&world, &c, 0);
	assert_int_equal(basic_auth(&world, &c, TOKEN), NO);
}

static void audit_never_tells_a_token(void **state)
{
	struct mosquitto c = tcp_client("wrk_a", "wrk_a");
	const struct said *row;

	(void)state;
	basic_auth(&world, &c, "tk_secret_of_somebody");
	row = said_on(TOPIC_AUDIT);
	assert_true(row->len > 0);
	for (size_t i = 0; i < broker.said_len; i++) {
		char *text = calloc(1, (size_t)broker.said[i].len + 1);

		memcpy(text, broker.said[i].payload, (size_t)broker.said[i].len);
		assert_null(strstr(text, "tk_secret"));
		free(text);
	}
}

static void control_topic_obeys_nobody_that_did_not_log_in_as_a_control_user(void **state)
{
	struct mosquitto alice = tcp_client("alice", "alice"),
			 bridge = tcp_client("bridge", "rollcall-bridge"),
			 stranger = tcp_client("other", "rollcall-bridge"),
			 w = tcp_client("wrk_a", "wrk_a");

	(void)state;
	log_in(&world, &w);
	basic_auth(&world, &alice, "x");
	basic_auth(&world, &bridge, "x");
	assert_int_equal(acl(&world, &w, MOSQ_ACL_WRITE, TOPIC_CONTROL, "{}"),
			 MOSQ_ERR_ACL_DENIED);
	assert_int_equal(acl(&world, &alice, MOSQ_ACL_WRITE, TOPIC_CONTROL, "{}"),
			 MOSQ_ERR_ACL_DENIED);
	/* of a listener that does not ask the plugin */
	assert_int_equal(acl(&world, &stranger, MOSQ_ACL_WRITE, TOPIC_CONTROL, "{}"),
			 MOSQ_ERR_ACL_DENIED);
	assert_int_equal(acl(&world, &bridge, MOSQ_ACL_WRITE, TOPIC_CONTROL, "{}"), OK);
	disconnect(&world, &bridge, 0);
	assert_int_equal(acl(&world, &bridge, MOSQ_ACL_WRITE, TOPIC_CONTROL, "{}"),
			 MOSQ_ERR_ACL_DENIED);
}

static void phantom_of_a_retained_message_changes_nothing(void **state)
{
	struct mosquitto c = tcp_client("wrk_a", "wrk_a"),
			 phantom = {.id = "wrk_a", .username = "wrk_a"};
	struct mosquitto_evt_acl_check ev = {.client = &phantom,
					     .topic = "workers/wrk_a/will",
					     .access = MOSQ_ACL_WRITE,
					     .retain = true};

	(void)state;
	log_in(&world, &c);
	disconnect(&world, &c, 7);
	turn(&world);
	assert_told(NULL);
	assert_int_equal(on_acl_check(MOSQ_EVT_ACL_CHECK, &ev, &world.p), MOSQ_ERR_ACL_DENIED);
	turn(&world);
	assert_told("");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_login_gets_its_answer_and_its_code),
		TEST(sessions_that_would_be_kept_are_refused),
		TEST(keepalive_is_from_one_to_the_limit),
		TEST(option_transports_refuses_tcp),
		TEST(sessions_of_a_worker_are_limited_but_a_takeover_always_passes),
		TEST(any_of_three_tokens_lets_in_until_it_expires),
		TEST(audit_never_tells_a_token),
		TEST(control_topic_obeys_nobody_that_did_not_log_in_as_a_control_user),
		TEST(phantom_of_a_retained_message_changes_nothing),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
