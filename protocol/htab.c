// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/htab.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 16

void htab_init(struct htab *t, uint64_t (*hash)(const void *item))
{
	*t = (struct htab){.hash = hash};
}

void htab_fini(struct htab *t)
{
	free(t->slots);
	htab_init(t, t->hash);
}

void htab_clear(struct htab *t, size_t max_slots)
{
	if (t->cap > max_slots) {
		htab_fini(t);
		return;
	}
	if (t->cap > 0)
		memset(t->slots, 0, t->cap * sizeof(*t->slots));
	t->len = 0;
}

void *htab_find(const struct htab *t, uint64_t hash, htab_match_f match, const void *key)
{
	if (t->cap == 0)
		return NULL;
	for (size_t i = hash & (t->cap - 1); t->slots[i] != NULL; i = (i + 1) & (t->cap - 1))
		if (match(t->slots[i], key))
			return t->slots[i];
	return NULL;
}

static void place(struct htab *t, void *item)
{
	size_t i = t->hash(item) & (t->cap - 1);

	while (t->slots[i] != NULL)
		i = (i + 1) & (t->cap - 1);
	t->slots[i] = item;
}

static bool resize(struct htab *t, size_t cap)
{
	struct htab old = *t;
	void **slots = calloc(cap, sizeof(*slots));

	if (slots == NULL)
		return false;
	t->slots = slots;
	t->cap = cap;
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i] != NULL)
			place(t, old.slots[i]);
	free(old.slots);
	return true;
}

bool htab_add(struct htab *t, void *item)
{
	if (t->len + 1 > t->cap - t->cap / 4 &&
	    !resize(t, t->cap == 0 ? FIRST_CAP : t->cap * 2))
		return false;
	place(t, item);
	t->len++;
	return true;
}

void htab_remove(struct htab *t, const void *item)
{
	size_t mask = t->cap - 1, hole, i;

	if (t->cap == 0)
		return;
	for (hole = t->hash(item) & mask; t->slots[hole] != item; hole = (hole + 1) & mask)
		if (t->slots[hole] == NULL)
			return;
	t->slots[hole] = NULL;
	t->len--;
	for (i = (hole + 1) & mask; t->slots[i] != NULL; i = (i + 1) & mask) {
		size_t home = t->hash(t->slots[i]) & mask;

		/* It may move into the hole only if that is not before its home slot. */
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		t->slots[hole] = t->slots[i];
		t->slots[i] = NULL;
		hole = i;
	}
}

void *htab_next(const struct htab *t, size_t *pos)
{
	while (*pos < t->cap) {
		void *item = t->slots[(*pos)++];

		if (item != NULL)
			return item;
	}
	return NULL;
}

uint64_t htab_hash_bytes(const void *bytes, size_t len)
{
	static uint8_t seed[crypto_shorthash_KEYBYTES];
	static bool seeded;
	uint64_t hash;

	/* Seeded by the first caller, on the thread that owns the first table. */
	if (!seeded) {
		randombytes_buf(seed, sizeof(seed));
		seeded = true;
	}
	crypto_shorthash((uint8_t *)&hash, bytes, len, seed);
	return hash;
}

uint64_t htab_hash_str(const char *str)
{
	return htab_hash_bytes(str, strlen(str));
}

uint64_t htab_hash_ptr(const void *ptr)
{
	/* Fibonacci hashing: malloc's addresses differ in their middle bits only. */
	uint64_t x = (uint64_t)(uintptr_t)ptr * 0x9E3779B97F4A7C15u;

	return x ^ x >> 32;
}
