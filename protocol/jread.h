// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* jread.h - JSON in: parse once, then read typed fields with one sticky error.
 *
 *	jread_begin(&r, doc, e);
 *	name  = jread_str(&r, "name", 3, 100);
 *	ttl_s = jread_i64_or(&r, "ttl_seconds", 60, 1, 86400);
 *	return jread_end(&r);		"ttl_seconds: 90000 is outside 1..86400"
 *
 * Strings and objects are borrowed from the document. A key with the value null counts as
 * absent. The first error wins; after it every reader returns its default (NULL, 0, false).
 * Error code is always ERR_INVALID_REQUEST. Thread: one document, one thread.
 */
#pragma once

#include "protocol/err.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JREAD_MAX_DEPTH 30 /* MariaDB's JSON takes 31 */
#define JREAD_ENVELOPE_DEPTH 10

struct jread {
	struct json_object *obj;
	struct err *e;
	char where[48]; /* what stands before a field's name in messages, "workers[3]." */
};

/* Parses text (need not end in NUL) that must be one JSON value, UTF-8, nested at most
 * JREAD_MAX_DEPTH deep. The caller frees with json_object_put(). NULL and `e` on failure. */
struct json_object *jread_parse(const char *text, size_t len, struct err *e) MUST_CHECK;

/* The same for a message between plugin and bridge, JREAD_ENVELOPE_DEPTH deeper: it may hold
 * what a worker or a user sent, nested as deep as was allowed to them, and one such part must
 * not make the message unreadable. */
struct json_object *jread_parse_envelope(const char *text, size_t len,
					 struct err *e) MUST_CHECK;

/* Starts to read `obj`, which must be an object. *e is cleared. */
void jread_begin(struct jread *r, struct json_object *obj, struct err *e);

/* The same for an element of an array: messages say "array[index].field". */
void jread_begin_at(struct jread *r, struct json_object *obj, struct err *e, const char *array,
		    size_t index);

/* Lengths are in characters (Unicode code points). No NUL within. */
const char *jread_str(struct jread *r, const char *key, size_t min, size_t max);
const char *jread_str_or(struct jread *r, const char *key, size_t min, size_t max,
			 const char *otherwise);
int64_t jread_i64(struct jread *r, const char *key, int64_t min, int64_t max);
int64_t jread_i64_or(struct jread *r, const char *key, int64_t otherwise, int64_t min,
		     int64_t max);
bool jread_bool_or(struct jread *r, const char *key, bool otherwise);

/* RFC 3339 to Unix milliseconds; absent: 0. */
int64_t jread_time_or_0(struct jread *r, const char *key);

struct json_object *jread_object_or_null(struct jread *r, const char *key);
struct json_object *jread_array(struct jread *r, const char *key, size_t min, size_t max);
struct json_object *jread_array_or_null(struct jread *r, const char *key, size_t max);

/* Any value that is there, else NULL. */
struct json_object *jread_any(struct jread *r, const char *key);

/* Refuses keys other than those listed (NULL ends the list). For what people type: a misspelt
 * optional field must not be ignored in silence. Messages of programs stay open to newer keys.
 */
void jread_only(struct jread *r, const char *const keys[]);

/* Records an error about a field that the caller checked itself. */
void jread_fail(struct jread *r, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

bool jread_failed(const struct jread *r);
enum err_code jread_end(struct jread *r) MUST_CHECK;
