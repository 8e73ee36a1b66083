// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The JSON reader, beside a grammar of its own (RFC 8259) that says what is JSON, and the
 * writer: what was read and is written again reads as the same. */
#include "protocol/utf8.h"
#include "tests/fuzz/reread.h"

/* ---- the grammar ------------------------------------------------------------------------- */

struct text {
	const char *at, *end;
};

static bool value(struct text *t, int depth);

static void blanks(struct text *t)
{
	while (t->at < t->end && memchr(" \t\r\n", *t->at, 4) != NULL)
		t->at++;
}

static bool sign(struct text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

static size_t digits(struct text *t)
{
	const char *from = t->at;

	while (t->at < t->end && *t->at >= '0' && *t->at <= '9')
		t->at++;
	return (size_t)(t->at - from);
}

static bool number(struct text *t)
{
	sign(t, '-');
	if (!sign(t, '0') && digits(t) == 0)
		return false;
	if (sign(t, '.') && digits(t) == 0)
		return false;
	if (!sign(t, 'e') && !sign(t, 'E'))
		return true;
	if (!sign(t, '+'))
		sign(t, '-');
	return digits(t) > 0;
}

static bool escape(struct text *t)
{
	if (t->at == t->end)
		return false;
	if (*t->at++ != 'u')
		return memchr("\"\\/bfnrt", t->at[-1], 8) != NULL;
	for (int i = 0; i < 4; i++, t->at++)
		if (t->at == t->end || *t->at == '\0' ||
		    strchr("0123456789abcdefABCDEF", *t->at) == NULL)
			return false;
	return true;
}

static bool string(struct text *t)
{
	if (!sign(t, '"'))
		return false;
	while (t->at < t->end && *t->at != '"') {
		const unsigned char c = (unsigned char)*t->at++;

		if (c < 0x20 || (c == '\\' && !escape(t)))
			return false;
	}
	return sign(t, '"');
}

static bool word(struct text *t, const char *text)
{
	const size_t len = strlen(text);

	if ((size_t)(t->end - t->at) < len || memcmp(t->at, text, len) != 0)
		return false;
	t->at += len;
	return true;
}

/* What stands between the brackets; `named` for members of an object. */
static bool list(struct text *t, char close, bool named, int depth)
{
	blanks(t);
	if (sign(t, close))
		return true;
	do {
		blanks(t);
		if (named && !string(t))
			return false;
		blanks(t);
		if ((named && !sign(t, ':')) || !value(t, depth))
			return false;
		blanks(t);
	} while (sign(t, ','));
	return sign(t, close);
}

static bool value(struct text *t, int depth)
{
	blanks(t);
	if (t->at == t->end || depth == 0)
		return false;
	switch (*t->at) {
	case '{':
		t->at++;
		return list(t, '}', true, depth - 1);
	case '[':
		t->at++;
		return list(t, ']', false, depth - 1);
	case '"':
		return string(t);
	default:
		return word(t, "true") || word(t, "false") || word(t, "null") || number(t);
	}
}

static bool is_json(const char *text, size_t len)
{
	struct text t = {text, text + len};

	if (!utf8_valid(text, len) || !value(&t, JREAD_MAX_DEPTH))
		return false;
	blanks(&t);
	return t.at == t.end;
}

/* A document of null alone is JSON, but nothing to read from. */
static bool is_null(const char *text, size_t len)
{
	struct text t = {text, text + len};

	blanks(&t);
	return word(&t, "null");
}

/* ---- written again ----------------------------------------------------------------------- */

static void write_value(struct jwrite *w, const char *key, struct json_object *v);

static void write_members(struct jwrite *w, struct json_object *obj)
{
	struct json_object_iter it;

	json_object_object_foreachC(obj, it)
	{
		jwrite_key(w, it.key, strlen(it.key));
		write_value(w, NULL, it.val);
	}
}

static void write_value(struct jwrite *w, const char *key, struct json_object *v)
{
	const char *text = json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN);

	switch (json_object_get_type(v)) {
	case json_type_object:
		jwrite_object(w, key);
		write_members(w, v);
		jwrite_object_end(w);
		break;
	case json_type_array:
		jwrite_array(w, key);
		for (size_t i = 0; i < json_object_array_length(v); i++)
			write_value(w, NULL, json_object_array_get_idx(v, i));
		jwrite_array_end(w);
		break;
	case json_type_string:
		jwrite_strn(w, key, json_object_get_string(v),
			    (size_t)json_object_get_string_len(v));
		break;
	case json_type_null:
		jwrite_null(w, key);
		break;
	case json_type_boolean:
		jwrite_bool(w, key, json_object_get_boolean(v));
		break;
	case json_type_double:
	case json_type_int:
		jwrite_raw(w, key, text, strlen(text));
		break;
	}
}

static void check_written(struct json_object *doc)
{
	struct json_object *again;
	struct jwrite w;
	struct buf out;

	buf_init(&out, REREAD_TEXT_MAX);
	jwrite_begin(&w, &out);
	write_value(&w, NULL, doc);
	must(!out.failed && is_json(out.data, out.len));
	again = reread(&out);
	must(json_object_equal(doc, again));
	json_object_put(again);
}

/* Whatever bytes a text has, its JSON is JSON. */
static void check_any_text(const char *bytes, size_t len)
{
	struct jwrite w;
	struct buf out;

	buf_init(&out, len * 16 + 64);
	jwrite_begin(&w, &out);
	jwrite_object(&w, NULL);
	jwrite_key(&w, bytes, len);
	jwrite_strn(&w, NULL, bytes, len);
	jwrite_object_end(&w);
	must(!out.failed && is_json(out.data, out.len));
	buf_fini(&out);
}

/* ---- typed fields ------------------------------------------------------------------------ */

static void check_field(struct json_object *obj, const char *key)
{
	const char *const keys[] = {key, NULL};
	struct err e = {0};
	struct jread r;
	const char *text;
	int64_t n;

	jread_begin(&r, obj, &e);
	text = jread_str(&r, key, 1, 10);
	must((text != NULL) == (e.code == ERR_OK));
	must(text == NULL || (strlen(text) >= 1 && strlen(text) <= 40));
	jread_begin(&r, obj, &e);
	n = jread_i64(&r, key, -5, 1000);
	must(n >= -5 && n <= 1000 && (e.code == ERR_OK || n == 0));
	jread_begin_at(&r, obj, &e, "list", 7);
	must(jread_time_or_0(&r, key) >= 0);
	jread_begin(&r, obj, &e);
	(void)jread_bool_or(&r, key, true);
	jread_only(&r, keys);
	must(e.code != ERR_OK || json_object_object_length(obj) == 1);
	jread_begin(&r, obj, &e);
	must(jread_array_or_null(&r, key, 3) == NULL || e.code == ERR_OK);
	must(strlen(e.msg) < sizeof(e.msg));
}

static void check_fields(struct json_object *doc)
{
	struct json_object_iter it;
	int left = 20;

	if (!json_object_is_type(doc, json_type_object))
		return;
	json_object_object_foreachC(doc, it)
	{
		if (left-- == 0)
			break;
		check_field(doc, it.key);
	}
}

FUZZ_NEEDS_NOTHING_BEFORE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	struct err e = {0};
	struct json_object *doc = jread_parse(text, len, &e);

	must((doc != NULL) == (e.code == ERR_OK));
	must((doc != NULL) == (is_json(text, len) && !is_null(text, len)));
	check_any_text(text, len);
	if (doc != NULL) {
		check_written(doc);
		check_fields(doc);
	}
	json_object_put(doc);
	return 0;
}
