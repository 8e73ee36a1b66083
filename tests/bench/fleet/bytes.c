// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *what)
{
	fprintf(stderr, "fleet: %s: %s\n", what, strerror(errno));
	exit(1);
}

void *must_alloc(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (p == NULL)
		die("calloc");
	return p;
}

void *must_realloc(void *p, size_t size)
{
	p = realloc(p, size);
	if (p == NULL)
		die("realloc");
	return p;
}

void bytes_add(struct bytes *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	b->data = must_realloc(b->data, b->len + len);
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

void bytes_drop(struct bytes *b, size_t len)
{
	if (len >= b->len) {
		bytes_free(b);
		return;
	}
	b->len -= len;
	memmove(b->data, b->data + len, b->len);
}

void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){0};
}
