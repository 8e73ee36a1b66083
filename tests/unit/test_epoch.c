// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/epoch.h"
#include "tests/unit/unit.h"

#include <string.h>

#define LINEAGE "0123456789abcdef01234567"

static void generations_of_a_lineage_follow_each_other(void **state)
{
	char first[EPOCH_TEXT_LEN + 1], next[EPOCH_TEXT_LEN + 1];

	(void)state;
	epoch_new(first);
	epoch_next(first, next);
	assert_int_equal(strlen(first), EPOCH_TEXT_LEN);
	assert_memory_equal(first, next, 24);
	assert_string_equal(next + 24, "00000002");
	assert_int_equal(epoch_compare(first, first), EPOCH_SAME);
	assert_int_equal(epoch_compare(first, next), EPOCH_BEHIND);
	assert_int_equal(epoch_compare(next, first), EPOCH_OTHER);
}

static void databases_have_lineages_of_their_own(void **state)
{
	char one[EPOCH_TEXT_LEN + 1], other[EPOCH_TEXT_LEN + 1], next[EPOCH_TEXT_LEN + 1];

	(void)state;
	epoch_new(one);
	epoch_new(other);
	epoch_next(other, next);
	assert_string_not_equal(one, other);
	assert_int_equal(epoch_compare(one, next), EPOCH_OTHER);
}

static void what_has_another_form_is_related_to_nothing_but_itself(void **state)
{
	char next[EPOCH_TEXT_LEN + 1];

	(void)state;
	assert_int_equal(epoch_compare("x", "x"), EPOCH_SAME);
	assert_int_equal(epoch_compare("x", "y"), EPOCH_OTHER);
	assert_int_equal(epoch_compare(LINEAGE "00000001", ""), EPOCH_OTHER);
	assert_int_equal(epoch_compare(LINEAGE "0000000G", LINEAGE "00000002"), EPOCH_OTHER);
	epoch_next("x", next);
	assert_int_equal(strlen(next), EPOCH_TEXT_LEN);
	epoch_next(LINEAGE "ffffffff", next);
	assert_int_equal(epoch_compare(LINEAGE "ffffffff", next), EPOCH_OTHER);
	assert_string_equal(next + 24, "00000001");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generations_of_a_lineage_follow_each_other),
		cmocka_unit_test(databases_have_lineages_of_their_own),
		cmocka_unit_test(what_has_another_form_is_related_to_nothing_but_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
