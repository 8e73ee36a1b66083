// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/ident.h"

#include "protocol/sha256.h"

#include <sodium.h>
#include <string.h>

static bool is_id_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static bool all_id_chars(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_id_char(text[i]))
			return false;
	return true;
}

bool worker_id_parse(const char *text, size_t len, struct worker_id *out)
{
	if (len < 1 || len > WORKER_ID_MAX || !all_id_chars(text, len))
		return false;
	if ((len == 6 && memcmp(text, "status", 6) == 0) ||
	    (len == 6 && memcmp(text, "events", 6) == 0))
		return false;
	memcpy(out->text, text, len);
	out->text[len] = '\0';
	return true;
}

/* Base32 of `bits` bits, five a character, most significant first. */
static void base32(const uint8_t *bytes, size_t chars, const char alphabet[32], char *out)
{
	unsigned acc = 0, have = 0;

	for (size_t i = 0; i < chars; i++) {
		if (have < 5) {
			acc = acc << 8 | *bytes++;
			have += 8;
		}
		have -= 5;
		out[i] = alphabet[acc >> have & 31];
	}
}

void worker_id_generate(struct worker_id *out)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	const size_t prefix = strlen(WORKER_ID_PREFIX);
	uint8_t random[10];

	randombytes_buf(random, sizeof(random));
	memcpy(out->text, WORKER_ID_PREFIX, prefix);
	base32(random, 16, alphabet, out->text + prefix);
	out->text[prefix + 16] = '\0';
}

bool worker_id_equal(const struct worker_id *a, const struct worker_id *b)
{
	return strcmp(a->text, b->text) == 0;
}

bool client_id_split(const char *client_id, struct worker_id *worker, const char **suffix)
{
	const char *dot = strchr(client_id, '.');
	size_t len =
		dot != NULL ? (size_t)(dot - client_id) : strnlen(client_id, CLIENT_ID_MAX + 1);

	if (!worker_id_parse(client_id, len, worker))
		return false;
	*suffix = "";
	if (dot == NULL)
		return true;
	*suffix = dot + 1;
	len = strnlen(*suffix, CLIENT_SUFFIX_MAX + 1);
	return len >= 1 && len <= CLIENT_SUFFIX_MAX && all_id_chars(*suffix, len);
}

void token_generate(struct token *out)
{
	uint8_t random[48];

	randombytes_buf(random, sizeof(random));
	memcpy(out->text, "tk_", 3);
	sodium_bin2base64(out->text + 3, sizeof(out->text) - 3, random, sizeof(random),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(random, sizeof(random));
}

void token_hash(const char *token, size_t len, struct token_hash *out)
{
	sha256(token, len, out->bytes);
}

bool token_hash_equal(const struct token_hash *a, const struct token_hash *b)
{
	return sodium_memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void token_hash_print(const struct token_hash *hash, char hex[TOKEN_HEX_LEN + 1])
{
	sodium_bin2hex(hex, TOKEN_HEX_LEN + 1, hash->bytes, sizeof(hash->bytes));
}

bool token_hash_parse(const char *hex, size_t len, struct token_hash *out)
{
	size_t got = 0;

	return len == TOKEN_HEX_LEN &&
	       sodium_hex2bin(out->bytes, sizeof(out->bytes), hex, len, NULL, &got, NULL) ==
		       0 &&
	       got == sizeof(out->bytes);
}

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void renewal_id_of(const struct token_hash *hash, char out[RENEWAL_ID_LEN + 1])
{
	char hex[TOKEN_HEX_LEN + 1];

	token_hash_print(hash, hex);
	snprintf(out, RENEWAL_ID_LEN + 1, "rnw_%.24s", hex);
}

/* The 48 bits of a ULID's time: ten characters, the first of which carries three bits. */
static void ulid_time(int64_t unix_ms, char *out)
{
	for (int i = 0; i < 10; i++)
		out[i] = crockford[unix_ms >> (45 - 5 * i) & 31];
}

static void ulid_generate(const char *prefix, int64_t unix_ms, char *out)
{
	uint8_t random[10];

	randombytes_buf(random, sizeof(random));
	memcpy(out, prefix, 4);
	ulid_time(unix_ms, out + 4);
	base32(random, 16, crockford, out + 14);
	out[COMMAND_ID_LEN] = '\0';
}

static bool ulid_parse(const char *prefix, const char *text, size_t len, char *out)
{
	if (len != COMMAND_ID_LEN || memcmp(text, prefix, 4) != 0)
		return false;
	for (size_t i = 4; i < len; i++)
		if (text[i] == '\0' || strchr(crockford, text[i]) == NULL)
			return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

void command_id_generate(int64_t unix_ms, struct command_id *out)
{
	ulid_generate("cmd_", unix_ms, out->text);
}

bool command_id_parse(const char *text, size_t len, struct command_id *out)
{
	return ulid_parse("cmd_", text, len, out->text);
}

void command_id_floor(int64_t unix_ms, struct command_id *out)
{
	memcpy(out->text, "cmd_", 4);
	ulid_time(unix_ms, out->text + 4);
	memset(out->text + 14, crockford[0], COMMAND_ID_LEN - 14);
	out->text[COMMAND_ID_LEN] = '\0';
}

int64_t command_id_ms(const struct command_id *id)
{
	int64_t ms = 0;

	for (int i = 4; i < 14; i++)
		ms = ms << 5 | (strchr(crockford, id->text[i]) - crockford);
	return ms;
}

void batch_id_generate(int64_t unix_ms, struct batch_id *out)
{
	ulid_generate("bat_", unix_ms, out->text);
}

bool batch_id_parse(const char *text, size_t len, struct batch_id *out)
{
	return ulid_parse("bat_", text, len, out->text);
}
