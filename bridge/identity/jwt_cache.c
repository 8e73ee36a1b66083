// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/jwt_cache.h"

#include "protocol/sha256.h"

#include <stdlib.h>
#include <string.h>

#define PLACES 256 /* 60 KiB */

struct place {
	uint8_t hash[SHA256_BYTES];
	struct claims claims; /* exp_s 0: nobody's */
};

struct jwt_cache {
	const char *secret;
	struct place places[PLACES];
};

struct jwt_cache *jwt_cache_new(const char *secret)
{
	struct jwt_cache *cache = calloc(1, sizeof(*cache));

	if (cache != NULL)
		cache->secret = secret;
	return cache;
}

void jwt_cache_free(struct jwt_cache *cache)
{
	free(cache);
}

bool jwt_cache_check(struct jwt_cache *cache, const char *text, int64_t now_s,
		     struct claims *out)
{
	uint8_t hash[SHA256_BYTES];
	struct place *place;

	sha256(text, strlen(text), hash);
	place = &cache->places[hash[0] % PLACES];
	if (now_s < place->claims.exp_s && memcmp(place->hash, hash, sizeof(hash)) == 0) {
		*out = place->claims;
		return true;
	}
	if (!jwt_check(cache->secret, text, now_s, out))
		return false;
	memcpy(place->hash, hash, sizeof(hash));
	place->claims = *out;
	return true;
}
