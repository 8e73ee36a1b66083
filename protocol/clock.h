// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* clock.h - the two clocks, and times as text (RFC 3339, UTC, milliseconds). Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT_SIZE 25 /* "2026-11-23T14:05:08.542Z" and the NUL */

/* Wall clock, milliseconds since 1970: for people and records. May jump. */
int64_t clock_unix_ms(void);

/* Monotonic clock, microseconds from an arbitrary start: for spans and deadlines. */
int64_t clock_mono_us(void);

/* Writes unix_ms (years 1970 to 9999) as text. */
void clock_format(int64_t unix_ms, char out[CLOCK_TEXT_SIZE]);

/* Reads RFC 3339 (any offset, fraction of 0 to 9 digits, milliseconds kept). False if it is
 * not, or not in the years 1970 to 9999 of UTC. */
bool clock_parse(const char *text, size_t len, int64_t *unix_ms);
