// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* utf8.h - is it UTF-8? (RFC 3629: no overlong forms, no surrogates.) Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Length of the sequence at s, of which `left` bytes (at least one) are there; 0 if it is none.
 */
size_t utf8_len(const unsigned char *s, size_t left);

bool utf8_valid(const char *text, size_t len);
