// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* expiry.h - which session's token expires first: a binary heap of the sessions whose token has
 * an end, so that a turn of the loop looks at the first one and not at the fleet.
 *
 * Owns:   its slots, never the sessions; each session knows its own slot.
 * Thread: the broker's. Fails: expiry_set() alone, when memory is short.
 */
#pragma once

#include "protocol/util.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in a session's stub. 12 bytes: each connected worker has one, hibernated or not. */
struct expiry {
	int64_t at_ms; /* Unix milliseconds; 0: never */
	uint32_t slot; /* 1 is the first; 0: not in the heap */
} __attribute__((packed, aligned(4)));

struct expiry_heap {
	struct expiry **slots; /* from 1 on */
	size_t len, cap;
};

void expiry_heap_fini(struct expiry_heap *h);

/* Puts x where at_ms belongs, moves it there, or takes it out (0). False: out of memory, and x
 * is not in the heap. */
bool expiry_set(struct expiry_heap *h, struct expiry *x, int64_t at_ms) MUST_CHECK;
void expiry_remove(struct expiry_heap *h, struct expiry *x);

/* The one that is due first, NULL if there is none. */
struct expiry *expiry_first(const struct expiry_heap *h);
