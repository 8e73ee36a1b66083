// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Renewed tokens in the plugin: what a worker has shown to hold is kept for the bridge, and no
 * session ends because its token was renewed. */
#include "tests/unit/test_plugin_fake.h"

#include "plugin/dirsync.h"
#include "plugin/proof.h"

#define W "wrk_a"
#define NEW_TOKEN "tk_new"
#define ACK_TOPIC "workers/wrk_a/token/ack"
#define SOON_MS 20

static struct world world;

static int open_world(void **state)
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
	world_close(&world);
	return 0;
}

static struct dir_token token_of(const char *text, enum token_role role, int64_t expires_in_ms)
{
	struct dir_token token = {.role = role};

	token_hash(text, strlen(text), &token.hash);
	if (expires_in_ms != 0)
		token.expires_ms = clock_unix_ms() + expires_in_ms;
	return token;
}

/* Puts the worker with these tokens, and what follows for its sessions. */
static void put_tokens(enum dir_status status, const struct dir_token *tokens, int len)
{
	struct dir_entry entry = entry_of(W, world.p.directory.max_n + 1, NULL), before;
	enum dir_change change;
	struct err e = {0};

	entry.status = status;
	entry.tokens_len = len;
	for (int i = 0; i < len; i++)
		entry.tokens[i] = tokens[i];
	assert_int_equal(directory_apply(&world.p.directory, &entry, &before, &change, &e),
			 ERR_OK);
	assert_int_equal(change, DIR_APPLIED);
	dirsync_enforce(&world.p.control, &before, &entry);
}

static void put_pending(int64_t current_expires_in_ms)
{
	const struct dir_token tokens[] = {
		token_of(TOKEN, TOKEN_CURRENT, current_expires_in_ms),
		token_of(NEW_TOKEN, TOKEN_PENDING, 60000),
	};

	put_tokens(DIR_ACTIVE, tokens, 2);
}

static void put_renewed(int64_t previous_expires_in_ms)
{
	const struct dir_token tokens[] = {
		token_of(NEW_TOKEN, TOKEN_CURRENT, 60000),
		token_of(TOKEN, TOKEN_PREVIOUS, previous_expires_in_ms),
	};

	put_tokens(DIR_ACTIVE, tokens, 2);
}

static const char *renewal_id(void)
{
	static char id[RENEWAL_ID_LEN + 1];
	struct token_hash hash;

	token_hash(NEW_TOKEN, strlen(NEW_TOKEN), &hash);
	renewal_id_of(&hash, id);
	return id;
}

static void acknowledge(struct mosquitto *c, const char *id, bool success)
{
	char payload[128];

	snprintf(payload, sizeof(payload), "{\"success\":%s,\"renewal_id\":\"%s\"}",
		 success ? "true" : "false", id);
	assert_int_equal(message(&world, c, ACK_TOPIC, payload), MOSQ_ERR_SUCCESS);
}

/* How the worker proved to hold its pending token; NULL: not at all. */
static const char *proof(void)
{
	static struct proof found;
	struct slice value;

	if (!store_get(world.p.store, STORE_PROOFS, W, strlen(W), &value))
		return NULL;
	assert_true(proof_decode(W, strlen(W), value, &found));
	return proof_how_name(found.how);
}

static void wait_past(int64_t span_ms)
{
	int64_t until = clock_mono_us() + (span_ms + 5) * 1000;

	while (clock_mono_us() < until)
		turn(&world);
	turns(&world, 6);
}

static void online(struct mosquitto *c)
{
	log_in(&world, c);
	turn(&world);
	assert_told("online");
}

/* ---- proofs ---- */

static void acknowledgement_of_the_pending_token_is_kept_and_told(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	put_pending(60000);
	online(&c);
	acknowledge(&c, "rnw_another", true);
	acknowledge(&c, renewal_id(), false);
	assert_int_equal(message(&world, &c, ACK_TOPIC, "{\"success\":true}"), 0);
	assert_int_equal(message(&world, &c, ACK_TOPIC, "rubbish"), 0);
	assert_null(proof());
	assert_int_equal(said_on(TOPIC_TOKEN)->len, -1);
	acknowledge(&c, renewal_id(), true);
	assert_string_equal(proof(), "acknowledgement");
	assert_non_null(strstr(said_on(TOPIC_TOKEN)->payload, renewal_id()));
}

