// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_page.c - a page of records in order of key: LMDB's, merged with those that wait for it,
 * which replace or precede them. */
#include "plugin/store_internal.h"

#include <string.h>

#define WALK_MAX 1024

struct page_walk {
	struct store *s;
	store_visit_f fn;
	void *arg;
	char *next;
	size_t left; /* records that the page still takes */
	bool more;
	const struct pending *waiting[WALK_MAX]; /* the smallest keys, in order */
	size_t waiting_len, waiting_max, told;
	bool overflow; /* there are waiting records behind those */
};

/* As LMDB sorts keys. */
static int compare_keys(const void *a, size_t a_len, const void *b, size_t b_len)
{
	int rc = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return rc != 0 ? rc : (a_len > b_len) - (a_len < b_len);
}

static int compare_pending(const struct pending *a, const struct pending *b)
{
	return compare_keys(a->bytes, a->key_len, b->bytes, b->key_len);
}

/* Where p belongs among those that wait. */
static size_t place_of(const struct page_walk *w, const struct pending *p)
{
	size_t from = 0, to = w->waiting_len;

	while (from < to) {
		const size_t middle = (from + to) / 2;

		if (compare_pending(w->waiting[middle], p) > 0)
			to = middle;
		else
			from = middle + 1;
	}
	return from;
}

static void keep_smallest(struct page_walk *w, const struct pending *p)
{
	size_t at;

	if (w->waiting_len == w->waiting_max) {
		w->overflow = true;
		if (compare_pending(p, w->waiting[w->waiting_len - 1]) > 0)
			return;
		w->waiting_len--;
	}
	at = place_of(w, p);
	memmove(&w->waiting[at + 1], &w->waiting[at],
		(w->waiting_len - at) * sizeof(w->waiting[0]));
	w->waiting[at] = p;
	w->waiting_len++;
}

static void collect_waiting(struct page_walk *w, const struct htab *table, enum store_db db,
			    const char *after)
{
	size_t after_len = after != NULL ? strlen(after) : 0;
	const struct pending *p;

	for (size_t pos = 0; (p = htab_next(table, &pos)) != NULL;) {
		struct pending_key k = {p->db, p->bytes, p->key_len, p->hash};

		if (p->db == db && p->key_len <= STORE_KEY_MAX &&
		    (after == NULL ||
		     compare_keys(p->bytes, p->key_len, after, after_len) > 0) &&
		    (table == &w->s->fresh || store_find_in(&w->s->fresh, &k) == NULL))
			keep_smallest(w, p);
	}
}

/* False when the page is full. */
static bool tell(struct page_walk *w, const char *key, size_t key_len, struct slice value)
{
	if (key_len > STORE_KEY_MAX)
		return true; /* not ours */
	if (w->left == 0) {
		w->more = true;
		return false;
	}
	w->left--;
	memcpy(w->next, key, key_len);
	w->next[key_len] = '\0';
	w->fn(w->arg, key, key_len, value);
	return true;
}

static bool tell_waiting(struct page_walk *w)
{
	const struct pending *p = w->waiting[w->told++];
	struct slice value = {p->bytes + p->key_len, p->value_len};

	if (!p->deleted && !tell(w, p->bytes, p->key_len, value))
		return false;
	if (!w->overflow || w->told < w->waiting_len)
		return true;
	/* What waits behind this key is not known here: the next page finds it. */
	memcpy(w->next, p->bytes, p->key_len);
	w->next[p->key_len] = '\0';
	w->more = true;
	return false;
}

static bool visit_stored(void *arg, const char *key, size_t key_len, struct slice value)
{
	struct page_walk *w = arg;

	while (w->told < w->waiting_len) {
		const struct pending *p = w->waiting[w->told];
		int rc = compare_keys(p->bytes, p->key_len, key, key_len);

		if (rc > 0)
			break;
		if (rc == 0)
			return tell_waiting(w); /* it replaces this one */
		if (!tell_waiting(w))
			return false;
	}
	return tell(w, key, key_len, value);
}

bool store_page(struct store *s, enum store_db db, const char *after, size_t limit,
		store_visit_f fn, void *arg, char next[STORE_KEY_MAX + 1])
{
	/* One more than the page takes, to know whether there are more. */
	struct page_walk w = {.s = s,
			      .fn = fn,
			      .arg = arg,
			      .next = next,
			      .left = limit,
			      .waiting_max = limit < WALK_MAX ? limit + 1 : WALK_MAX};

	next[0] = '\0';
	/* A walk over all that waits is for the few moments in which some of it is of this
	 * database: the directory's pages are read while thousands of objects wait. */
	if (s->fresh_of[db] > 0)
		collect_waiting(&w, &s->fresh, db, after);
	if (s->busy_of[db] > 0)
		collect_waiting(&w, &s->busy, db, after);
	lmdb_walk(s->lmdb, db, after, visit_stored, &w);
	while (!w.more && w.told < w.waiting_len)
		(void)tell_waiting(&w);
	return w.more;
}
