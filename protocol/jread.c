// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/jread.h"

#include "protocol/clock.h"
#include "protocol/jcheck.h"
#include "protocol/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static_assert(JREAD_MAX_DEPTH + JREAD_ENVELOPE_DEPTH <= JCHECK_DEPTH_MAX, "see jcheck.h");

static struct json_object *parse_deep(const char *text, size_t len, int depth, struct err *e)
{
	struct json_tokener *tok;
	struct json_object *doc = NULL;
	enum json_tokener_error why;
	const char *wrong;
	size_t at = 0;

	if (len == 0 || len >= INT_MAX) {
		err_set(e, ERR_INVALID_REQUEST, len == 0 ? "empty: JSON expected" : "too long");
		return NULL;
	}
	/* What JSON is, is not left to json-c: strict or not it takes what is none, differently
	 * in each version, and surrogates for characters. */
	wrong = utf8_valid(text, len) ? jcheck(text, len, (size_t)depth, &at) : "not UTF-8";
	if (wrong != NULL) {
		err_set(e, ERR_INVALID_REQUEST, "not valid JSON: %s at byte %zu", wrong, at);
		return NULL;
	}
	tok = json_tokener_new_ex(depth);
	if (tok == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	doc = json_tokener_parse_ex(tok, text, (int)len);
	/* Only an end tells a bare number from the beginning of one. */
	if (json_tokener_get_error(tok) == json_tokener_continue)
		doc = json_tokener_parse_ex(tok, "", 1);
	why = json_tokener_get_error(tok);
	if (why != json_tokener_success) {
		err_set(e, ERR_INVALID_REQUEST, "not readable JSON: %s",
			json_tokener_error_desc(why));
		json_object_put(doc);
		doc = NULL;
	} else if (doc == NULL) { /* json-c's way to say `null` */
		err_set(e, ERR_INVALID_REQUEST, "must not be null");
	}
	json_tokener_free(tok);
	return doc;
}

struct json_object *jread_parse(const char *text, size_t len, struct err *e)
{
	return parse_deep(text, len, JREAD_MAX_DEPTH, e);
}

struct json_object *jread_parse_envelope(const char *text, size_t len, struct err *e)
{
	return parse_deep(text, len, JREAD_MAX_DEPTH + JREAD_ENVELOPE_DEPTH, e);
}

void jread_begin(struct jread *r, struct json_object *obj, struct err *e)
{
	*r = (struct jread){.obj = obj, .e = e};
	e->code = ERR_OK;
	if (!json_object_is_type(obj, json_type_object))
		err_set(e, ERR_INVALID_REQUEST, "must be a JSON object");
}

void jread_begin_at(struct jread *r, struct json_object *obj, struct err *e, const char *array,
		    size_t index)
{
	jread_begin(r, obj, e);
	snprintf(r->where, sizeof(r->where), "%s[%zu].", array, index);
	if (jread_failed(r))
		err_set(e, ERR_INVALID_REQUEST, "%s[%zu]: must be an object", array, index);
}

bool jread_failed(const struct jread *r)
{
	return r->e->code != ERR_OK;
}

enum err_code jread_end(struct jread *r)
{
	return r->e->code;
}

void jread_fail(struct jread *r, const char *key, const char *fmt, ...)
{
	char what[128];
	va_list args;

	if (jread_failed(r))
		return;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	err_set(r->e, ERR_INVALID_REQUEST, "%s%.60s: %s", r->where, key, what);
}

struct json_object *jread_any(struct jread *r, const char *key)
{
	struct json_object *value = NULL;

	if (jread_failed(r))
		return NULL;
	json_object_object_get_ex(r->obj, key, &value);
	return value;
}

/* The value of `key` if it has the type; an error if it has another, or is missing though
 * `required`. */
static struct json_object *typed(struct jread *r, const char *key, enum json_type type,
				 const char *type_name, bool required)
{
	struct json_object *value = jread_any(r, key);

	if (value == NULL) {
		if (required)
			jread_fail(r, key, "is missing");
		return NULL;
	}
	if (!json_object_is_type(value, type)) {
		jread_fail(r, key, "must be %s", type_name);
		return NULL;
	}
	return value;
}

static size_t count_characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xC0) != 0x80;
	return n;
}

