// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* pending.h - records on their way to LMDB: found by key, and walked in order of key.
 *
 * A hash table finds them; for pages they also stand in a treap (a search tree by key that is a
 * heap by a random priority, so it is balanced whatever order keys come in; Seidel and Aragon
 * 1996), whose nodes are linked in order.
 *
 * Owns:   the records. Thread: one at a time.
 */
#pragma once

#include "plugin/region.h"
#include "plugin/store.h"
#include "protocol/htab.h"

struct pending {
	uint64_t lsn;
	struct pending *next_unwritten, **link; /* link: what points here, NULL if nothing */
	struct pending *before, *behind;        /* its neighbours in order of key */
	size_t value_len;
	bool deleted;
	/* What a search looks at stands together: it waits for memory at every step. */
	enum store_db db;
	uint64_t hash;
	struct pending *left, *right; /* smaller and greater keys */
	size_t key_len;
	uint32_t priority;
	char bytes[]; /* key, then value */
};

struct pending_set {
	struct htab by_key;
	struct pending *root[STORE_DB_COUNT];
	struct region memory;
	size_t bytes; /* of memory that the records take */
};

struct pending_key {
	enum store_db db;
	const void *key;
	size_t len;
	uint64_t hash; /* of both */
};

struct pending_key pending_key(enum store_db db, const void *key, size_t len);

void pending_init(struct pending_set *set);
void pending_fini(struct pending_set *set);  /* frees the records */
void pending_clear(struct pending_set *set); /* the same, for use anew */

/* A record that is not in the set yet, but can come into it alone. NULL: out of memory. */
struct pending *pending_new(struct pending_set *set, const struct pending_key *k,
			    const void *value, size_t value_len, bool deleted);

/* One that is not in the set, or no more. */
void pending_free(struct pending_set *set, struct pending *p);
size_t pending_bytes(const struct pending *p);

struct pending *pending_find(const struct pending_set *set, const struct pending_key *k);

/* Adds a record whose key is not in the set. False: out of memory, nothing changed. */
bool pending_add(struct pending_set *set, struct pending *p) MUST_CHECK;
void pending_remove(struct pending_set *set, struct pending *p);

/* The first record of the database whose key is above `after` (NULL: the first of all); go on
 * with its `behind`. NULL: there is none. */
const struct pending *pending_first(const struct pending_set *set, enum store_db db,
				    const char *after);

/* As LMDB sorts keys: below, at or above 0. */
int pending_compare_keys(const void *a, size_t a_len, const void *b, size_t b_len);
