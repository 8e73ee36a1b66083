// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* text.h - topic patterns and the little JSON that a load harness reads. */
#pragma once

#include <stddef.h>

#define TEXT_MAX 512

/* Copies the pattern with every "%s" replaced by `id`, cut to cap - 1 bytes. Returns its
 * length. */
size_t text_expand(char *out, size_t cap, const char *pattern, const char *id);

/* The value of the first member of that name, a string or a number, at any depth; "" if there
 * is none. No parser: it believes that the name occurs in quotes only as a name. */
void text_member(const char *json, size_t len, const char *name, char *out, size_t cap);