static const char *read_str(struct jread *r, const char *key, size_t min, size_t max,
			    bool required, const char *otherwise)
{
	struct json_object *value = typed(r, key, json_type_string, "a string", required);
	const char *text;
	size_t n;

	if (value == NULL)
		return jread_failed(r) ? NULL : otherwise;
	text = json_object_get_string(value);
	if (strlen(text) != (size_t)json_object_get_string_len(value)) {
		jread_fail(r, key, "must not contain a NUL character");
		return NULL;
	}
	n = count_characters(text);
	if (n < min || n > max) {
		jread_fail(r, key, "must have %zu to %zu characters, has %zu", min, max, n);
		return NULL;
	}
	return text;
}

const char *jread_str(struct jread *r, const char *key, size_t min, size_t max)
{
	return read_str(r, key, min, max, true, NULL);
}

const char *jread_str_or(struct jread *r, const char *key, size_t min, size_t max,
			 const char *otherwise)
{
	return read_str(r, key, min, max, false, otherwise);
}

static int64_t read_i64(struct jread *r, const char *key, int64_t min, int64_t max,
			bool required, int64_t otherwise)
{
	struct json_object *value = typed(r, key, json_type_int, "an integer", required);
	int64_t n;

	if (value == NULL)
		return jread_failed(r) ? 0 : otherwise;
	n = json_object_get_int64(value);
	if (n < min || n > max) {
		jread_fail(r, key, "%" PRId64 " is outside %" PRId64 "..%" PRId64, n, min, max);
		return 0;
	}
	return n;
}

int64_t jread_i64(struct jread *r, const char *key, int64_t min, int64_t max)
{
	return read_i64(r, key, min, max, true, 0);
}

int64_t jread_i64_or(struct jread *r, const char *key, int64_t otherwise, int64_t min,
		     int64_t max)
{
	return read_i64(r, key, min, max, false, otherwise);
}

bool jread_bool_or(struct jread *r, const char *key, bool otherwise)
{
	struct json_object *value = typed(r, key, json_type_boolean, "true or false", false);

	if (value == NULL)
		return jread_failed(r) ? false : otherwise;
	return json_object_get_boolean(value);
}

int64_t jread_time_or_0(struct jread *r, const char *key)
{
	const char *text = jread_str_or(r, key, 1, 64, NULL);
	int64_t ms = 0;

	if (text != NULL && !clock_parse(text, strlen(text), &ms))
		jread_fail(r, key, "must be a time like 2026-11-23T14:05:08.542Z");
	return ms;
}

struct json_object *jread_object_or_null(struct jread *r, const char *key)
{
	return typed(r, key, json_type_object, "an object", false);
}

static struct json_object *read_array(struct jread *r, const char *key, size_t min, size_t max,
				      bool required)
{
	struct json_object *value = typed(r, key, json_type_array, "an array", required);
	size_t n;

	if (value == NULL)
		return NULL;
	n = json_object_array_length(value);
	if (n < min || n > max) {
		jread_fail(r, key, "must have %zu to %zu elements, has %zu", min, max, n);
		return NULL;
	}
	return value;
}

struct json_object *jread_array(struct jread *r, const char *key, size_t min, size_t max)
{
	return read_array(r, key, min, max, true);
}

struct json_object *jread_array_or_null(struct jread *r, const char *key, size_t max)
{
	return read_array(r, key, 0, max, false);
}

void jread_only(struct jread *r, const char *const keys[])
{
	struct json_object_iter it;

	if (jread_failed(r))
		return;
	json_object_object_foreachC(r->obj, it)
	{
		const char *const *k = keys;

		while (*k != NULL && strcmp(*k, it.key) != 0)
			k++;
		if (*k == NULL) {
			jread_fail(r, it.key, "is not a field of this request");
			return;
		}
	}
}
