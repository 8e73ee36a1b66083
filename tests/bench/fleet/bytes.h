// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* bytes.h - a growable run of bytes that costs nothing while it is empty: a fleet has tens of
 * thousands of them. Running out of memory ends the program.
 */
#pragma once

#include <stddef.h>

struct bytes {
	char *data;
	size_t len;
};

void bytes_add(struct bytes *b, const void *data, size_t len);
void bytes_drop(struct bytes *b, size_t len); /* its first `len` bytes */
void bytes_free(struct bytes *b);             /* leaves it empty and usable */

/* malloc() that ends the program rather than return NULL; zeroed. */
void *must_alloc(size_t count, size_t size);
void *must_realloc(void *p, size_t size);

/* Says "fleet: what: errno's text" and ends the program. */
_Noreturn void die(const char *what);
