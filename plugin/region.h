// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* region.h - items of all sizes that come and go soon, given up all at once.
 *
 * They lie in memory that is mapped for them, not between the broker's own allocations: what
 * waits for a moment in a storm of logins would leave holes in a heap that lives for months.
 * An item that is freed leaves room for the next of its size; the rest goes with a reset.
 *
 * Owns:   the items. Thread: one at a time. Fails: region_alloc() alone, when memory is short.
 */
#pragma once

#include "protocol/util.h"

#include <stddef.h>

#define REGION_CLASSES 64 /* of small items, 16 bytes apart */

struct region {
	struct region_chunk *chunks; /* the newest first */
	struct region_large *large;
	void *freed[REGION_CLASSES]; /* items of each size, each points at the next */
	char *at, *end;              /* room in the newest chunk */
	size_t mapped_bytes;
};

void region_init(struct region *r);
void region_fini(struct region *r); /* items and all */

/* An item of that many bytes, aligned as by malloc(); NULL when memory is short. */
void *region_alloc(struct region *r, size_t size);

/* `size` as it was asked for. */
void region_free(struct region *r, void *item, size_t size);

/* Gives up all items. What little of memory they had is kept for the next ones. */
void region_reset(struct region *r);
