// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/worker_body.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MIN 3

static size_t count_characters(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xC0) != 0x80;
	return n;
}

static bool has_control(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return true;
	return false;
}

void worker_read_name(struct jread *r, struct worker_change *out)
{
	const char *name = jread_str_or(r, "name", 0, 1000, NULL);
	size_t len, n;

	if (name == NULL)
		return;
	name += strspn(name, " ");
	len = strlen(name);
	while (len > 0 && name[len - 1] == ' ')
		len--;
	n = count_characters(name, len);
	if (n < NAME_MIN || n > WORKER_NAME_MAX) {
		jread_fail(r, "name", "must have %d to %d characters, has %zu", NAME_MIN,
			   WORKER_NAME_MAX, n);
		return;
	}
	if (has_control(name, len)) {
		jread_fail(r, "name", "must not contain control characters");
		return;
	}
	out->name = strndup(name, len);
	if (out->name == NULL)
		err_set(r->e, ERR_OUT_OF_MEMORY, NULL);
}

bool worker_tag_valid(const char *tag)
{
	const size_t len = strlen(tag);

	return len >= 1 && len <= TAG_MAX &&
	       strspn(tag,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:=-") ==
		       len;
}

/* NULL after an error. */
static const char *read_tag(struct jread *r, struct json_object *value,
			    const struct worker_change *out)
{
	const char *tag;

	if (!json_object_is_type(value, json_type_string)) {
		jread_fail(r, "tags", "[%zu] must be a string", out->tags_len);
		return NULL;
	}
	tag = json_object_get_string(value);
	if (strlen(tag) != (size_t)json_object_get_string_len(value) ||
	    !worker_tag_valid(tag)) {
		jread_fail(r, "tags", "[%zu] must have " TAG_FORM, out->tags_len);
		return NULL;
	}
	for (size_t i = 0; i < out->tags_len; i++)
		/* tags_len counts those that are set.
		 * NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
		if (strcmp(out->tags[i], tag) == 0) {
			jread_fail(r, "tags", "[%zu] is there twice", out->tags_len);
			return NULL;
		}
	return tag;
}

void worker_read_tags(struct jread *r, struct worker_change *out)
{
	struct json_object *tags = jread_array_or_null(r, "tags", WORKER_TAGS_MAX);
	const size_t len = tags != NULL ? json_object_array_length(tags) : 0;

	if (tags == NULL)
		return;
	out->tags = calloc(len + 1, sizeof(*out->tags));
	if (out->tags == NULL) {
		err_set(r->e, ERR_OUT_OF_MEMORY, NULL);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		const char *tag = read_tag(r, json_object_array_get_idx(tags, i), out);

		if (tag == NULL)
			return;
		out->tags[i] = strdup(tag);
		if (out->tags[i] == NULL) {
			err_set(r->e, ERR_OUT_OF_MEMORY, NULL);
			return;
		}
		out->tags_len++;
	}
}

void worker_write_connected(struct jwrite *w, const char *key, const struct presence *p)
{
	if (p->state == PRESENCE_UNKNOWN)
		jwrite_null(w, key);
	else
		jwrite_bool(w, key, p->state == PRESENCE_ONLINE);
}

void worker_write_metrics(struct jwrite *w, const char *json)
{
	if (json == NULL)
		json = "{}";
	jwrite_raw(w, "metrics", json, strlen(json));
}

void worker_write_record(struct jwrite *w, const struct record *k)
{
	jwrite_str(w, "name", k->name);
	jwrite_array(w, "tags");
	for (size_t i = 0; i < k->tags_len; i++)
		jwrite_str(w, NULL, k->tags[i]);
	jwrite_array_end(w);
	jwrite_str(w, "status", worker_status_name(k->status));
	jwrite_time(w, "token_expires_at", k->token_expires_ms);
	jwrite_time(w, "created_at", k->created_ms);
	jwrite_str(w, "renewal_failure_reason", k->renewal_failure_reason);
	jwrite_time(w, "renewal_failure_at", k->renewal_failure_ms);
}

void worker_write_fields(struct jwrite *w, const struct record *k, const struct presence *p)
{
	jwrite_str(w, "id", k->id.text);
	worker_write_record(w, k);
	worker_write_connected(w, "is_connected", p);
	jwrite_str(w, "state", presence_state_name(p->state));
}
