// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/router.h"
#include "tests/unit/unit.h"

static const struct route table[] = {
	{HTTP_GET,    "/",				   SCOPE_OPEN,    NULL},
	{HTTP_GET,    "/workers",                            SCOPE_READ,    NULL},
	{HTTP_POST,   "/workers",                            SCOPE_WORKERS, NULL},
	{HTTP_GET,    "/workers/status",                     SCOPE_READ,    NULL},
	{HTTP_GET,    "/workers/{worker}",                   SCOPE_READ,    NULL},
	{HTTP_DELETE, "/workers/{worker}",                   SCOPE_WORKERS, NULL},
	{HTTP_DELETE, "/workers/{worker}/sessions/{client}", SCOPE_WORKERS, NULL},
};

static struct url url;
static struct route_match match;
static struct err e;

/* The row's number, or minus the error. */
static int find(enum http_method method, const char *target)
{
	enum err_code code;

	url_fini(&url);
	assert_int_equal(url_parse(target, &url, &e), ERR_OK);
	code = route_find(table, ARRAY_LEN(table), method, &url, &match, &e);
	return code == ERR_OK ? (int)(match.route - table) : -(int)code;
}

static void rows_are_found_by_path_and_method(void **state)
{
	(void)state;
	assert_int_equal(find(HTTP_GET, "/"), 0);
	assert_int_equal(find(HTTP_GET, "/workers?x=1"), 1);
	assert_int_equal(find(HTTP_POST, "/workers"), 2);
	assert_int_equal(find(HTTP_GET, "/workers/status"), 3);
}

static void the_same_is_below_api(void **state)
{
	(void)state;
	assert_int_equal(find(HTTP_GET, "/api/workers"), 1);
	assert_int_equal(find(HTTP_GET, "/api/workers/wrk_a"), 4);
	assert_int_equal(find(HTTP_GET, "/api/"), 0);
	assert_int_equal(find(HTTP_GET, "/api/api/workers"), -ERR_NOT_FOUND);
	assert_int_equal(find(HTTP_GET, "/apis/workers"), -ERR_NOT_FOUND);
}

static void placeholders_are_filled(void **state)
{
	(void)state;
	assert_int_equal(find(HTTP_DELETE, "/workers/wrk_a/sessions/wrk_a.b"), 6);
	assert_string_equal(match.worker.text, "wrk_a");
	assert_string_equal(match.param, "wrk_a.b");
}

static void an_id_of_no_valid_form_is_no_worker(void **state)
{
	(void)state;
	assert_int_equal(find(HTTP_GET, "/workers/a.b"), -ERR_WORKER_NOT_FOUND);
	assert_int_equal(find(HTTP_GET, "/workers/a%2Fb"), -ERR_WORKER_NOT_FOUND);
	assert_int_equal(find(HTTP_DELETE, "/workers/a.b/sessions/x"), -ERR_WORKER_NOT_FOUND);
}

static void other_paths_are_not_found(void **state)
{
	(void)state;
	assert_int_equal(find(HTTP_GET, "/worker"), -ERR_NOT_FOUND);
	assert_int_equal(find(HTTP_GET, "/workers/"), -ERR_NOT_FOUND);
	assert_int_equal(find(HTTP_GET, "/workers/a/b"), -ERR_NOT_FOUND);
	assert_int_equal(find(HTTP_DELETE, "/workers/a/sessions/"), -ERR_NOT_FOUND);
	assert_int_equal(find(HTTP_GET, "//workers"), -ERR_NOT_FOUND);
}

static void another_method_is_told_which_ones_there_are(void **state)
{
	char allowed[64];

	(void)state;
	assert_int_equal(find(HTTP_PATCH, "/workers"), -ERR_METHOD_NOT_ALLOWED);
	route_allowed(match.allowed, allowed, sizeof(allowed));
	assert_string_equal(allowed, "GET, HEAD, POST");
	assert_int_equal(find(HTTP_OTHER, "/workers/wrk_a"), -ERR_METHOD_NOT_ALLOWED);
	route_allowed(match.allowed, allowed, sizeof(allowed));
	assert_string_equal(allowed, "GET, HEAD, DELETE");
	assert_int_equal(find(HTTP_DELETE, "/workers/status"), -ERR_METHOD_NOT_ALLOWED);
	url_fini(&url);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(rows_are_found_by_path_and_method),
	cmocka_unit_test(the_same_is_below_api),
	cmocka_unit_test(placeholders_are_filled),
	cmocka_unit_test(an_id_of_no_valid_form_is_no_worker),
	cmocka_unit_test(other_paths_are_not_found),
	cmocka_unit_test(another_method_is_told_which_ones_there_are),
};

UNIT_MAIN(tests)
