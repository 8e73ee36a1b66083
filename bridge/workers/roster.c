// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The table itself. How it is kept current is in roster_sync.c. */
#include "bridge/workers/roster.h"

#include "bridge/workers/roster_sync.h"
#include "protocol/clock.h"

#include <stdlib.h>
#include <string.h>

struct roster {
	struct htab by_id;
	struct record **order; /* by (created_ms, id) */
	size_t len, cap;
	uint64_t version;
	struct roster_sync *sync;
	void (*news)(void *arg, const struct worker_id *id); /* may be NULL */
	void *news_arg;
	struct roster_watcher watcher;

	/* Removed by us since the last reading: an older reading that is still under way must
	 * not bring them back. */
	struct removed_worker *removed;
	size_t removed_len, removed_cap;
};

static uint64_t hash_record(const void *item)
{
	return htab_hash_str(((const struct record *)item)->id.text);
}

static bool match_id(const void *item, const void *key)
{
	return worker_id_equal(&((const struct record *)item)->id, key);
}

const char *worker_status_name(enum worker_status status)
{
	static const char *const names[] = {"active", "update_required", "revoked"};

	return names[status];
}

void record_free(struct record *record)
{
	if (record == NULL)
		return;
	for (size_t i = 0; i < record->tags_len; i++)
		free(record->tags[i]);
	free(record->tags);
	free(record->name);
	free(record->renewal_failure_reason);
	free(record->latest.json);
	status_row_drop(&record->status_row);
	free(record);
}

void status_row_drop(struct status_row *row)
{
	free(row->text);
	row->text = NULL;
	row->epoch = 0;
}

/* Every change of a record that stays in the table ends here. */
static void changed(struct roster *r, struct record *record)
{
	status_row_drop(&record->status_row);
	r->version++;
}

struct roster *roster_new(struct app *app, struct err *e)
{
	struct roster *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	htab_init(&r->by_id, hash_record);
	r->sync = roster_sync_new(app, r, e);
	if (r->sync == NULL) {
		roster_free(r);
		return NULL;
	}
	return r;
}

void roster_free(struct roster *r)
{
	if (r == NULL)
		return;
	roster_sync_free(r->sync);
	for (size_t i = 0; i < r->len; i++)
		record_free(r->order[i]);
	htab_fini(&r->by_id);
	free(r->order);
	free(r->removed);
	free(r);
}

void roster_set_watcher(struct roster *r, const struct roster_watcher *w)
{
	r->watcher = w != NULL ? *w : (struct roster_watcher){0};
}

static void tell_removed(struct roster *r, const struct record *record)
{
	if (r->watcher.removed != NULL)
		r->watcher.removed(r->watcher.arg, record);
}

static void tell_reported(struct roster *r, struct record *record)
{
	if (r->watcher.reported != NULL)
		r->watcher.reported(r->watcher.arg, record);
}

void roster_refresh(struct roster *r)
{
	roster_sync_now(r->sync);
}

bool roster_loaded(const struct roster *r)
{
	return roster_sync_loaded(r->sync);
}

struct record *roster_find(const struct roster *r, const struct worker_id *id)
{
	return htab_find(&r->by_id, htab_hash_str(id->text), match_id, id);
}

struct record *roster_get(const struct roster *r, const struct worker_id *id, struct err *e)
{
	struct record *record = roster_find(r, id);

	if (record == NULL)
		err_set(e, roster_loaded(r) ? ERR_WORKER_NOT_FOUND : ERR_DATABASE_UNAVAILABLE,
			NULL);
	return record;
}

size_t roster_len(const struct roster *r)
{
	return r->len;
}

struct record *roster_at(const struct roster *r, size_t index)
{
	return r->order[index];
}

uint64_t roster_version(const struct roster *r)
{
	return r->version;
}

