// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* slab.h - many items of one size, known by a 32-bit number, without malloc's overhead.
 *
 * Items lie in chunks that are mapped when they are needed and given back to the system when
 * their last item goes, whatever the broker has allocated in between; a heap would keep the
 * holes. New items fill the lowest chunk that has room, so that the others can empty. An item
 * never moves.
 *
 * Owns:   the items. Thread: one at a time. Fails: slab_new() alone, when memory is short.
 */
#pragma once

#include "protocol/util.h"

#include <stddef.h>
#include <stdint.h>

struct slab_chunk {
	char *at;      /* NULL: not mapped */
	uint32_t used; /* items in use */
	uint32_t top;  /* items from here on were never used */
	uint32_t free; /* first of the freed ones, 1 to per_chunk; 0: none */
};

struct slab {
	size_t item_bytes;
	unsigned shift; /* a chunk has 1 << shift items */
	struct slab_chunk *chunks;
	uint32_t chunks_len, chunks_cap;
	uint32_t roomy; /* no chunk below this one has room */
	uint32_t empty; /* chunks that are mapped and have no item */
	size_t used;    /* items */
	size_t mapped_bytes;
};

/* item_bytes: 4 to 4096. */
void slab_init(struct slab *s, size_t item_bytes);
void slab_fini(struct slab *s); /* items and all */

/* The number of a new item, which is all zero; 0 when memory is short. */
uint32_t slab_new(struct slab *s) MUST_CHECK;
void slab_free(struct slab *s, uint32_t number);

/* The item of a number that slab_new() gave. */
void *slab_at(const struct slab *s, uint32_t number);
