// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/report.h"

#include "protocol/clock.h"
#include "protocol/jread.h"

#include <stdio.h>
#include <string.h>

#define WILL_MAX_BYTES 1024

enum err_code report_state(struct store *s, const struct worker_id *id, const char *payload,
			   size_t len, struct err *e)
{
	struct reported_state state = {
		.at_ms = clock_unix_ms(), .json = {payload, len}
        };
	struct json_object *doc;
	const char *status;
	struct jread r;

	if (len > REPORTED_MAX_BYTES)
		return err_set(e, ERR_PAYLOAD_TOO_LARGE, "state: more than %d bytes",
			       REPORTED_MAX_BYTES);
	doc = jread_parse(payload, len, e);
	if (doc == NULL)
		return e->code;
	jread_begin(&r, doc, e);
	status = jread_str_or(&r, "engine_status", 1, ENGINE_STATUS_MAX, "");
	if (status != NULL && strlen(status) > ENGINE_STATUS_MAX)
		jread_fail(&r, "engine_status", "has more than %d bytes", ENGINE_STATUS_MAX);
	if (jread_end(&r) == ERR_OK && status != NULL) {
		memcpy(state.engine_status, status, strlen(status) + 1);
		(void)(reported_save(s, id, &state, e) == ERR_OK);
	}
	json_object_put(doc);
	return e->code;
}

/* Cuts at a character's start, so that what remains is UTF-8 (RFC 3629 section 3). */
static size_t cut_utf8(const char *text, size_t max)
{
	size_t len = strlen(text);

	if (len <= max)
		return len;
	for (len = max; len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80; len--)
		;
	return len;
}

bool report_will_reason(const char *payload, size_t len, char out[PRESENCE_DETAIL_MAX + 1])
{
	struct json_object *doc;
	const char *reason;
	struct err e = {0};
	struct jread r;
	size_t n;

	out[0] = '\0';
	if (payload == NULL || len > WILL_MAX_BYTES)
		return false;
	doc = jread_parse(payload, len, &e);
	if (doc == NULL)
		return false;
	jread_begin(&r, doc, &e);
	reason = jread_str_or(&r, "reason", 1, WILL_MAX_BYTES, NULL);
	if (reason != NULL) {
		n = cut_utf8(reason, PRESENCE_DETAIL_MAX);
		memcpy(out, reason, n);
		out[n] = '\0';
	}
	json_object_put(doc);
	return out[0] != '\0';
}
