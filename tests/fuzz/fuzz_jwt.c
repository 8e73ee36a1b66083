// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Sessions and API keys. Two lines are taken for a token's header and payload, which are signed
 * with the right secret, left unsigned, and signed with another one; the whole is also shown as
 * it is. Nothing but HS256 by our secret is ever accepted. */
#include "bridge/identity/jwt.h"
#include "bridge/identity/key.h"
#include "protocol/buf.h"
#include "tests/fuzz/fuzz.h"

#include <sodium.h>
#include <strings.h>

#define SECRET "secret of this installation, 32 bytes and more"
#define NOW_S INT64_C(1795450000)
#define TEXT_MAX ((size_t)64 * 1024)
#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

static void add_base64(struct buf *out, const void *bytes, size_t len)
{
	const size_t room = sodium_base64_ENCODED_LEN(len, VARIANT);
	char *at = buf_reserve(out, room);

	must(at != NULL);
	sodium_bin2base64(at, room, bytes, len, VARIANT);
	out->len += strlen(at);
}

static void add_signature(struct buf *out, const char *secret)
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)out->data, out->len);
	crypto_auth_hmacsha256_final(&state, mac);
	buf_add_char(out, '.');
	add_base64(out, mac, sizeof(mac));
}

/* `secret` NULL: no signature. */
static bool accepts(const char *header, const char *payload, const char *secret,
		    struct claims *claims)
{
	struct buf text;
	bool ok;

	buf_init(&text, TEXT_MAX);
	add_base64(&text, header, strlen(header));
	buf_add_char(&text, '.');
	add_base64(&text, payload, strlen(payload));
	if (secret != NULL)
		add_signature(&text, secret);
	else
		buf_add_char(&text, '.');
	must(!text.failed);
	ok = jwt_check(SECRET, text.data, NOW_S, claims);
	buf_fini(&text);
	return ok;
}

static void check_claims(const struct claims *c)
{
	struct claims again;
	char *text;

	must(c->exp_s > NOW_S && c->iat_s > 0 && c->ver > 0);
	must(strlen(c->sub) < sizeof(c->sub) && strlen(c->jti) < sizeof(c->jti));
	must(c->role == ROLE_VIEWER || c->role == ROLE_ADMIN);
	text = jwt_issue(SECRET, c);
	must(text != NULL && jwt_check(SECRET, text, NOW_S, &again));
	must(strcmp(again.sub, c->sub) == 0 && strcmp(again.jti, c->jti) == 0);
	must(again.role == c->role && again.ver == c->ver && again.exp_s == c->exp_s);
	must(!jwt_check(SECRET, text, c->exp_s, &again));
	must(!jwt_check("another " SECRET, text, NOW_S, &again));
	free(text);
}

static void check_key(const char *text)
{
	struct token_hash hash;

	if (key_hash(text, &hash))
		must(strlen(text) == KEY_SECRET_LEN && strncmp(text, KEY_PREFIX, 3) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(sodium_init() >= 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = input_of(data, len), whole = in;
	char *header = input_line(&in), *payload = input_rest(&in), *text = input_rest(&whole);
	struct claims claims;

	if (len < 8192) {
		if (accepts(header, payload, SECRET, &claims)) {
			must(strcasestr(header, "hs256") != NULL);
			check_claims(&claims);
		}
		must(!accepts(header, payload, NULL, &claims));
		must(!accepts(header, payload, "some other secret of 32 bytes or more",
			      &claims));
	}
	if (jwt_check(SECRET, text, NOW_S, &claims))
		check_claims(&claims);
	check_key(text);
	free(header);
	free(payload);
	free(text);
	return 0;
}