/* The first index whose record is not before (created_ms, id). */
static size_t lower_bound(const struct roster *r, int64_t created_ms,
			  const struct worker_id *id)
{
	size_t lo = 0, hi = r->len;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const struct record *at = r->order[mid];

		if (at->created_ms < created_ms ||
		    (at->created_ms == created_ms && strcmp(at->id.text, id->text) < 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t roster_after(const struct roster *r, int64_t created_ms, const struct worker_id *id)
{
	const size_t i = lower_bound(r, created_ms, id);

	return i < r->len && worker_id_equal(&r->order[i]->id, id) ? i + 1 : i;
}

static bool reserve(struct roster *r)
{
	const size_t cap = r->cap == 0 ? 64 : r->cap * 2;
	struct record **order;

	if (r->len < r->cap)
		return true;
	order = realloc(r->order, cap * sizeof(*order));
	if (order == NULL)
		return false;
	r->order = order;
	r->cap = cap;
	return true;
}

static void take_out(struct roster *r, struct record *record)
{
	const size_t i = lower_bound(r, record->created_ms, &record->id);

	htab_remove(&r->by_id, record);
	memmove(&r->order[i], &r->order[i + 1], (r->len - i - 1) * sizeof(*r->order));
	r->len--;
	r->version++;
}

static void put_in(struct roster *r, struct record *record)
{
	const size_t i = lower_bound(r, record->created_ms, &record->id);

	memmove(&r->order[i + 1], &r->order[i], (r->len - i) * sizeof(*r->order));
	r->order[i] = record;
	r->len++;
	r->version++;
}

/* Reports and engine statuses have times of their own: the newer ones stay, whichever record
 * they came with. */
static void keep_latest(struct record *from, struct record *to)
{
	struct metric_latest *old = &from->latest, *new = &to->latest;

	if (old->received_ms > new->received_ms) {
		free(new->json);
		new->json = old->json;
		old->json = NULL;
		new->memory = old->memory;
		new->cpu = old->cpu;
		new->rate = old->rate;
		new->received_ms = old->received_ms;
	}
	if (old->engine_status_ms > new->engine_status_ms) {
		memcpy(new->engine_status, old->engine_status, sizeof(new->engine_status));
		new->engine_status_ms = old->engine_status_ms;
	}
	/* Orders change no revision: they are read on their own (engine_desired.h). */
	to->desired = from->desired;
	to->desired_ms = from->desired_ms;
	to->desired_noted_us = from->desired_noted_us;
}

static int64_t removed_revision(const struct roster *r, const struct worker_id *id)
{
	for (size_t i = 0; i < r->removed_len; i++)
		if (worker_id_equal(&r->removed[i].id, id))
			return r->removed[i].revision;
	return -1;
}

enum err_code roster_put(struct roster *r, struct record **record, struct err *e)
{
	struct record *new = *record, *old = roster_find(r, &new->id);

	*record = NULL;
	if ((old != NULL && old->revision > new->revision) ||
	    removed_revision(r, &new->id) > new->revision) {
		record_free(new);
		return ERR_OK;
	}
	if (old != NULL) {
		keep_latest(old, new);
		take_out(r, old);
	}
	if (!reserve(r) || !htab_add(&r->by_id, new)) {
		record_free(old);
		record_free(new);
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	put_in(r, new);
	if (r->watcher.put != NULL)
		r->watcher.put(r->watcher.arg, new, old);
	record_free(old);
	return ERR_OK;
}

static void note_removed(struct roster *r, const struct worker_id *id, int64_t revision)
{
	const size_t cap = r->removed_cap == 0 ? 16 : r->removed_cap * 2;

	if (r->removed_len == r->removed_cap) {
		struct removed_worker *removed = realloc(r->removed, cap * sizeof(*removed));

		if (removed == NULL)
			return; /* at worst it shows up again until the next reading */
		r->removed = removed;
		r->removed_cap = cap;
	}
	r->removed[r->removed_len++] = (struct removed_worker){*id, revision};
}

void roster_remove(struct roster *r, const struct worker_id *id, int64_t revision)
{
	struct record *record = roster_find(r, id);

	if (record != NULL && record->revision > revision)
		return;
	note_removed(r, id, revision);
	if (record == NULL)
		return;
	take_out(r, record);
	tell_removed(r, record);
	record_free(record);
}

void roster_forget_removed(struct roster *r, int64_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->removed_len; i++)
		if (r->removed[i].revision > n)
			r->removed[kept++] = r->removed[i];
	r->removed_len = kept;
}

void roster_doubt_all(struct roster *r)
{
	for (size_t i = 0; i < r->len; i++)
		r->order[i]->revision = -1;
	r->removed_len = 0;
}

void roster_drop_doubted(struct roster *r)
{
	for (size_t i = r->len; i-- > 0;) {
		struct record *record = r->order[i];

		if (record->revision >= 0)
			continue;
		take_out(r, record);
		tell_removed(r, record);
		record_free(record);
	}
}

void roster_set_latest(struct roster *r, const struct worker_id *id, struct metric_latest *m)
{
	struct record *record = roster_find(r, id);
	char *json = m->json;

	m->json = NULL;
	if (record == NULL || record->latest.received_ms > m->received_ms) {
		free(json);
		return;
	}
	free(record->latest.json);
	record->latest.json = json;
	record->latest.memory = m->memory;
	record->latest.cpu = m->cpu;
	record->latest.rate = m->rate;
	record->latest.received_ms = m->received_ms;
	changed(r, record);
	tell_reported(r, record);
	if (m->engine_status[0] != '\0')
		roster_set_engine_status(r, id, m->engine_status, m->engine_status_ms);
}

void roster_set_engine_status(struct roster *r, const struct worker_id *id, const char *status,
			      int64_t at_ms)
{
	struct record *record = roster_find(r, id);

	if (record == NULL || record->latest.engine_status_ms > at_ms)
		return;
	strncpy(record->latest.engine_status, status, sizeof(record->latest.engine_status) - 1);
	record->latest.engine_status_ms = at_ms;
	changed(r, record);
	tell_reported(r, record);
}

const char *engine_wish(const char *text)
{
	if (text != NULL && strcmp(text, "running") == 0)
		return "running";
	return text != NULL && strcmp(text, "stopped") == 0 ? "stopped" : NULL;
}

void roster_set_desired(struct roster *r, const struct worker_id *id, const char *status,
			int64_t at_ms)
{
	struct record *record = roster_find(r, id);
	const char *wish = engine_wish(status);

	if (record == NULL)
		return;
	record->desired_ms = at_ms;
	record->desired_noted_us = clock_mono_us();
	if (record->desired == wish)
		return;
	record->desired = wish;
	changed(r, record);
	tell_reported(r, record);
}

void roster_touch_connection(struct roster *r, const struct worker_id *id)
{
	struct record *record = roster_find(r, id);

	if (record != NULL)
		record->status_row.epoch = 0;
}

void roster_set_news(struct roster *r, void (*news)(void *arg, const struct worker_id *id),
		     void *arg)
{
	r->news = news;
	r->news_arg = arg;
}

void roster_tell_news(struct roster *r, const struct worker_id *id)
{
	if (r->news != NULL)
		r->news(r->news_arg, id);
}
