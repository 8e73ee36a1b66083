// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/jwrite.h"

#include "protocol/clock.h"
#include "protocol/text.h"
#include "protocol/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void jwrite_begin(struct jwrite *w, struct buf *out)
{
	w->out = out;
	w->comma = false;
}

static void add_escape(struct buf *out, unsigned char c)
{
	switch (c) {
	case '"':
		buf_add(out, "\\\"", 2);
		break;
	case '\\':
		buf_add(out, "\\\\", 2);
		break;
	case '\n':
		buf_add(out, "\\n", 2);
		break;
	case '\r':
		buf_add(out, "\\r", 2);
		break;
	case '\t':
		buf_add(out, "\\t", 2);
		break;
	default:
		buf_printf(out, "\\u%04x", c);
		break;
	}
}

/* Goes out unchanged. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void add_quoted(struct buf *out, const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t from = 0, i = 0;

	buf_add_char(out, '"');
	while (i < len) {
		size_t n = is_plain(s[i]) ? 1 : utf8_len(s + i, len - i);

		if (n > 1 || is_plain(s[i])) {
			i += n; /* as part of the run that began at `from` */
			continue;
		}
		buf_add(out, text + from, i - from);
		if (n == 1)
			add_escape(out, s[i]);
		else
			buf_add_str(out, "\xEF\xBF\xBD");
		from = ++i;
	}
	buf_add(out, text + from, len - from);
	buf_add_char(out, '"');
}

/* What stands before every value: a comma where one is due, and the key. */
static void before_value(struct jwrite *w, const char *key)
{
	size_t len = key != NULL ? strlen(key) : 0;
	char *at, *from = buf_reserve(w->out, len + 4);

	if (from == NULL)
		return;
	at = from;
	if (w->comma)
		*at++ = ',';
	w->comma = true;
	if (key != NULL) {
		*at++ = '"';
		memcpy(at, key, len);
		at += len;
		*at++ = '"';
		*at++ = ':';
	}
	*at = '\0';
	w->out->len += (size_t)(at - from);
}

void jwrite_key(struct jwrite *w, const char *key, size_t len)
{
	if (w->comma)
		buf_add_char(w->out, ',');
	add_quoted(w->out, key, len);
	buf_add_char(w->out, ':');
	w->comma = false; /* the value that follows is written with key NULL */
}

static void open_with(struct jwrite *w, const char *key, char bracket)
{
	before_value(w, key);
	buf_add_char(w->out, bracket);
	w->comma = false;
}

static void close_with(struct jwrite *w, char bracket)
{
	buf_add_char(w->out, bracket);
	w->comma = true;
}

void jwrite_object(struct jwrite *w, const char *key)
{
	open_with(w, key, '{');
}

void jwrite_object_end(struct jwrite *w)
{
	close_with(w, '}');
}

void jwrite_array(struct jwrite *w, const char *key)
{
	open_with(w, key, '[');
}

void jwrite_array_end(struct jwrite *w)
{
	close_with(w, ']');
}

void jwrite_strn(struct jwrite *w, const char *key, const char *value, size_t len)
{
	before_value(w, key);
	add_quoted(w->out, value, len);
}

void jwrite_str(struct jwrite *w, const char *key, const char *value)
{
	if (value == NULL)
		jwrite_null(w, key);
	else
		jwrite_strn(w, key, value, strlen(value));
}

void jwrite_i64(struct jwrite *w, const char *key, int64_t value)
{
	char text[TEXT_I64_SIZE];
	size_t len = text_i64(value, text);

	before_value(w, key);
	buf_add(w->out, text, len);
}

void jwrite_f64(struct jwrite *w, const char *key, double value)
{
	char text[32];
	int len = 0;

	if (!isfinite(value)) {
		jwrite_null(w, key);
		return;
	}
	if (value == floor(value) && fabs(value) < 1e15) {
		jwrite_i64(w, key, (int64_t)value);
		return;
	}
	/* 17 significant digits give every double back (IEEE 754), but 0.1 would read
	 * 0.10000000000000001: take the fewest that suffice. */
	for (int digits = 15; digits <= 17; digits++) {
		len = snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	before_value(w, key);
	buf_add(w->out, text, (size_t)len);
}

void jwrite_bool(struct jwrite *w, const char *key, bool value)
{
	before_value(w, key);
	buf_add_str(w->out, value ? "true" : "false");
}

void jwrite_null(struct jwrite *w, const char *key)
{
	before_value(w, key);
	buf_add(w->out, "null", 4);
}

void jwrite_time(struct jwrite *w, const char *key, int64_t unix_ms)
{
	char text[CLOCK_TEXT_SIZE + 2] = "\"";

	if (unix_ms == 0) {
		jwrite_null(w, key);
		return;
	}
	clock_format(unix_ms, text + 1);
	text[CLOCK_TEXT_SIZE] = '"';
	before_value(w, key);
	buf_add(w->out, text, CLOCK_TEXT_SIZE + 1);
}

void jwrite_raw(struct jwrite *w, const char *key, const char *json, size_t len)
{
	if (json == NULL) {
		jwrite_null(w, key);
		return;
	}
	before_value(w, key);
	buf_add(w->out, json, len);
}
