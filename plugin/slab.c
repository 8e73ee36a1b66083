// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/slab.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* AddressSanitizer sees through malloc alone: it is told which items are free. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#endif

#define CHUNK_BYTES 32768u
#define FIRST_CHUNKS 16

static size_t chunk_bytes(const struct slab *s)
{
	return s->item_bytes << s->shift;
}

static uint32_t per_chunk(const struct slab *s)
{
	return (uint32_t)1 << s->shift;
}

void slab_init(struct slab *s, size_t item_bytes)
{
	*s = (struct slab){.item_bytes = item_bytes};
	while (item_bytes << (s->shift + 1) <= CHUNK_BYTES)
		s->shift++;
}

static void unmap(struct slab *s, struct slab_chunk *chunk)
{
	ASAN_UNPOISON_MEMORY_REGION(chunk->at, chunk_bytes(s));
	munmap(chunk->at, chunk_bytes(s));
	*chunk = (struct slab_chunk){0};
	s->mapped_bytes -= chunk_bytes(s);
}

void slab_fini(struct slab *s)
{
	for (uint32_t i = 0; i < s->chunks_len; i++)
		if (s->chunks[i].at != NULL)
			unmap(s, &s->chunks[i]);
	free(s->chunks);
	slab_init(s, s->item_bytes);
}

void *slab_at(const struct slab *s, uint32_t number)
{
	uint32_t i = number - 1;

	return s->chunks[i >> s->shift].at + (i & (per_chunk(s) - 1)) * s->item_bytes;
}

/* A chunk at the end of the table, not mapped yet. */
static bool append_chunk(struct slab *s)
{
	uint32_t cap = s->chunks_cap == 0 ? FIRST_CHUNKS : s->chunks_cap * 2;
	struct slab_chunk *chunks;

	if (s->chunks_len == s->chunks_cap) {
		chunks = realloc(s->chunks, cap * sizeof(*chunks));
		if (chunks == NULL)
			return false;
		s->chunks = chunks;
		s->chunks_cap = cap;
	}
	s->chunks[s->chunks_len++] = (struct slab_chunk){0};
	return true;
}

static bool map(struct slab *s, struct slab_chunk *chunk)
{
	/* Populated: it is about to be filled, and a fault per page costs more. */
	void *at = mmap(NULL, chunk_bytes(s), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED)
		return false;
	chunk->at = at;
	s->mapped_bytes += chunk_bytes(s);
	s->empty++;
	return true;
}

/* The lowest chunk that has room, NULL when memory is short. */
static struct slab_chunk *find_room(struct slab *s)
{
	struct slab_chunk *chunk;

	while (s->roomy < s->chunks_len && s->chunks[s->roomy].used == per_chunk(s))
		s->roomy++;
	if (s->roomy == s->chunks_len && !append_chunk(s))
		return NULL;
	chunk = &s->chunks[s->roomy];
	return chunk->at != NULL || map(s, chunk) ? chunk : NULL;
}

uint32_t slab_new(struct slab *s)
{
	struct slab_chunk *chunk = find_room(s);
	uint32_t i;
	char *item;

	if (chunk == NULL)
		return 0;
	i = chunk->free != 0 ? chunk->free - 1 : chunk->top++;
	item = chunk->at + i * s->item_bytes;
	ASAN_UNPOISON_MEMORY_REGION(item, s->item_bytes);
	if (chunk->free != 0)
		memcpy(&chunk->free, item, sizeof(chunk->free));
	memset(item, 0, s->item_bytes);
	s->empty -= chunk->used == 0;
	chunk->used++;
	s->used++;
	return (s->roomy << s->shift) + i + 1;
}

void slab_free(struct slab *s, uint32_t number)
{
	uint32_t index = (number - 1) >> s->shift;
	struct slab_chunk *chunk = &s->chunks[index];

	memcpy(slab_at(s, number), &chunk->free, sizeof(chunk->free));
	ASAN_POISON_MEMORY_REGION(slab_at(s, number), s->item_bytes);
	chunk->free = ((number - 1) & (per_chunk(s) - 1)) + 1;
	chunk->used--;
	s->used--;
	if (index < s->roomy)
		s->roomy = index;
	if (chunk->used > 0)
		return;
	/* One empty chunk stays, so that an item that comes and goes maps nothing. */
	if (s->empty > 0)
		unmap(s, chunk);
	else
		s->empty++;
}