static void login_with_the_pending_token_is_a_proof_once_it_is_accepted(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	put_pending(60000);
	assert_int_equal(basic_auth(&world, &c, NEW_TOKEN), MOSQ_ERR_SUCCESS);
	assert_null(proof());
	connect_event(&world, &c);
	assert_string_equal(proof(), "login");
}

static void login_with_another_token_proves_nothing(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	put_pending(60000);
	online(&c);
	assert_null(proof());
}

static void proof_survives_a_crash_and_goes_when_the_bridge_knows(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	put_pending(60000);
	online(&c);
	acknowledge(&c, renewal_id(), true);
	turn(&world);
	world_crash(&world, "0");
	assert_string_equal(proof(), "acknowledgement");
	put_renewed(60000);
	assert_null(proof());
}

static void proof_goes_with_its_worker(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	put_pending(60000);
	online(&c);
	acknowledge(&c, renewal_id(), true);
	put_tokens(DIR_DELETED, NULL, 0);
	assert_null(proof());
}

/* ---- sessions ---- */

static void session_outlives_its_token_when_that_was_renewed(void **state)
{
	struct mosquitto c = tcp_client(W, W), sibling = tcp_client(W ".b", W);

	(void)state;
	put_pending(60000);
	online(&c);
	online(&sibling);
	put_renewed(SOON_MS);
	wait_past(SOON_MS);
	assert_int_equal(broker.kicked_len, 0);
}

static void session_that_acknowledged_outlives_its_token_without_a_bridge(void **state)
{
	struct mosquitto c = tcp_client(W, W), sibling = tcp_client(W ".b", W);

	(void)state;
	put_pending(SOON_MS);
	online(&c);
	online(&sibling);
	acknowledge(&c, renewal_id(), true);
	wait_past(SOON_MS);
	assert_int_equal(broker.kicked_len, 1);
	assert_string_equal(broker.kicked[0], W ".b");
}

static void session_of_a_replaced_token_ends_with_it(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	put_renewed(SOON_MS);
	online(&c);
	put_renewed(SOON_MS);
	wait_past(2 * SOON_MS);
	assert_int_equal(broker.kicked_len, 1);
	assert_told("offline/token_expired");
}

static void renewed_session_ends_with_a_rotation(void **state)
{
	const struct dir_token rotated = token_of("tk_rotated", TOKEN_CURRENT, 60000);
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	put_pending(60000);
	online(&c);
	acknowledge(&c, renewal_id(), true);
	put_renewed(60000);
	put_tokens(DIR_ACTIVE, &rotated, 1);
	turns(&world, 6);
	assert_told("offline/revoked");
}

static void session_falls_back_when_what_it_acknowledged_was_given_up(void **state)
{
	const struct dir_token current = token_of(TOKEN, TOKEN_CURRENT, 60000);
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	put_pending(60000);
	online(&c);
	acknowledge(&c, renewal_id(), true);
	put_tokens(DIR_ACTIVE, &current, 1);
	turns(&world, 6);
	assert_told("");
}

static void reload_knows_a_renewed_session_by_the_token_it_came_with(void **state)
{
	struct mosquitto c = tcp_client(W, W);

	(void)state;
	put_pending(60000);
	online(&c);
	put_renewed(SOON_MS);
	wait_past(SOON_MS);
	/* The broker asks again, and a plugin before us kept the reload from us. */
	assert_int_equal(basic_auth(&world, &c, TOKEN), MOSQ_ERR_SUCCESS);
	turns(&world, 6);
	assert_told("");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(acknowledgement_of_the_pending_token_is_kept_and_told),
		TEST(login_with_the_pending_token_is_a_proof_once_it_is_accepted),
		TEST(login_with_another_token_proves_nothing),
		TEST(proof_survives_a_crash_and_goes_when_the_bridge_knows),
		TEST(proof_goes_with_its_worker),
		TEST(session_outlives_its_token_when_that_was_renewed),
		TEST(session_that_acknowledged_outlives_its_token_without_a_bridge),
		TEST(session_of_a_replaced_token_ends_with_it),
		TEST(renewed_session_ends_with_a_rotation),
		TEST(session_falls_back_when_what_it_acknowledged_was_given_up),
		TEST(reload_knows_a_renewed_session_by_the_token_it_came_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
