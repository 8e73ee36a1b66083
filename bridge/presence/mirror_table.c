// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/presence/mirror_table.h"

#include <stdlib.h>

struct entry {
	struct presence presence;
	bool deleted;
};

static uint64_t hash_entry(const void *item)
{
	return htab_hash_str(((const struct entry *)item)->presence.worker.text);
}

static bool is_worker(const void *item, const void *id)
{
	return worker_id_equal(&((const struct entry *)item)->presence.worker, id);
}

static struct entry *find(const struct mirror_table *t, const struct worker_id *id)
{
	return htab_find(&t->entries, htab_hash_str(id->text), is_worker, id);
}

static void count_in(struct mirror_table *t, const struct entry *entry)
{
	digest_add(&t->digest, &entry->presence);
	t->by_state[entry->presence.state]++;
	t->sessions += entry->presence.sessions;
	t->deleted += entry->deleted;
}

static void count_out(struct mirror_table *t, const struct entry *entry)
{
	digest_remove(&t->digest, &entry->presence);
	t->by_state[entry->presence.state]--;
	t->sessions -= entry->presence.sessions;
	t->deleted -= entry->deleted;
}

static struct entry *add(struct mirror_table *t, const struct presence *p)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL)
		return NULL;
	entry->presence = *p;
	entry->deleted = p->reason == REASON_DELETED;
	if (!htab_add(&t->entries, entry)) {
		free(entry);
		return NULL;
	}
	count_in(t, entry);
	return entry;
}

static void drop(struct mirror_table *t, struct entry *entry)
{
	count_out(t, entry);
	htab_remove(&t->entries, entry);
	free(entry);
}

static void replace(struct mirror_table *t, struct entry *entry, const struct presence *p)
{
	count_out(t, entry);
	entry->presence = *p;
	entry->deleted = p->reason == REASON_DELETED;
	count_in(t, entry);
}

bool mirror_table_apply(struct mirror_table *t, const struct presence *p, bool listing)
{
	struct entry *entry = find(t, &p->worker);

	/* "Unknown" is what this side says when it does not hear: no plugin does. */
	if (p->state == PRESENCE_UNKNOWN)
		return true;
	if (entry == NULL)
		entry = add(t, p);
	else if (presence_pos_after(p->pos, entry->presence.pos))
		replace(t, entry, p);
	if (entry == NULL)
		return false;
	if (entry->deleted && !listing)
		drop(t, entry);
	return true;
}

const struct presence *mirror_table_find(const struct mirror_table *t,
					 const struct worker_id *id)
{
	const struct entry *entry = find(t, id);

	return entry != NULL && !entry->deleted ? &entry->presence : NULL;
}

bool mirror_table_move(struct mirror_table *t, struct mirror_table *from)
{
	const struct entry *entry;
	size_t pos = 0;
	bool ok = true;

	if (t->entries.len == 0) {
		mirror_table_clear(t);
		*t = *from;
		mirror_table_init(from);
	}
	while (ok && (entry = htab_next(&from->entries, &pos)) != NULL)
		ok = mirror_table_apply(t, &entry->presence, false);
	mirror_table_clear(from);
	return ok;
}

static bool is_older(const struct presence *now, const struct presence *before)
{
	return presence_pos_after(before->pos, now->pos) ||
	       before->generation > now->generation;
}

bool mirror_table_lacks(const struct mirror_table *t, const struct mirror_table *before,
			bool (*matters)(void *arg, const struct worker_id *id), void *arg)
{
	const struct entry *was, *is;
	size_t pos = 0;

	while ((was = htab_next(&before->entries, &pos)) != NULL) {
		is = find(t, &was->presence.worker);
		if ((is == NULL || is_older(&is->presence, &was->presence)) && !was->deleted &&
		    matters(arg, &was->presence.worker))
			return true;
	}
	return false;
}

void mirror_table_sweep(struct mirror_table *t)
{
	struct htab kept;
	struct entry *entry;
	size_t pos = 0;

	if (t->deleted == 0)
		return;
	/* Into a new table, since removing from one shifts entries under the walk. */
	htab_init(&kept, hash_entry);
	while ((entry = htab_next(&t->entries, &pos)) != NULL)
		if (entry->deleted || !htab_add(&kept, entry)) {
			count_out(t, entry);
			free(entry);
		}
	htab_fini(&t->entries);
	t->entries = kept;
}

void mirror_table_init(struct mirror_table *t)
{
	*t = (struct mirror_table){0};
	htab_init(&t->entries, hash_entry);
}

void mirror_table_clear(struct mirror_table *t)
{
	struct entry *entry;
	size_t pos = 0;

	while ((entry = htab_next(&t->entries, &pos)) != NULL)
		free(entry);
	htab_fini(&t->entries);
	mirror_table_init(t);
}
