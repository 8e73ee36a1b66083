// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* buf.h - a growable byte string that is born with a ceiling.
 *
 * Owns:   its bytes, until buf_fini() or buf_take().
 * Thread: one at a time.
 * Fails:  sticky. Out of memory or past the ceiling, `failed` is set, later calls do nothing,
 *         and the one check stands at the end.
 * The bytes are always followed by a NUL, so `data` is also a C string (once non-NULL).
 */
#pragma once

#include "protocol/util.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct buf {
	char *data; /* NULL until the first byte */
	size_t len; /* bytes used, without the NUL */
	size_t cap; /* bytes allocated */
	size_t max; /* ceiling for len */
	bool failed;
};

/* An empty buffer that never holds more than max_bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max_bytes);

/* An empty buffer on `size` bytes of the caller's, for what is made often and soon gone: never
 * holds more than size - 1, and needs no buf_fini(). */
void buf_init_on(struct buf *b, void *space, size_t size);

/* Frees the bytes; the buffer is empty afterwards and may be used again. */
void buf_fini(struct buf *b);

/* Forgets the contents and the failure, keeps the memory. */
void buf_reset(struct buf *b);

void buf_add_str(struct buf *b, const char *str);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Room for `len` more bytes; returns where to write them (then add to b->len), NULL on failure.
 */
char *buf_reserve(struct buf *b, size_t len);

/* Inline, for JSON is made of pieces of a few bytes. */
static inline void buf_add(struct buf *b, const void *bytes, size_t len)
{
	char *at = !b->failed && len < b->cap - b->len ? b->data + b->len : buf_reserve(b, len);

	if (at == NULL)
		return;
	if (len > 0)
		memcpy(at, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
}

static inline void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

/* Moves the bytes to the caller, who frees them with free(); the buffer is empty afterwards.
 * NULL if the buffer failed or nothing was ever added. */
char *buf_take(struct buf *b, size_t *len);
