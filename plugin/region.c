// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/region.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define UNIT 16u
#define FIRST_CHUNK ((size_t)16 * 1024) /* is kept: enough for times without storms */
#define CHUNK ((size_t)128 * 1024)

/* AddressSanitizer sees through malloc alone. */
#ifdef __SANITIZE_ADDRESS__
#define SMALL_MAX 0u
#else
#define SMALL_MAX ((REGION_CLASSES - 1) * UNIT)
#endif

struct region_chunk {
	struct region_chunk *next;
	size_t bytes;
};

/* Its item follows. */
struct region_large {
	_Alignas(UNIT) struct region_large *before;
	struct region_large *behind;
};

void region_init(struct region *r)
{
	*r = (struct region){0};
}

static void unmap_all(struct region *r)
{
	struct region_chunk *next;

	for (struct region_chunk *c = r->chunks; c != NULL; c = next) {
		next = c->next;
		munmap(c, c->bytes);
	}
	r->chunks = NULL;
	r->at = r->end = NULL;
	r->mapped_bytes = 0;
}

static void free_large(struct region *r)
{
	struct region_large *next;

	for (struct region_large *l = r->large; l != NULL; l = next) {
		next = l->behind;
		free(l);
	}
	r->large = NULL;
}

void region_fini(struct region *r)
{
	free_large(r);
	unmap_all(r);
	region_init(r);
}

void region_reset(struct region *r)
{
	free_large(r);
	memset(r->freed, 0, sizeof(r->freed));
	if (r->mapped_bytes > FIRST_CHUNK)
		unmap_all(r);
	else if (r->chunks != NULL)
		r->at = (char *)r->chunks + UNIT;
}

/* What is left of the chunk before is lost until the reset. */
static bool map_chunk(struct region *r)
{
	/* Populated but for the first one: a storm fills them, and a fault per page costs more.
	 */
	size_t bytes = r->chunks == NULL ? FIRST_CHUNK : CHUNK;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (r->chunks == NULL ? 0 : MAP_POPULATE);
	struct region_chunk *c = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (c == MAP_FAILED)
		return false;
	*c = (struct region_chunk){r->chunks, bytes};
	r->chunks = c;
	r->at = (char *)c + UNIT;
	r->end = (char *)c + bytes;
	r->mapped_bytes += bytes;
	return true;
}

static void *alloc_large(struct region *r, size_t size)
{
	struct region_large *l = malloc(sizeof(*l) + size);

	if (l == NULL)
		return NULL;
	l->before = NULL;
	l->behind = r->large;
	if (r->large != NULL)
		r->large->before = l;
	r->large = l;
	return l + 1;
}

static size_t class_of(size_t size)
{
	return size == 0 ? 1 : (size + UNIT - 1) / UNIT;
}

void *region_alloc(struct region *r, size_t size)
{
	size_t class = class_of(size);
	void *item;

	if (size > SMALL_MAX)
		return alloc_large(r, size);
	item = r->freed[class];
	if (item != NULL) {
		memcpy(&r->freed[class], item, sizeof(void *));
		return item;
	}
	if ((size_t)(r->end - r->at) < class * UNIT && !map_chunk(r))
		return NULL;
	item = r->at;
	r->at += class * UNIT;
	return item;
}

void region_free(struct region *r, void *item, size_t size)
{
	size_t class = class_of(size);
	struct region_large *l;

	if (size <= SMALL_MAX) {
		memcpy(item, &r->freed[class], sizeof(void *));
		r->freed[class] = item;
		return;
	}
	l = (struct region_large *)item - 1;
	if (l->behind != NULL)
		l->behind->before = l->before;
	if (l->before != NULL)
		l->before->behind = l->behind;
	else
		r->large = l->behind;
	free(l);
}
