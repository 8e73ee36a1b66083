// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* jwt_cache.h - sessions whose signature was found right a moment ago. To check one costs as
 * much as all the rest of a small answer, and a dashboard sends the same one again and again.
 *
 * It remembers a text by its SHA-256, never the text; what it remembers is what a text says,
 * not that the session is still good: whoever asks looks at that each time. A full place is
 * taken by whoever comes next. Thread: loop. */
#pragma once

#include "bridge/identity/jwt.h"

struct jwt_cache;

struct jwt_cache *jwt_cache_new(const char *secret); /* borrowed. NULL: out of memory */
void jwt_cache_free(struct jwt_cache *cache);        /* NULL is fine */

/* What jwt_check() says. */
bool jwt_cache_check(struct jwt_cache *cache, const char *text, int64_t now_s,
		     struct claims *out);
