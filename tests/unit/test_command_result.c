// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/command_result.h"
#include "tests/unit/unit.h"

#include <string.h>

#define ID "cmd_01KB8RZ0000000000000000000"

static const struct worker_id worker = {"wrk_a"};

static enum err_code parse(const char *text, struct command_result *out, struct err *e)
{
	e->code = ERR_OK;
	return command_result_parse(&worker, text, strlen(text), out, e);
}

static void each_status_is_read(void **state)
{
	static const struct {
		const char *text;
		enum command_state status;
	} rows[] = {
		{"{\"command_id\":\"" ID "\",\"status\":\"accepted\"}", COMMAND_ACCEPTED},
		{"{\"command_id\":\"" ID "\",\"status\":\"done\"}",     COMMAND_DONE    },
		{"{\"command_id\":\"" ID "\",\"status\":\"failed\"}",   COMMAND_FAILED  },
	};
	struct command_result r;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(parse(rows[i].text, &r, &e), ERR_OK);
		assert_int_equal(r.status, rows[i].status);
		assert_string_equal(r.command.text, ID);
		assert_null(r.result);
		assert_null(r.error);
		command_result_fini(&r);
	}
}

static void any_json_may_be_the_result(void **state)
{
	struct command_result r;
	struct err e;

	(void)state;
	assert_int_equal(parse("{\"command_id\":\"" ID "\",\"status\":\"done\","
			       "\"result\": {\"a\": [1, \"x/y\", null]}, \"error\":\"none\"}",
			       &r, &e),
			 ERR_OK);
	assert_string_equal(r.result, "{\"a\":[1,\"x/y\",null]}");
	assert_string_equal(r.error, "none");
	command_result_fini(&r);
	assert_int_equal(
		parse("{\"command_id\":\"" ID "\",\"status\":\"done\",\"result\":7}", &r, &e),
		ERR_OK);
	assert_string_equal(r.result, "7");
	command_result_fini(&r);
}

static void what_is_wrong_is_refused_but_answerable_where_the_id_is_good(void **state)
{
	static const struct {
		const char *text;
		bool answerable;
	} rows[] = {
		{"",							       false},
		{"7",							      false},
		{"{}",							     false},
		{"{\"status\":\"done\"}",					  false},
		{"{\"command_id\":7,\"status\":\"done\"}",                         false},
		{"{\"command_id\":\"cmd_1\",\"status\":\"done\"}",                 false},
		{"{\"command_id\":\"" ID "x\",\"status\":\"done\"}",               false},
		{"{\"command_id\":\"" ID "\"}",                                    true },
		{"{\"command_id\":\"" ID "\",\"status\":\"sent\"}",                true },
		{"{\"command_id\":\"" ID "\",\"status\":\"expired\"}",             true },
		{"{\"command_id\":\"" ID "\",\"status\":\"DONE\"}",                true },
		{"{\"command_id\":\"" ID "\",\"status\":[]}",                      true },
		{"{\"command_id\":\"" ID "\",\"status\":\"failed\",\"error\":{}}", true },
	};
	struct command_result r;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(parse(rows[i].text, &r, &e), ERR_INVALID_REQUEST);
		assert_int_equal(r.command.text[0] != '\0', rows[i].answerable);
		command_result_fini(&r);
	}
}

static void states_are_final_or_not(void **state)
{
	(void)state;
	assert_false(command_state_final(COMMAND_QUEUED));
	assert_false(command_state_final(COMMAND_SENT));
	assert_false(command_state_final(COMMAND_ACCEPTED));
	assert_true(command_state_final(COMMAND_DONE));
	assert_true(command_state_final(COMMAND_FAILED));
	assert_true(command_state_final(COMMAND_EXPIRED));
	assert_true(command_state_final(COMMAND_CANCELLED));
}

static void states_have_names(void **state)
{
	enum command_state s;

	(void)state;
	assert_true(command_state_parse("accepted", &s));
	assert_int_equal(s, COMMAND_ACCEPTED);
	assert_string_equal(command_state_name(s), "accepted");
	assert_false(command_state_parse("Accepted", &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_status_is_read),
		cmocka_unit_test(any_json_may_be_the_result),
		cmocka_unit_test(what_is_wrong_is_refused_but_answerable_where_the_id_is_good),
		cmocka_unit_test(states_are_final_or_not),
		cmocka_unit_test(states_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
