// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/sha256.h"
#include "tests/unit/unit.h"

#include <sodium.h>

/* FIPS 180-4's own example. */
static void the_hash_of_abc_is_known(void **state)
{
	static const uint8_t expected[SHA256_BYTES] = {
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
		0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
		0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	uint8_t out[SHA256_BYTES];

	(void)state;
	sha256("abc", 3, out);
	assert_memory_equal(out, expected, sizeof(out));
}

/* Every length around the ends of blocks, where the padding changes. */
static void every_length_gives_what_libsodium_gives(void **state)
{
	uint8_t bytes[300], out[SHA256_BYTES], expected[SHA256_BYTES];

	(void)state;
	randombytes_buf_deterministic(bytes, sizeof(bytes),
				      (const unsigned char[randombytes_SEEDBYTES]){7});
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		sha256(bytes, len, out);
		crypto_hash_sha256(expected, bytes, len);
		assert_memory_equal(out, expected, sizeof(out));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_of_abc_is_known),
		cmocka_unit_test(every_length_gives_what_libsodium_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
