// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/expiry.h"

#include <stdlib.h>

#define FIRST_CAP 64

void expiry_heap_fini(struct expiry_heap *h)
{
	free(h->slots);
	*h = (struct expiry_heap){0};
}

struct expiry *expiry_first(const struct expiry_heap *h)
{
	return h->len > 0 ? h->slots[1] : NULL;
}

static void place(struct expiry_heap *h, struct expiry *x, size_t slot)
{
	h->slots[slot] = x;
	x->slot = (uint32_t)slot;
}

/* Moves x, from a slot that is free, up and then down to where its time belongs. */
static void settle(struct expiry_heap *h, struct expiry *x, size_t slot)
{
	while (slot > 1 && h->slots[slot / 2]->at_ms > x->at_ms) {
		place(h, h->slots[slot / 2], slot);
		slot /= 2;
	}
	for (;;) {
		size_t child = 2 * slot;

		if (child < h->len && h->slots[child + 1]->at_ms < h->slots[child]->at_ms)
			child++;
		if (child > h->len || h->slots[child]->at_ms >= x->at_ms)
			break;
		place(h, h->slots[child], slot);
		slot = child;
	}
	place(h, x, slot);
}

static bool make_room(struct expiry_heap *h)
{
	size_t cap = h->cap == 0 ? FIRST_CAP : h->cap * 2;
	struct expiry **slots;

	if (h->len + 1 < h->cap)
		return true;
	slots = realloc(h->slots, cap * sizeof(struct expiry *));
	if (slots == NULL)
		return false;
	h->slots = slots;
	h->cap = cap;
	return true;
}

void expiry_remove(struct expiry_heap *h, struct expiry *x)
{
	size_t slot = x->slot;
	struct expiry *last;

	if (slot == 0)
		return;
	x->slot = 0;
	last = h->slots[h->len--];
	if (last != x)
		settle(h, last, slot);
}

bool expiry_set(struct expiry_heap *h, struct expiry *x, int64_t at_ms)
{
	if (x->at_ms == at_ms && (at_ms == 0 || x->slot != 0))
		return true;
	expiry_remove(h, x);
	x->at_ms = at_ms;
	if (at_ms == 0)
		return true;
	if (!make_room(h))
		return false;
	settle(h, x, ++h->len);
	return true;
}
