// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/jwt.h"
#include "tests/unit/unit.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW 1795442708

static const struct claims alice = {"alice", ROLE_ADMIN, "0011", 3, NOW, NOW + 60};

static char *base64url(const char *text)
{
	static char out[4][500];
	static int n;
	char *to = out[n++ % 4];

	return sodium_bin2base64(to, 500, (const unsigned char *)text, strlen(text),
				 sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static void what_was_issued_is_accepted(void **state)
{
	char *text = jwt_issue(SECRET, &alice);
	struct claims c;

	(void)state;
	assert_non_null(text);
	assert_true(jwt_check(SECRET, text, NOW, &c));
	assert_string_equal(c.sub, "alice");
	assert_string_equal(c.jti, "0011");
	assert_int_equal(c.role, ROLE_ADMIN);
	assert_int_equal(c.ver, 3);
	assert_int_equal(c.exp_s, NOW + 60);
	free(text);
}

static void it_ends(void **state)
{
	char *text = jwt_issue(SECRET, &alice);
	struct claims c;

	(void)state;
	assert_true(jwt_check(SECRET, text, NOW + 59, &c));
	assert_false(jwt_check(SECRET, text, NOW + 60, &c));
	free(text);
}

static void another_secret_or_a_changed_text_is_refused(void **state)
{
	char *text = jwt_issue(SECRET, &alice);
	struct claims c;

	(void)state;
	assert_false(jwt_check(SECRET "x", text, NOW, &c));
	for (size_t i = 0; i < strlen(text); i += 7) {
		const char was = text[i];

		text[i] = was == 'A' ? 'B' : 'A';
		assert_false(jwt_check(SECRET, text, NOW, &c));
		text[i] = was;
	}
	free(text);
}

static void other_algorithms_are_refused(void **state)
{
	const char *claims = base64url(
		"{\"sub\":\"alice\",\"role\":\"admin\",\"jti\":\"0\",\"ver\":1,\"iat\":1,"
		"\"exp\":9999999999}");
	static const char *const headers[] = {
		"{\"alg\":\"none\"}",
		"{\"alg\":\"None\",\"typ\":\"JWT\"}",
		"{\"typ\":\"JWT\"}",
		"{\"alg\":\"HS512\",\"typ\":\"JWT\"}",
		"{\"alg\":\"RS256\",\"typ\":\"JWT\"}",
	};
	struct claims c;

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		char text[1200];

		snprintf(text, sizeof(text), "%s.%s.", base64url(headers[i]), claims);
		assert_false(jwt_check(SECRET, text, NOW, &c));
		snprintf(text, sizeof(text), "%s.%s", base64url(headers[i]), claims);
		assert_false(jwt_check(SECRET, text, NOW, &c));
	}
}

static void rubbish_is_refused(void **state)
{
	static const char *const rubbish[] = {
		"", ".", "..", "...", "a.b.c", "{}.{}.{}", "\xFF.\xFF.\xFF"};
	struct claims c;

	(void)state;
	for (size_t i = 0; i < sizeof(rubbish) / sizeof(rubbish[0]); i++)
		assert_false(jwt_check(SECRET, rubbish[i], NOW, &c));
}

static void a_name_that_does_not_fit_is_refused(void **state)
{
	struct claims nobody = alice, c;
	char *text;

	(void)state;
	nobody.sub[0] = '\0';
	text = jwt_issue(SECRET, &nobody);
	assert_false(text != NULL && jwt_check(SECRET, text, NOW, &c));
	free(text);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_was_issued_is_accepted),
	cmocka_unit_test(it_ends),
	cmocka_unit_test(another_secret_or_a_changed_text_is_refused),
	cmocka_unit_test(other_algorithms_are_refused),
	cmocka_unit_test(rubbish_is_refused),
	cmocka_unit_test(a_name_that_does_not_fit_is_refused),
};

UNIT_MAIN(tests)
