// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/jwt_cache.h"
#include "tests/unit/unit.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW 1795442708

static struct jwt_cache *cache;
static struct claims c;

static int start(void **state)
{
	(void)state;
	cache = jwt_cache_new(SECRET);
	return cache != NULL ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	jwt_cache_free(cache);
	return 0;
}

static char *issue(const char *user, int64_t exp_s)
{
	struct claims claims = {.role = ROLE_VIEWER, .jti = "01", .ver = 3, .iat_s = NOW};
	char *text;

	snprintf(claims.sub, sizeof(claims.sub), "%s", user);
	claims.exp_s = exp_s;
	text = jwt_issue(SECRET, &claims);
	assert_non_null(text);
	return text;
}

static void a_session_says_the_same_when_it_comes_again(void **state)
{
	char *text = issue("alice", NOW + 60);

	(void)state;
	for (int i = 0; i < 3; i++) {
		memset(&c, 0xee, sizeof(c));
		assert_true(jwt_cache_check(cache, text, NOW + i, &c));
		assert_string_equal(c.sub, "alice");
		assert_string_equal(c.jti, "01");
		assert_int_equal(c.ver, 3);
		assert_int_equal(c.exp_s, NOW + 60);
	}
	free(text);
}

static void one_that_is_remembered_ends_like_any_other(void **state)
{
	char *text = issue("alice", NOW + 60);

	(void)state;
	assert_true(jwt_cache_check(cache, text, NOW, &c));
	assert_true(jwt_cache_check(cache, text, NOW + 59, &c));
	assert_false(jwt_cache_check(cache, text, NOW + 60, &c));
	free(text);
}

static void a_changed_text_is_refused_whatever_was_remembered(void **state)
{
	char *text = issue("alice", NOW + 60);

	(void)state;
	assert_true(jwt_cache_check(cache, text, NOW, &c));
	for (size_t i = 0; i < strlen(text); i++) {
		const char was = text[i];

		text[i] = was == 'A' ? 'Q' : 'A'; /* differ in a bit that counts everywhere */
		if (was != text[i])
			assert_false(jwt_cache_check(cache, text, NOW, &c));
		text[i] = was;
		assert_true(jwt_cache_check(cache, text, NOW, &c));
	}
	free(text);
}

static void more_sessions_than_places_are_told_apart(void **state)
{
	char *texts[1000], name[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		texts[i] = issue(name, NOW + 60);
	}
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 1000; i++) {
			snprintf(name, sizeof(name), "user%d", i);
			assert_true(jwt_cache_check(cache, texts[i], NOW, &c));
			assert_string_equal(c.sub, name);
		}
	for (int i = 0; i < 1000; i++)
		free(texts[i]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(a_session_says_the_same_when_it_comes_again, start,
					stop),
	cmocka_unit_test_setup_teardown(one_that_is_remembered_ends_like_any_other, start,
					stop),
	cmocka_unit_test_setup_teardown(a_changed_text_is_refused_whatever_was_remembered,
					start, stop),
	cmocka_unit_test_setup_teardown(more_sessions_than_places_are_told_apart, start, stop),
};

UNIT_MAIN(tests)
