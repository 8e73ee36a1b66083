// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/ident.h"
#include "tests/unit/unit.h"

static bool is_worker(const char *text)
{
	struct worker_id id;

	return worker_id_parse(text, strlen(text), &id) && strcmp(id.text, text) == 0;
}

static void worker_ids_have_a_form(void **state)
{
	char longest[WORKER_ID_MAX + 2];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[WORKER_ID_MAX + 1] = '\0';
	assert_false(is_worker(longest));
	longest[WORKER_ID_MAX] = '\0';
	assert_true(is_worker(longest));
	assert_true(is_worker("a"));
	assert_true(is_worker("A-b_9"));
	assert_true(is_worker("statuses"));
	assert_false(is_worker(""));
	assert_false(is_worker("status"));
	assert_false(is_worker("events"));
	assert_false(is_worker("a.b"));
	assert_false(is_worker("a/b"));
	assert_false(is_worker("+"));
	assert_false(is_worker("\xC3\xBC"));
}

static void made_worker_ids_are_valid_and_differ(void **state)
{
	struct worker_id a, b;

	(void)state;
	worker_id_generate(&a);
	worker_id_generate(&b);
	assert_int_equal(strlen(a.text), 20);
	assert_memory_equal(a.text, "wrk_", 4);
	assert_int_equal(strspn(a.text + 4, "abcdefghijklmnopqrstuvwxyz234567"), 16);
	assert_true(is_worker(a.text));
	assert_false(worker_id_equal(&a, &b));
}

static void client_ids_are_split(void **state)
{
	struct worker_id id;
	const char *suffix;

	(void)state;
	assert_true(client_id_split("wrk_a", &id, &suffix));
	assert_string_equal(id.text, "wrk_a");
	assert_string_equal(suffix, "");
	assert_true(client_id_split("wrk_a.b-2_", &id, &suffix));
	assert_string_equal(id.text, "wrk_a");
	assert_string_equal(suffix, "b-2_");
	assert_true(client_id_split("w.aaaaaaaabbbbbbbbccccccccdddddddd", &id, &suffix));
	assert_false(client_id_split("w.aaaaaaaabbbbbbbbccccccccddddddddd", &id, &suffix));
	assert_false(client_id_split("wrk_a.", &id, &suffix));
	assert_false(client_id_split("wrk_a.b.c", &id, &suffix));
	assert_false(client_id_split(".b", &id, &suffix));
	assert_false(client_id_split("", &id, &suffix));
}

static void tokens_have_48_random_bytes(void **state)
{
	struct token a, b;

	(void)state;
	token_generate(&a);
	token_generate(&b);
	assert_int_equal(strlen(a.text), TOKEN_TEXT_LEN);
	assert_memory_equal(a.text, "tk_", 3);
	assert_int_equal(
		strspn(a.text + 3,
		       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
		64);
	assert_string_not_equal(a.text, b.text);
}

static void a_hash_is_lowercase_hex_sha_256(void **state)
{
	struct token_hash hash, back, other;
	char hex[TOKEN_HEX_LEN + 1];

	(void)state;
	token_hash("abc", 3, &hash);
	token_hash_print(&hash, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(token_hash_parse(hex, TOKEN_HEX_LEN, &back));
	assert_true(token_hash_equal(&hash, &back));
	token_hash("abd", 3, &other);
	assert_false(token_hash_equal(&hash, &other));
	assert_false(token_hash_parse(hex, TOKEN_HEX_LEN - 1, &back));
	hex[5] = 'x';
	assert_false(token_hash_parse(hex, TOKEN_HEX_LEN, &back));
}

static void command_ids_sort_by_time(void **state)
{
	struct command_id early, late, back;

	(void)state;
	command_id_generate(1795442708542, &early);
	command_id_generate(1795442708543, &late);
	assert_int_equal(strlen(early.text), COMMAND_ID_LEN);
	assert_true(strcmp(early.text, late.text) < 0);
	assert_true(command_id_parse(early.text, COMMAND_ID_LEN, &back));
	assert_string_equal(early.text, back.text);
}

static void a_commands_time_is_a_ulids(void **state)
{
	struct command_id id;

	(void)state;
	command_id_generate(1469918176385, &id); /* the example of the ULID specification */
	assert_memory_equal(id.text, "cmd_01ARYZ6S41", 14);
	assert_int_equal(command_id_ms(&id), 1469918176385);
}

static void a_floor_parts_the_ids_made_before_from_those_made_since(void **state)
{
	struct command_id before, floor, since;

	(void)state;
	for (int i = 0; i < 100; i++) {
		command_id_generate(1795442708541, &before);
		command_id_floor(1795442708542, &floor);
		command_id_generate(1795442708542, &since);
		assert_true(strcmp(before.text, floor.text) < 0);
		assert_true(strcmp(floor.text, since.text) <= 0);
	}
}

static void batch_ids_are_of_their_own_kind(void **state)
{
	struct batch_id id, back;
	struct command_id command;

	(void)state;
	batch_id_generate(1469918176385, &id);
	assert_true(batch_id_parse(id.text, BATCH_ID_LEN, &back));
	assert_string_equal(back.text, id.text);
	assert_int_equal(strncmp(id.text, "bat_01ARYZ6S41", 14), 0);
	assert_false(command_id_parse(id.text, BATCH_ID_LEN, &command));
	assert_false(batch_id_parse("bat_01ARYZ6S41000000000000000", 29, &back));
}

static void what_is_no_command_id_is_refused(void **state)
{
	struct command_id id;

	(void)state;
	assert_false(command_id_parse("cmd_01ARYZ6S41000000000000000", 29, &id));
	assert_false(command_id_parse("cmx_01ARYZ6S410000000000000000", COMMAND_ID_LEN, &id));
	assert_false(command_id_parse("cmd_01ARYZ6S41000000000000000U", COMMAND_ID_LEN, &id));
	assert_false(command_id_parse("cmd_01aryz6s410000000000000000", COMMAND_ID_LEN, &id));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(worker_ids_have_a_form),
	cmocka_unit_test(made_worker_ids_are_valid_and_differ),
	cmocka_unit_test(client_ids_are_split),
	cmocka_unit_test(tokens_have_48_random_bytes),
	cmocka_unit_test(a_hash_is_lowercase_hex_sha_256),
	cmocka_unit_test(command_ids_sort_by_time),
	cmocka_unit_test(a_commands_time_is_a_ulids),
	cmocka_unit_test(what_is_no_command_id_is_refused),
	cmocka_unit_test(a_floor_parts_the_ids_made_before_from_those_made_since),
	cmocka_unit_test(batch_ids_are_of_their_own_kind),
};

UNIT_MAIN(tests)
