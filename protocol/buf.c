// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 256

void buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){.max = max_bytes};
}

void buf_init_on(struct buf *b, void *space, size_t size)
{
	*b = (struct buf){.data = space, .cap = size, .max = size - 1};
	b->data[0] = '\0';
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t len)
{
	size_t cap;
	char *data;

	if (b->failed || len > b->max || b->len > b->max - len) {
		b->failed = true;
		return NULL;
	}
	if (b->len + len + 1 <= b->cap)
		return b->data + b->len;
	cap = b->cap < FIRST_CAP ? FIRST_CAP : b->cap * 2;
	if (cap < b->len + len + 1)
		cap = b->len + len + 1;
	if (cap > b->max)
		cap = b->max +
		      1; /* never more, so that room in `cap` is room below the ceiling */
	data = realloc(b->data, cap);
	if (data == NULL) {
		b->failed = true;
		return NULL;
	}
	b->data = data;
	b->cap = cap;
	return b->data + b->len;
}

void buf_add_str(struct buf *b, const char *str)
{
	buf_add(b, str, strlen(str));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int need;
	char *at;

	va_start(args, fmt);
	need = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	at = need < 0 ? NULL : buf_reserve(b, (size_t)need);
	if (at == NULL) {
		b->failed = true;
		return;
	}
	va_start(args, fmt);
	vsnprintf(at, (size_t)need + 1, fmt, args);
	va_end(args);
	b->len += (size_t)need;
}

char *buf_take(struct buf *b, size_t *len)
{
	char *data = b->data;

	if (b->failed || data == NULL) {
		buf_fini(b);
		return NULL;
	}
	if (len != NULL)
		*len = b->len;
	*b = (struct buf){.max = b->max};
	return data;
}
