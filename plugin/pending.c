// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/pending.h"

#include <string.h>

/* Of an empty set's table: one that grew from nothing for each commit would be hashed anew
 * again and again. 64 KiB. */
#define KEPT_SLOTS 8192

struct pending_key pending_key(enum store_db db, const void *key, size_t len)
{
	return (struct pending_key){db, key, len,
				    htab_hash_bytes(key, len) + db * 0x9E3779B97F4A7C15u};
}

static uint64_t hash_pending(const void *item)
{
	return ((const struct pending *)item)->hash;
}

static bool match_pending(const void *item, const void *key)
{
	const struct pending *p = item;
	const struct pending_key *k = key;

	return p->hash == k->hash && p->db == k->db && p->key_len == k->len &&
	       memcmp(p->bytes, k->key, k->len) == 0;
}

int pending_compare_keys(const void *a, size_t a_len, const void *b, size_t b_len)
{
	int rc = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return rc != 0 ? rc : (a_len > b_len) - (a_len < b_len);
}

static int compare(const struct pending *a, const struct pending *b)
{
	return pending_compare_keys(a->bytes, a->key_len, b->bytes, b->key_len);
}

void pending_init(struct pending_set *set)
{
	*set = (struct pending_set){0};
	htab_init(&set->by_key, hash_pending);
	region_init(&set->memory);
}

void pending_fini(struct pending_set *set)
{
	region_fini(&set->memory);
	htab_fini(&set->by_key);
	pending_init(set);
}

void pending_clear(struct pending_set *set)
{
	region_reset(&set->memory);
	htab_clear(&set->by_key, KEPT_SLOTS);
	memset(set->root, 0, sizeof(set->root));
	set->bytes = 0;
}

struct pending *pending_new(struct pending_set *set, const struct pending_key *k,
			    const void *value, size_t value_len, bool deleted)
{
	struct pending *p = region_alloc(&set->memory, sizeof(*p) + k->len + value_len);

	if (p == NULL)
		return NULL;
	*p = (struct pending){.hash = k->hash,
			      .db = k->db,
			      .deleted = deleted,
			      .key_len = k->len,
			      .value_len = value_len};
	memcpy(p->bytes, k->key, k->len);
	if (value_len > 0)
		memcpy(p->bytes + k->len, value, value_len);
	return p;
}

void pending_free(struct pending_set *set, struct pending *p)
{
	region_free(&set->memory, p, pending_bytes(p));
}

size_t pending_bytes(const struct pending *p)
{
	return sizeof(*p) + p->key_len + p->value_len;
}

struct pending *pending_find(const struct pending_set *set, const struct pending_key *k)
{
	if (set->by_key.len == 0)
		return NULL;
	return htab_find(&set->by_key, k->hash, match_pending, k);
}

/* ---- order ---- */

/* Puts p between its neighbours, which stand on its way down the tree. */
static void link_neighbours(struct pending *p, struct pending *before, struct pending *behind)
{
	p->before = before;
	p->behind = behind;
	if (before != NULL)
		before->behind = p;
	if (behind != NULL)
		behind->before = p;
}

/* p takes the place of the first node on its way down that has a lower priority, and the tree
 * below that place is split in what is smaller and what is greater than p. */
static void insert(struct pending **at, struct pending *p)
{
	struct pending *before = NULL, *behind = NULL, *n;
	struct pending **left = &p->left, **right = &p->right;

	while ((n = *at) != NULL && n->priority >= p->priority) {
		if (compare(p, n) < 0) {
			behind = n;
			at = &n->left;
		} else {
			before = n;
			at = &n->right;
		}
	}
	*at = p;
	while (n != NULL) {
		if (compare(p, n) < 0) {
			behind = n;
			*right = n;
			right = &n->left;
			n = n->left;
		} else {
			before = n;
			*left = n;
			left = &n->right;
			n = n->right;
		}
	}
	*left = *right = NULL;
	link_neighbours(p, before, behind);
}

/* Puts what is below p in its place: of its two subtrees' tops always the higher one. */
static void take_out(struct pending **at, struct pending *p)
{
	struct pending *left = p->left, *right = p->right;

	while (*at != p)
		at = compare(p, *at) < 0 ? &(*at)->left : &(*at)->right;
	while (left != NULL && right != NULL) {
		if (left->priority >= right->priority) {
			*at = left;
			at = &left->right;
			left = left->right;
		} else {
			*at = right;
			at = &right->left;
			right = right->left;
		}
	}
	*at = left != NULL ? left : right;
	if (p->before != NULL)
		p->before->behind = p->behind;
	if (p->behind != NULL)
		p->behind->before = p->before;
}

/* xorshift (Marsaglia 2003): balance needs chance in respect of the keys, not secrecy. */
static uint32_t next_priority(void)
{
	static uint32_t x = 2463534242;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

bool pending_add(struct pending_set *set, struct pending *p)
{
	if (!htab_add(&set->by_key, p))
		return false;
	p->priority = next_priority();
	insert(&set->root[p->db], p);
	set->bytes += pending_bytes(p);
	return true;
}

void pending_remove(struct pending_set *set, struct pending *p)
{
	htab_remove(&set->by_key, p);
	take_out(&set->root[p->db], p);
	set->bytes -= pending_bytes(p);
}

const struct pending *pending_first(const struct pending_set *set, enum store_db db,
				    const char *after)
{
	const struct pending *n = set->root[db], *best = NULL;
	size_t len = after != NULL ? strlen(after) : 0;

	while (n != NULL) {
		if (after == NULL ||
		    pending_compare_keys(n->bytes, n->key_len, after, len) > 0) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}
