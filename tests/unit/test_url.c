// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/url.h"
#include "tests/unit/unit.h"

static void paths_are_split_before_they_are_decoded(void **state)
{
	struct url url;
	struct err e;

	(void)state;
	assert_int_equal(url_parse("/workers/a%2Fb/x%20y?q=1", &url, &e), ERR_OK);
	assert_string_equal(url.raw_path, "/workers/a%2Fb/x%20y");
	assert_int_equal(url.segments_len, 3);
	assert_string_equal(url.segments[0], "workers");
	assert_string_equal(url.segments[1], "a/b");
	assert_string_equal(url.segments[2], "x y");
	url_fini(&url);
}

static void a_plus_is_a_space_in_queries_alone(void **state)
{
	struct url url;
	struct err e;

	(void)state;
	assert_int_equal(url_parse("/a+b?name=a+b%2B", &url, &e), ERR_OK);
	assert_string_equal(url.segments[0], "a+b");
	assert_string_equal(url_param(&url, "name", 0), "a b+");
	url_fini(&url);
}

static void parameters_may_repeat(void **state)
{
	struct url url;
	struct err e;

	(void)state;
	assert_int_equal(url_parse("/?id=1&&x&id=2&y=", &url, &e), ERR_OK);
	assert_int_equal(url.segments_len, 1);
	assert_string_equal(url_param(&url, "id", 0), "1");
	assert_string_equal(url_param(&url, "id", 1), "2");
	assert_null(url_param(&url, "id", 2));
	assert_string_equal(url_param(&url, "x", 0), "");
	assert_string_equal(url_param(&url, "y", 0), "");
	assert_null(url_param(&url, "z", 0));
	url_fini(&url);
}

static void broken_escapes_are_refused(void **state)
{
	static const char *const bad[] = {"/%", "/%4", "/%zz", "/%00", "/a?b=%", "/a?%00=1"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct url url;
		struct err e;

		assert_int_equal(url_parse(bad[i], &url, &e), ERR_INVALID_REQUEST);
		url_fini(&url);
	}
}

static void a_proxys_form_is_understood(void **state)
{
	struct url url;
	struct err e;

	(void)state;
	assert_int_equal(url_parse("http://host:80/workers", &url, &e), ERR_OK);
	assert_string_equal(url.segments[0], "workers");
	url_fini(&url);
	assert_int_equal(url_parse("*", &url, &e), ERR_OK);
	assert_int_equal(url.segments_len, 0);
	url_fini(&url);
}

static void there_is_an_end_to_everything(void **state)
{
	static char text[URL_MAX + 2];
	struct url url;
	struct err e;

	(void)state;
	memset(text, '/', 40);
	text[40] = '\0';
	assert_int_equal(url_parse(text, &url, &e), ERR_NOT_FOUND);
	url_fini(&url);
	strcpy(text, "/?");
	for (int i = 0; i <= URL_PARAMS_MAX; i++)
		strcat(text, "a&");
	assert_int_equal(url_parse(text, &url, &e), ERR_INVALID_REQUEST);
	url_fini(&url);
	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(url_parse(text, &url, &e), ERR_INVALID_REQUEST);
	url_fini(&url);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(paths_are_split_before_they_are_decoded),
	cmocka_unit_test(a_plus_is_a_space_in_queries_alone),
	cmocka_unit_test(parameters_may_repeat),
	cmocka_unit_test(broken_escapes_are_refused),
	cmocka_unit_test(a_proxys_form_is_understood),
	cmocka_unit_test(there_is_an_end_to_everything),
};

UNIT_MAIN(tests)
