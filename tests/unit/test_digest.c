// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/digest.h"
#include "tests/unit/unit.h"

static const struct presence online = {
	.worker = {"wrk_a"},
	.state = PRESENCE_ONLINE,
	.sessions = 1,
	.pos = { 10,     20},
	.generation = 7,
};

/* FNV-1a of "wrk_a online 7 1", mixed by MurmurHash3's finaliser, as the reference says;
 * computed by another program. */
static void the_hash_is_the_documented_one(void **state)
{
	struct digest d = {0};
	char text[DIGEST_TEXT_SIZE];

	(void)state;
	digest_add(&d, &online);
	digest_print_hash(&d, text);
	assert_string_equal(text, "7a8737bc2987616e");
	assert_int_equal(d.count, 1);
}

static void each_part_of_what_is_told_counts(void **state)
{
	struct presence others[] = {online, online, online, online};
	struct digest d = {0}, e;

	(void)state;
	digest_add(&d, &online);
	snprintf(others[0].worker.text, sizeof(others[0].worker.text), "wrk_b");
	others[1].state = PRESENCE_RECONNECTING;
	others[2].sessions = 2;
	others[3].generation = 8;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		e = (struct digest){0};
		digest_add(&e, &others[i]);
		assert_false(digest_equal(&d, &e));
	}
}

static void order_does_not_matter_and_what_goes_leaves_nothing(void **state)
{
	struct presence all[100];
	struct digest d = {0}, e = {0};

	(void)state;
	for (int i = 0; i < 100; i++) {
		all[i] = online;
		snprintf(all[i].worker.text, sizeof(all[i].worker.text), "wrk_%d", i);
		all[i].state = (enum presence_state)(i % 3);
		digest_add(&d, &all[i]);
	}
	for (int i = 99; i >= 0; i--)
		digest_add(&e, &all[i]);
	assert_true(digest_equal(&d, &e));
	assert_int_equal(d.count, 33);
	for (int i = 0; i < 100; i++)
		digest_remove(&d, &all[i]);
	assert_true(digest_equal(&d, &(struct digest){0}));
}

static void what_is_offline_counts_nothing(void **state)
{
	struct presence offline = online;
	struct digest d = {0};

	(void)state;
	offline.state = PRESENCE_OFFLINE;
	digest_add(&d, &offline);
	assert_true(digest_equal(&d, &(struct digest){0}));
}

static void a_printed_hash_is_read_back(void **state)
{
	static const char *const wrong[] = {"",
					    "0",
					    "00000000000000001",
					    "000000000000000g",
					    "-000000000000001",
					    "0x00000000000000"};
	struct digest d = {0}, back = {0};
	char text[DIGEST_TEXT_SIZE];

	(void)state;
	digest_add(&d, &online);
	digest_print_hash(&d, text);
	assert_true(digest_parse_hash(&back, text));
	assert_int_equal(back.hash, d.hash);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(digest_parse_hash(&back, wrong[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_is_the_documented_one),
		cmocka_unit_test(each_part_of_what_is_told_counts),
		cmocka_unit_test(order_does_not_matter_and_what_goes_leaves_nothing),
		cmocka_unit_test(what_is_offline_counts_nothing),
		cmocka_unit_test(a_printed_hash_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
