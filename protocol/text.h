// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* text.h - what is done for every login and every event, without the price of snprintf(). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TEXT_I64_SIZE 21 /* "-9223372036854775808" and the NUL */

/* Copies up to size - 1 bytes and ends them with a NUL. What does not fit is cut off. */
void text_copy(char *out, size_t size, const char *text);

/* Writes the number in decimal; returns its length. */
size_t text_i64(int64_t value, char out[TEXT_I64_SIZE]);
