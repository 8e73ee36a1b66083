// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* jwrite.h - JSON out, straight into a buf.
 *
 * json-c reads for us, but it does not write: an answer of 10,000 rows would be built as a tree
 * of a hundred thousand small objects first. Here each record type has one writer function that
 * REST, event streams and control answers share.
 *
 * A `key` is NULL inside an array. Keys must be plain ASCII literals; values are escaped, and
 * bytes that are not UTF-8 become U+FFFD (RFC 8259 section 8.1), so output is always valid.
 * Failure is the buf's (sticky). Thread: one at a time.
 */
#pragma once

#include "protocol/buf.h"

#include <stdint.h>

struct jwrite {
	struct buf *out;
	bool comma; /* the next value needs a comma before it */
};

void jwrite_begin(struct jwrite *w, struct buf *out);

void jwrite_object(struct jwrite *w, const char *key); /* { */
void jwrite_object_end(struct jwrite *w);
void jwrite_array(struct jwrite *w, const char *key); /* [ */
void jwrite_array_end(struct jwrite *w);

void jwrite_str(struct jwrite *w, const char *key, const char *value); /* NULL: null */
void jwrite_strn(struct jwrite *w, const char *key, const char *value, size_t len);
void jwrite_i64(struct jwrite *w, const char *key, int64_t value);
void jwrite_f64(struct jwrite *w, const char *key, double value); /* not finite: null */
void jwrite_bool(struct jwrite *w, const char *key, bool value);
void jwrite_null(struct jwrite *w, const char *key);

/* RFC 3339 UTC with milliseconds; 0 (unknown) becomes null. */
void jwrite_time(struct jwrite *w, const char *key, int64_t unix_ms);

/* Text that is JSON already (an object that was parsed when it came in). NULL: null. */
void jwrite_raw(struct jwrite *w, const char *key, const char *json, size_t len);

/* Like jwrite_strn() with a key that a stranger chose: it is escaped too. */
void jwrite_key(struct jwrite *w, const char *key, size_t len);
