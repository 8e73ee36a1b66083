// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/presence/heartbeat.h"

enum err_code heartbeat_parse(const char *payload, size_t len, struct heartbeat *out,
			      struct err *e)
{
	struct json_object *doc = jread_parse(payload, len, e);
	const char *hash;
	struct jread r;

	*out = (struct heartbeat){0};
	if (doc == NULL)
		return e->code;
	jread_begin(&r, doc, e);
	out->pos.boot = jread_i64(&r, "boot", 0, INT64_MAX);
	out->pos.seq = jread_i64(&r, "seq", 0, INT64_MAX);
	out->clock_us = jread_i64_or(&r, "clock_us", 0, 0, INT64_MAX);
	out->digest.count = jread_i64_or(&r, "count", 0, 0, INT64_MAX);
	hash = jread_str_or(&r, "hash", 16, 16, NULL);
	out->has_digest = hash != NULL;
	if (hash != NULL && !digest_parse_hash(&out->digest, hash))
		jread_fail(&r, "hash", "must be 16 hexadecimal digits");
	(void)(jread_end(&r) == ERR_OK);
	json_object_put(doc);
	return e->code;
}
