// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/sha256.h"

#include <sodium.h>
#include <string.h>

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>
#include <stdbool.h>

#define BLOCK_BYTES 64
#define LENGTH_BYTES 8
#define SHA_BIT (1u << 29)   /* CPUID 7, EBX */
#define SSE41_BIT (1u << 19) /* CPUID 1, ECX */
#define USES_SHA __attribute__((target("sha,sse4.1")))

static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2};

static const uint32_t first_state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static bool has_instructions(void)
{
	static atomic_int known; /* asked for once: a virtual machine's CPUID takes 20 us */
	unsigned int a, b, c, d, c1;

	if (known == 0)
		known = __get_cpuid(1, &a, &b, &c1, &d) && (c1 & SSE41_BIT) &&
					__get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & SHA_BIT)
				? 1
				: -1;
	return known > 0;
}

/* The instructions want the words of the state as (a b e f) and (c d g h). */
USES_SHA static void to_halves(const uint32_t state[8], __m128i *abef, __m128i *cdgh)
{
	__m128i dcba = _mm_loadu_si128((const __m128i *)&state[0]);
	__m128i hgfe = _mm_loadu_si128((const __m128i *)&state[4]);
	__m128i cdab = _mm_shuffle_epi32(dcba, 0xB1), efgh = _mm_shuffle_epi32(hgfe, 0x1B);

	*abef = _mm_alignr_epi8(cdab, efgh, 8);
	*cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
}

USES_SHA static void from_halves(__m128i abef, __m128i cdgh, uint32_t state[8])
{
	__m128i feba = _mm_shuffle_epi32(abef, 0x1B), dchg = _mm_shuffle_epi32(cdgh, 0xB1);

	_mm_storeu_si128((__m128i *)&state[0], _mm_blend_epi16(feba, dchg, 0xF0));
	_mm_storeu_si128((__m128i *)&state[4], _mm_alignr_epi8(dchg, feba, 8));
}

/* Words 16 to 63 of the message schedule, four at a time, from the sixteen before them. */
USES_SHA static __m128i next_words(const __m128i w[4])
{
	__m128i nine = _mm_alignr_epi8(w[3], w[2], 4);
	__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[0], w[1]), nine);

	return _mm_sha256msg2_epu32(sum, w[3]);
}

USES_SHA static void add_block(uint32_t state[8], const uint8_t *block)
{
	const __m128i swap =
		_mm_set_epi64x(0x0c0d0e0f08090a0bULL, 0x0405060700010203ULL); /* big-endian */
	__m128i w[4], words, k, abef, cdgh, abef_before, cdgh_before;

	to_halves(state, &abef, &cdgh);
	abef_before = abef;
	cdgh_before = cdgh;
	for (int i = 0; i < 4; i++)
		w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)),
					swap);
	for (int i = 0; i < 16; i++) {
		words = i < 4 ? w[i] : next_words(w);
		if (i >= 4) {
			w[0] = w[1];
			w[1] = w[2];
			w[2] = w[3];
			w[3] = words;
		}
		k = _mm_loadu_si128((const __m128i *)&round_constants[4 * i]);
		k = _mm_add_epi32(words, k);
		cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
		abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0E));
	}
	from_halves(_mm_add_epi32(abef, abef_before), _mm_add_epi32(cdgh, cdgh_before), state);
}

static void put_be(uint8_t *at, uint64_t value, int bytes)
{
	while (bytes-- > 0) {
		at[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

static void by_instructions(const uint8_t *p, size_t len, uint8_t out[SHA256_BYTES])
{
	uint8_t tail[2 * BLOCK_BYTES] = {0};
	uint32_t state[8];
	size_t rest = len % BLOCK_BYTES, whole = len - rest;
	size_t tail_len =
		rest + 1 + LENGTH_BYTES <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;

	memcpy(state, first_state, sizeof(state));
	for (size_t at = 0; at < whole; at += BLOCK_BYTES)
		add_block(state, p + at);
	if (rest > 0)
		memcpy(tail, p + whole, rest);
	tail[rest] = 0x80;
	put_be(tail + tail_len - LENGTH_BYTES, (uint64_t)len * 8, LENGTH_BYTES);
	for (size_t at = 0; at < tail_len; at += BLOCK_BYTES)
		add_block(state, tail + at);
	for (int i = 0; i < 8; i++)
		put_be(out + 4 * i, state[i], 4);
	sodium_memzero(tail, sizeof(tail)); /* it may be the end of a token */
}

#endif

void sha256(const void *bytes, size_t len, uint8_t out[SHA256_BYTES])
{
#ifdef __x86_64__
	if (has_instructions()) {
		by_instructions(bytes, len, out);
		return;
	}
#endif
	crypto_hash_sha256(out, bytes, len);
}
