// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/presence_scan.h"

#include "protocol/clock.h"

#include <limits.h>
#include <string.h>

#define DIGITS_MAX 18 /* always fit into 64 bits */

struct slice {
	const char *at;
	size_t len;
};

static bool next_is(struct presence_scan *s, const char *text, size_t len)
{
	if ((size_t)(s->end - s->at) < len || memcmp(s->at, text, len) != 0)
		return false;
	s->at += len;
	return true;
}

#define NEXT_IS(s, literal) next_is(s, literal, sizeof(literal) - 1)

/* What stands between quotes, the first of which has been read. */
static bool rest_of_string(struct presence_scan *s, struct slice *out)
{
	out->at = s->at;
	while (s->at < s->end && *s->at >= ' ' && *s->at < 0x7f && *s->at != '"' &&
	       *s->at != '\\')
		s->at++;
	out->len = (size_t)(s->at - out->at);
	return NEXT_IS(s, "\"");
}

static bool number(struct presence_scan *s, int64_t *out)
{
	const char *from = s->at;

	for (*out = 0; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
		if (s->at - from == DIGITS_MAX)
			return false;
		*out = *out * 10 + (*s->at - '0');
	}
	/* JSON has no leading zeros. */
	return s->at > from && (*from != '0' || s->at - from == 1);
}

/* null: 0. */
static bool moment(struct presence_scan *s, int64_t *out)
{
	struct slice text;

	*out = 0;
	return NEXT_IS(s, "null") || (NEXT_IS(s, "\"") && rest_of_string(s, &text) &&
				      clock_parse(text.at, text.len, out) && *out > 0);
}

/* null: "". */
static bool words(struct presence_scan *s, char *out, size_t size)
{
	struct slice text;

	if (NEXT_IS(s, "null"))
		return true;
	if (!NEXT_IS(s, "\"") || !rest_of_string(s, &text) || text.len >= size)
		return false;
	memcpy(out, text.at, text.len);
	return true;
}

static bool is_text(const struct slice *s, const char *text)
{
	return text != NULL && strlen(text) == s->len && memcmp(s->at, text, s->len) == 0;
}

static bool state(struct presence_scan *s, struct presence *out)
{
	struct slice name;
	int n = PRESENCE_ONLINE;

	if (!rest_of_string(s, &name))
		return false;
	while (n >= 0 && !is_text(&name, presence_state_name((enum presence_state)n)))
		n--;
	out->state = (enum presence_state)n;
	return n >= 0;
}

static bool reason(struct presence_scan *s, struct presence *out)
{
	struct slice name;
	int n = PRESENCE_REASONS - 1;

	if (NEXT_IS(s, "null"))
		return true; /* REASON_NONE */
	if (!NEXT_IS(s, "\"") || !rest_of_string(s, &name))
		return false;
	while (n > REASON_NONE &&
	       !is_text(&name, presence_reason_name((enum presence_reason)n)))
		n--;
	out->reason = (enum presence_reason)n;
	return n > REASON_NONE;
}

static bool worker(struct presence_scan *s, struct presence *out)
{
	struct slice id;

	return rest_of_string(s, &id) && worker_id_parse(id.at, id.len, &out->worker);
}

static bool count(struct presence_scan *s, int *out)
{
	int64_t n;

	if (!number(s, &n) || n > INT_MAX)
		return false;
	*out = (int)n;
	return true;
}

/* What presence_write_fields() writes. */
static bool event(struct presence_scan *s, struct presence *out)
{
	struct slice node;

	return NEXT_IS(s, "{\"worker_id\":\"") && worker(s, out) &&
	       NEXT_IS(s, ",\"state\":\"") && state(s, out) && NEXT_IS(s, ",\"connected\":") &&
	       (NEXT_IS(s, "true") || NEXT_IS(s, "false")) && NEXT_IS(s, ",\"sessions\":") &&
	       count(s, &out->sessions) && NEXT_IS(s, ",\"node\":\"") &&
	       rest_of_string(s, &node) && NEXT_IS(s, ",\"boot\":") &&
	       number(s, &out->pos.boot) && NEXT_IS(s, ",\"seq\":") &&
	       number(s, &out->pos.seq) && NEXT_IS(s, ",\"generation\":") &&
	       number(s, &out->generation) && NEXT_IS(s, ",\"at\":") &&
	       moment(s, &out->at_ms) && NEXT_IS(s, ",\"reason\":") && reason(s, out) &&
	       NEXT_IS(s, ",\"detail\":") && words(s, out->detail, sizeof(out->detail)) &&
	       NEXT_IS(s, ",\"connected_since\":") && moment(s, &out->connected_since_ms) &&
	       NEXT_IS(s, ",\"disconnected_since\":") && moment(s, &out->disconnected_since_ms);
}

bool presence_scan_begin(struct presence_scan *s, const char *text, size_t len)
{
	struct slice node;
	int64_t boot;

	*s = (struct presence_scan){.at = text, .end = text + len};
	return NEXT_IS(s, "{\"node\":\"") && rest_of_string(s, &node) &&
	       NEXT_IS(s, ",\"boot\":") && number(s, &boot) && NEXT_IS(s, ",\"events\":[");
}

enum scanned presence_scan_next(struct presence_scan *s, struct presence *out)
{
	if (NEXT_IS(s, "]"))
		return NEXT_IS(s, ",\"clock_us\":") && number(s, &s->clock_us) &&
				       NEXT_IS(s, "}") && s->at == s->end
			       ? SCANNED_END
			       : SCANNED_ODD;
	*out = (struct presence){0};
	if ((s->inside && !NEXT_IS(s, ",")) || !event(s, out))
		return SCANNED_ODD;
	if (NEXT_IS(s, ",\"address\":") && !words(s, out->address, sizeof(out->address)))
		return SCANNED_ODD;
	if (!NEXT_IS(s, "}"))
		return SCANNED_ODD;
	s->inside = true;
	return SCANNED_EVENT;
}
