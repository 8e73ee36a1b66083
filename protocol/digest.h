// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* digest.h - a proof in a few bytes that two copies of all connection objects agree.
 *
 * The plugin keeps one of the objects that it has told, each mirror one of those that it knows;
 * a heartbeat carries the plugin's, and two that differ at the same (boot, seq) mean that the
 * mirror is wrong. The order of events does not matter, and each costs the same few
 * nanoseconds however many objects there are: the hash is the sum, modulo 2^64, of a number of
 * each object that is not offline. docs/reference/control.md says how that is made. An object
 * that is offline counts nothing, so one that a copy lacks, or has too many, shows wherever it
 * was online or reconnecting.
 *
 * It finds mistakes, not malice: whoever may write to the presence topics may forge it too.
 */
#pragma once

#include "protocol/presence.h"

#include <stdbool.h>

#define DIGEST_TEXT_SIZE 17 /* 16 hexadecimal digits and a NUL */

struct digest {
	int64_t count; /* objects that are online */
	uint64_t hash;
};

/* Counts an object in, or out as it was counted in. */
void digest_add(struct digest *d, const struct presence *p);
void digest_remove(struct digest *d, const struct presence *p);

bool digest_equal(const struct digest *a, const struct digest *b);

void digest_print_hash(const struct digest *d, char out[DIGEST_TEXT_SIZE]);
bool digest_parse_hash(struct digest *d, const char *text); /* false: not 16 hex digits */
