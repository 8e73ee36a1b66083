// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_page.c - a page of records in order of key: LMDB's, merged with those that wait for it,
 * which replace or precede them. Its cost follows the page, not what waits. */
#include "plugin/store_internal.h"

#include <string.h>

/* Records that are looked at for a page beyond those that it takes: a long run of deleted ones
 * must not hold the broker. */
#define EXTRA_MAX 1000

struct page_walk {
	store_visit_f fn;
	void *arg;
	char *next;
	const struct pending *fresh, *busy; /* not told yet */
	size_t left;                        /* records that the page still takes */
	size_t looks;                       /* and that are looked at */
	bool more;
};

static int compare(const struct pending *a, const struct pending *b)
{
	return pending_compare_keys(a->bytes, a->key_len, b->bytes, b->key_len);
}

/* The waiting record with the smallest key; of two with the same key the fresh one. */
static const struct pending *first_waiting(const struct page_walk *w)
{
	if (w->fresh == NULL || w->busy == NULL)
		return w->fresh != NULL ? w->fresh : w->busy;
	return compare(w->fresh, w->busy) <= 0 ? w->fresh : w->busy;
}

static void step_over(struct page_walk *w, const struct pending *p)
{
	const struct pending *busy = w->busy;

	if (busy != NULL && (busy == p || compare(busy, p) == 0))
		w->busy = busy->behind;
	if (w->fresh == p)
		w->fresh = p->behind;
}

/* False when the page ends before this record: it is full, or has looked at enough. */
static bool look_at(struct page_walk *w, const char *key, size_t key_len, bool deleted)
{
	if (key_len > STORE_KEY_MAX)
		return true;
	if (w->looks == 0 || (w->left == 0 && !deleted)) {
		w->more = true;
		return false;
	}
	w->looks--;
	memcpy(w->next, key, key_len);
	w->next[key_len] = '\0';
	return true;
}

static bool tell(struct page_walk *w, const char *key, size_t key_len, struct slice value)
{
	if (!look_at(w, key, key_len, false))
		return false;
	if (key_len > STORE_KEY_MAX)
		return true; /* not ours */
	w->left--;
	w->fn(w->arg, key, key_len, value);
	return true;
}

static bool tell_waiting(struct page_walk *w, const struct pending *p)
{
	struct slice value = {p->bytes + p->key_len, p->value_len};

	step_over(w, p);
	return p->deleted ? look_at(w, p->bytes, p->key_len, true)
			  : tell(w, p->bytes, p->key_len, value);
}

static bool visit_stored(void *arg, const char *key, size_t key_len, struct slice value)
{
	struct page_walk *w = arg;
	const struct pending *p;

	while ((p = first_waiting(w)) != NULL) {
		int rc = pending_compare_keys(p->bytes, p->key_len, key, key_len);

		if (rc > 0)
			break;
		if (rc == 0)
			return tell_waiting(w, p); /* it replaces this one */
		if (!tell_waiting(w, p))
			return false;
	}
	return tell(w, key, key_len, value);
}

bool store_page(struct store *s, enum store_db db, const char *after, size_t limit,
		store_visit_f fn, void *arg, char next[STORE_KEY_MAX + 1])
{
	struct page_walk w = {.fn = fn,
			      .arg = arg,
			      .next = next,
			      .fresh = pending_first(&s->fresh, db, after),
			      .busy = pending_first(&s->busy, db, after),
			      .left = limit,
			      .looks = limit + EXTRA_MAX};
	const struct pending *p;

	next[0] = '\0';
	lmdb_walk(s->lmdb, db, after, visit_stored, &w);
	while (!w.more && (p = first_waiting(&w)) != NULL)
		(void)tell_waiting(&w, p);
	return w.more;
}
