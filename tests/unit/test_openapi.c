// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/openapi.h"
#include "bridge/http/routes.h"
#include "tests/unit/unit.h"

#include <json-c/json.h>

static struct err e;

static struct json_object *make(const struct route table[], size_t len)
{
	char *json = openapi_make(table, len, "1.2.3", &e);
	struct json_object *doc = json != NULL ? json_tokener_parse(json) : NULL;

	free(json);
	return doc;
}

/* By a JSON pointer without its first slash, whose parts are separated by "|". */
static struct json_object *at(struct json_object *o, const char *path)
{
	char part[100];

	while (*path != '\0') {
		const size_t len = strcspn(path, "|");

		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		o = json_object_is_type(o, json_type_array)
			    ? json_object_array_get_idx(o, (size_t)atoi(part))
			    : json_object_object_get(o, part);
		path += len + (path[len] == '|' ? 1 : 0);
	}
	return o;
}

static void assert_json(struct json_object *doc, const char *path, const char *json)
{
	assert_string_equal(
		json_object_to_json_string_ext(
			at(doc, path), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
		json);
}

static void every_route_is_described_and_nothing_else(void **state)
{
	struct json_object *doc = make(routes, routes_len);
	size_t n = 0;

	(void)state;
	if (doc == NULL)
		fail_msg("%s", e.msg);
	json_object_object_foreach(at(doc, "paths"), path, item)
	{
		(void)path;
		json_object_object_foreach(item, method, op)
		{
			(void)op;
			n += strcmp(method, "parameters") != 0;
		}
	}
	assert_int_equal(n, routes_len);
	assert_json(doc, "info|version", "\"1.2.3\"");
	json_object_put(doc);
}

static void who_may_ask_follows_from_the_route(void **state)
{
	struct json_object *doc = make(routes, routes_len);

	(void)state;
	assert_non_null(doc);
	assert_json(doc, "paths|/livez|get|security", "[]");
	assert_json(doc, "paths|/workers|post|security",
		    "[{\"bearer\":[\"workers:write\"]},{\"cookie\":[\"workers:write\"]}]");
	assert_json(doc, "paths|/auth/me|get|security", "[{\"bearer\":[]},{\"cookie\":[]}]");
	assert_json(doc, "paths|/auth/logout|post|security",
		    "[{\"session\":[]},{\"cookie\":[]}]");
	json_object_put(doc);
}

static void errors_have_their_codes(void **state)
{
	struct json_object *doc = make(routes, routes_len);

	(void)state;
	assert_non_null(doc);
	assert_json(doc, "paths|/workers/{id}/renew|post|responses|409",
		    "{\"$ref\":\"#/components/responses/"
		    "CONFLICT.WORKER_NOT_CONNECTED.WORKER_REVOKED\"}");
	assert_json(doc,
		    "components|responses|CONFLICT.WORKER_NOT_CONNECTED.WORKER_REVOKED|content|"
		    "application/json|schema|allOf|1|properties|error|properties|code|enum",
		    "[\"CONFLICT\",\"WORKER_NOT_CONNECTED\",\"WORKER_REVOKED\"]");
	assert_null(at(doc, "paths|/workers/{id}/renew|post|x-errors"));
	/* Nobody is refused at an open route, and nothing is read by a GET. */
	assert_null(at(doc, "paths|/livez|get|responses|401"));
	assert_null(at(doc, "paths|/workers|get|responses|415"));
	assert_non_null(at(doc, "paths|/workers|post|responses|415"));
	json_object_put(doc);
}

static void a_status_with_its_own_answer_may_be_an_error_too(void **state)
{
	struct json_object *doc = make(routes, routes_len);

	(void)state;
	assert_non_null(doc);
	assert_json(doc,
		    "paths|/readyz|get|responses|503|content|application/json|schema|anyOf|0",
		    "{\"$ref\":\"#/components/schemas/Readiness\"}");
	assert_json(doc,
		    "paths|/readyz|get|responses|503|content|application/json|schema|anyOf|1|"
		    "allOf|0",
		    "{\"$ref\":\"#/components/schemas/Error\"}");
	json_object_put(doc);
}

static void a_route_that_is_not_described_is_found(void **state)
{
	static const struct route table[] = {
		{HTTP_POST, "/workers/{worker}/sing", SCOPE_READ, NULL}
        };

	(void)state;
	assert_null(make(table, ARRAY_LEN(table)));
	assert_string_equal(
		e.msg, "post /workers/{worker}/sing: has no operation in bridge/http/openapi/");
}

static void an_operation_without_a_route_is_found(void **state)
{
	static const struct route table[] = {
		{HTTP_GET, "/livez", SCOPE_OPEN, NULL}
        };

	(void)state;
	assert_null(make(table, ARRAY_LEN(table)));
	assert_non_null(strstr(e.msg, ": is no route")); /* whichever comes first */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_described_and_nothing_else),
		cmocka_unit_test(who_may_ask_follows_from_the_route),
		cmocka_unit_test(errors_have_their_codes),
		cmocka_unit_test(a_status_with_its_own_answer_may_be_an_error_too),
		cmocka_unit_test(a_route_that_is_not_described_is_found),
		cmocka_unit_test(an_operation_without_a_route_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
