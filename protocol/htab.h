// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* htab.h - a hash table of pointers: open addressing, linear probing, 8 bytes a slot.
 *
 * It stores the items' addresses and nothing else, so that an entry costs 11 to 32 bytes: the
 * connection object's tables hold one entry per worker, and a chained table's links would
 * outweigh a hibernated object. Deletion shifts later entries back (Knuth 6.4 R), so there are
 * no tombstones and lookups stay short however long the broker runs.
 *
 * Owns:   its slots, never the items. Thread: one at a time.
 * Fails:  htab_add() alone, when memory is short.
 */
#pragma once

#include "protocol/util.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct htab {
	void **slots;
	size_t cap; /* slots; a power of two, or 0 before the first item */
	size_t len; /* items */
	uint64_t (*hash)(const void *item);
};

typedef bool (*htab_match_f)(const void *item, const void *key);

void htab_init(struct htab *t, uint64_t (*hash)(const void *item));
void htab_fini(struct htab *t);

/* Takes all items out and keeps the room for as many again, unless that is more than max_slots.
 */
void htab_clear(struct htab *t, size_t max_slots);

/* The item with this hash that `match` accepts, or NULL. */
void *htab_find(const struct htab *t, uint64_t hash, htab_match_f match, const void *key);

/* Adds an item that is not in the table yet. False: out of memory, nothing changed. */
bool htab_add(struct htab *t, void *item) MUST_CHECK;

/* Removes exactly this item (by address); nothing happens if it is not there. */
void htab_remove(struct htab *t, const void *item);

/* Walks all items: start with *pos = 0, until NULL. The table must not change meanwhile. */
void *htab_next(const struct htab *t, size_t *pos);

/* Good hashes for keys: bytes (a per-process random seed keeps strangers from choosing ids that
 * collide) and addresses. */
uint64_t htab_hash_bytes(const void *bytes, size_t len);
uint64_t htab_hash_str(const char *str);
uint64_t htab_hash_ptr(const void *ptr);
