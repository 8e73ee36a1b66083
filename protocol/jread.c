// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/jread.h"

#include "protocol/clock.h"
#include "protocol/utf8.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_ascii(char c)
{
	return (unsigned char)c < 0x80;
}

static size_t skip_digits(const char *text, size_t len, size_t at)
{
	while (at < len && text[at] >= '0' && text[at] <= '9')
		at++;
	return at;
}

/* Where the number at `at` ends (RFC 8259 section 6); `at` itself if it has another form, such
 * as "1." and "-01", which json-c takes and gives back as it got them. */
static size_t skip_number(const char *text, size_t len, size_t at)
{
	size_t from = at + (text[at] == '-'), end = skip_digits(text, len, from), part;

	if (end == from || (text[from] == '0' && end > from + 1))
		return at;
	if (end < len && text[end] == '.') {
		part = end + 1;
		end = skip_digits(text, len, part);
		if (end == part)
			return at;
	}
	if (end < len && (text[end] == 'e' || text[end] == 'E')) {
		part = end + 1;
		if (part < len && (text[part] == '+' || text[part] == '-'))
			part++;
		end = skip_digits(text, len, part);
		if (end == part)
			return at;
	}
	return end;
}

static bool begins_number(char c)
{
	return c == '-' || (c >= '0' && c <= '9');
}

/* What json-c takes for JSON even when it is told to be strict. NULL: nothing of the kind. */
static const char *foreign_sign(const char *text, size_t len)
{
	bool in_string = false;
	size_t end;

	/* It stops at a NUL, and takes surrogates for characters. */
	if (memchr(text, '\0', len) != NULL || !utf8_valid(text, len))
		return "not UTF-8 text";
	for (size_t i = 0; i < len; i++) {
		const char c = text[i];

		if (c == '"')
			in_string = !in_string;
		else if (in_string && (unsigned char)c < 0x20)
			return "a control character in a string";
		else if (in_string && c == '\\')
			i++;
		else if (!in_string && (c == '\'' || c == 'N' || c == 'I'))
			return "single quotes, NaN and Infinity are not part of it";
		else if (!in_string && !is_ascii(c))
			return "only strings may hold more than ASCII";
		if (in_string || !begins_number(c))
			continue;
		end = skip_number(text, len, i);
		if (end == i)
			return "a number that is none";
		i = end - 1;
	}
	return NULL;
}

/* Strict json-c 0.18 (Debian 13) compares signed characters, and so takes all that is not ASCII
 * for control characters. Such runs, which are in strings, it gets without being strict. `*at`:
 * where the last run began. */
static struct json_object *parse(struct json_tokener *tok, const char *text, size_t len,
				 size_t *at)
{
	struct json_object *doc = NULL;
	size_t end = 0;

	do {
		const bool ascii = is_ascii(text[end]);

		*at = end;
		while (end < len && is_ascii(text[end]) == ascii)
			end++;
		json_tokener_set_flags(tok, ascii ? JSON_TOKENER_STRICT : 0);
		doc = json_tokener_parse_ex(tok, text + *at, (int)(end - *at));
	} while (end < len && json_tokener_get_error(tok) == json_tokener_continue);
	if (json_tokener_get_error(tok) != json_tokener_continue || doc != NULL)
		return doc;
	/* A bare number or an unfinished text: only an end tells the two apart. */
	return json_tokener_parse_ex(tok, "", 1);
}

static struct json_object *parse_deep(const char *text, size_t len, int depth, struct err *e)
{
	struct json_tokener *tok;
	struct json_object *doc = NULL;
	enum json_tokener_error why;
	const char *foreign;
	size_t at;

	if (len == 0 || len > INT_MAX) {
		err_set(e, ERR_INVALID_REQUEST, len == 0 ? "empty: JSON expected" : "too long");
		return NULL;
	}
	foreign = foreign_sign(text, len);
	if (foreign != NULL) {
		err_set(e, ERR_INVALID_REQUEST, "not valid JSON: %s", foreign);
		return NULL;
	}
	tok = json_tokener_new_ex(depth);
	if (tok == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	doc = parse(tok, text, len, &at);
	why = json_tokener_get_error(tok);
	if (why != json_tokener_success) {
		err_set(e, ERR_INVALID_REQUEST, "not valid JSON: %s at byte %zu",
			json_tokener_error_desc(why), at + json_tokener_get_parse_end(tok));
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
