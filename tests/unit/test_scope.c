// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/scope.h"
#include "tests/unit/unit.h"

static void scopes_survive_being_printed(void **state)
{
	char text[SCOPES_TEXT_SIZE];

	(void)state;
	for (unsigned scopes = 0; scopes <= SCOPES_ADMIN; scopes++) {
		scopes_print(scopes, text);
		assert_int_equal(scopes_parse(text), scopes);
	}
	scopes_print(SCOPES_ADMIN, text);
	assert_string_equal(text, "read,workers:write,commands:write,admin");
}

static void what_nobody_chooses_is_not_printed(void **state)
{
	char text[SCOPES_TEXT_SIZE];

	(void)state;
	scopes_print(SCOPE_SESSION | SCOPE_SIGNED_IN | SCOPE_READ, text);
	assert_string_equal(text, "read");
}

static void unknown_names_grant_nothing(void **state)
{
	(void)state;
	assert_int_equal(scopes_parse("everything,read,,workers"), SCOPE_READ);
	assert_int_equal(scope_parse("", 0), SCOPE_OPEN);
	assert_int_equal(scope_parse("admins", 6), SCOPE_OPEN);
}

static void a_viewer_may_read_and_no_more(void **state)
{
	(void)state;
	assert_int_equal(SCOPES_VIEWER, SCOPE_READ);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(scopes_survive_being_printed),
	cmocka_unit_test(what_nobody_chooses_is_not_printed),
	cmocka_unit_test(unknown_names_grant_nothing),
	cmocka_unit_test(a_viewer_may_read_and_no_more),
};

UNIT_MAIN(tests)
