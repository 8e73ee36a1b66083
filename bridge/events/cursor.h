// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* cursor.h - opaque positions that clients hand back: base64url of what only we read. Pure. */
#pragma once

#include "protocol/ident.h"
#include "protocol/presence.h"

#define CURSOR_TEXT_SIZE 256

/* Where a page of workers ends. */
struct page_cursor {
	int64_t created_ms;
	struct worker_id id;
};

void page_cursor_print(const struct page_cursor *cursor, char out[CURSOR_TEXT_SIZE]);
bool page_cursor_parse(const char *text, struct page_cursor *out);

/* Where a page of the audit trail ends, which goes from new to old. */
struct audit_cursor {
	int64_t at_ms, id;
};

void audit_cursor_print(const struct audit_cursor *cursor, char out[CURSOR_TEXT_SIZE]);
bool audit_cursor_parse(const char *text, struct audit_cursor *out);

/* Where a page of a worker's commands ends, which goes from new to old. */
struct command_cursor {
	int64_t created_ms;
	struct command_id id;
};

void command_cursor_print(const struct command_cursor *cursor, char out[CURSOR_TEXT_SIZE]);
bool command_cursor_parse(const char *text, struct command_cursor *out);

#define EVENT_INSTANCE_MAX 16 /* hexadecimal digits */

/* From where to watch: the last event, of one process of the bridge, that an answer contains.
 */
struct watch_cursor {
	char instance[EVENT_INSTANCE_MAX + 1];
	uint64_t n;
	bool unknown; /* the answer calls states unknown */
};

void watch_cursor_print(const struct watch_cursor *cursor, char out[CURSOR_TEXT_SIZE]);
bool watch_cursor_parse(const char *text, struct watch_cursor *out);
