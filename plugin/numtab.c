// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/numtab.h"

#include <stdlib.h>

#define FIRST_CAP 16

void numtab_init(struct numtab *t, const void *owner, numtab_hash_f hash)
{
	*t = (struct numtab){.owner = owner, .hash = hash};
}

void numtab_fini(struct numtab *t)
{
	free(t->slots);
	numtab_init(t, t->owner, t->hash);
}

uint32_t numtab_find(const struct numtab *t, uint32_t hash, numtab_match_f match,
		     const void *key)
{
	if (t->cap == 0)
		return 0;
	for (uint32_t i = hash & (t->cap - 1); t->slots[i] != 0; i = (i + 1) & (t->cap - 1))
		if (match(t->owner, t->slots[i], key))
			return t->slots[i];
	return 0;
}

static void place(struct numtab *t, uint32_t number)
{
	uint32_t i = t->hash(t->owner, number) & (t->cap - 1);

	while (t->slots[i] != 0)
		i = (i + 1) & (t->cap - 1);
	t->slots[i] = number;
}

static bool resize(struct numtab *t, uint32_t cap)
{
	struct numtab old = *t;
	uint32_t *slots = calloc(cap, sizeof(*slots));

	if (slots == NULL)
		return false;
	t->slots = slots;
	t->cap = cap;
	for (uint32_t i = 0; i < old.cap; i++)
		if (old.slots[i] != 0)
			place(t, old.slots[i]);
	free(old.slots);
	return true;
}

bool numtab_add(struct numtab *t, uint32_t number)
{
	if (t->len + 1 > t->cap - t->cap / 4 &&
	    !resize(t, t->cap == 0 ? FIRST_CAP : t->cap * 2))
		return false;
	place(t, number);
	t->len++;
	return true;
}

void numtab_remove(struct numtab *t, uint32_t number)
{
	uint32_t mask = t->cap - 1, hole, i;

	if (t->cap == 0)
		return;
	for (hole = t->hash(t->owner, number) & mask; t->slots[hole] != number;
	     hole = (hole + 1) & mask)
		if (t->slots[hole] == 0)
			return;
	t->slots[hole] = 0;
	t->len--;
	for (i = (hole + 1) & mask; t->slots[i] != 0; i = (i + 1) & mask) {
		uint32_t home = t->hash(t->owner, t->slots[i]) & mask;

		/* It may move into the hole only if that is not before its home slot. */
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		t->slots[hole] = t->slots[i];
		t->slots[i] = 0;
		hole = i;
	}
	/* Far below the limit for growing, so that it does not go to and fro. */
	if (t->cap > FIRST_CAP && t->len < t->cap / 8)
		(void)resize(t, t->cap / 2);
}

uint32_t numtab_next(const struct numtab *t, uint32_t *pos)
{
	while (*pos < t->cap) {
		uint32_t number = t->slots[(*pos)++];

		if (number != 0)
			return number;
	}
	return 0;
}
