// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* numtab.h - a hash table of item numbers (slab.h): four bytes a slot, half of what
 * protocol/htab.h needs for pointers; it works likewise, and shrinks again.
 *
 * Owns:   its slots. Thread: one at a time.
 * Fails:  numtab_add() alone, when memory is short.
 */
#pragma once

#include "protocol/util.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t (*numtab_hash_f)(const void *owner, uint32_t number);
typedef bool (*numtab_match_f)(const void *owner, uint32_t number, const void *key);

struct numtab {
	uint32_t *slots; /* 0: free */
	uint32_t cap;    /* slots; a power of two, or 0 before the first item */
	uint32_t len;
	numtab_hash_f hash;
	const void *owner; /* for hash and match */
};

void numtab_init(struct numtab *t, const void *owner, numtab_hash_f hash);
void numtab_fini(struct numtab *t);

/* The number with this hash that `match` accepts, or 0. */
uint32_t numtab_find(const struct numtab *t, uint32_t hash, numtab_match_f match,
		     const void *key);

/* Adds a number that is not in the table yet. False: out of memory, nothing changed. */
bool numtab_add(struct numtab *t, uint32_t number) MUST_CHECK;

/* Removes a number; nothing happens if it is not there. */
void numtab_remove(struct numtab *t, uint32_t number);

/* Walks all: start with *pos = 0, until 0. The table must not change meanwhile. */
uint32_t numtab_next(const struct numtab *t, uint32_t *pos);
