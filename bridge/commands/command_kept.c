// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A round takes the workers that wait, claims their commands, and has them sent. One round at a
 * time. What it could not send is claimed for a
 * few seconds, and found again after that. */
#include "bridge/commands/command_kept.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/commands/command_dispatch.h"
#include "bridge/db/db.h"
#include "bridge/presence/mirror.h"
#include "bridge/store/store_command_kept.h"
#include "protocol/clock.h"
#include "protocol/htab.h"
#include "protocol/log.h"

#include <stdlib.h>

#define SWEEP_MS 2000
#define FIRST_MS 100 /* until the database has been read once */
#define ROUND_WORKERS 100

/* A worker that has open commands. */
struct keeper {
	struct worker_id id;
	int64_t lowest, highest; /* generations that its commands have reached; -1: none */
	int64_t noted_us;        /* a command of it was made here */
	uint64_t seen;           /* by that reading */
	bool waits;              /* for a round */
	struct keeper *next;     /* of those */
};

/* A worker of the round under way. */
struct guest {
	struct worker_id id;
	int64_t generation;
};

struct command_kept {
	struct app *app;
	struct htab keepers;          /* by worker */
	struct keeper *first, **last; /* those that wait */
	struct timer *sweep;
	bool swept;
	uint64_t sweeps;  /* the number of the reading under way */
	int64_t swept_us; /* when it began */

	/* The reading's: its thread's until it is done. */
	struct kept_summary *summaries;
	size_t summaries_len;

	/* The round's: its thread's while it claims. */
	bool running;
	struct guest guests[ROUND_WORKERS];
	size_t guests_len;
	struct outgoing *claimed;
};

static void begin_round(struct command_kept *k);

/* ---- the set ----------------------------------------------------------------------------- */

static uint64_t hash_keeper(const void *item)
{
	return htab_hash_str(((const struct keeper *)item)->id.text);
}

static bool is_worker(const void *item, const void *id)
{
	return worker_id_equal(&((const struct keeper *)item)->id, id);
}

static struct keeper *find(const struct command_kept *k, const struct worker_id *id)
{
	return htab_find(&k->keepers, htab_hash_str(id->text), is_worker, id);
}

/* NULL: out of memory; the next reading tries again. */
static struct keeper *get(struct command_kept *k, const struct worker_id *id)
{
	struct keeper *w = find(k, id);

	if (w != NULL)
		return w;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return NULL;
	*w = (struct keeper){.id = *id, .lowest = -1, .highest = -1};
	if (htab_add(&k->keepers, w))
		return w;
	free(w);
	return NULL;
}

static bool is_due(const struct keeper *w, const struct presence *p)
{
	return p != NULL && p->state == PRESENCE_ONLINE &&
	       (w->lowest != p->generation || w->highest != p->generation);
}

static void wait_for_round(struct command_kept *k, struct keeper *w)
{
	if (w->waits)
		return;
	w->waits = true;
	w->next = NULL;
	*k->last = w;
	k->last = &w->next;
	begin_round(k);
}

void command_kept_note(struct command_kept *k, const struct worker_id *worker)
{
	struct keeper *w = get(k, worker);

	if (w == NULL)
		return;
	w->lowest = -1;
	w->noted_us = clock_mono_us();
	/* Whoever made the command did so for a worker that was away, and may have come. */
	if (mirror_hears(k->app->mirror) && is_due(w, mirror_find(k->app->mirror, worker)))
		wait_for_round(k, w);
}

void command_kept_presence(struct command_kept *k, const struct presence *p)
{
	struct keeper *w = k->keepers.len > 0 ? find(k, &p->worker) : NULL;

	if (w != NULL && is_due(w, p))
		wait_for_round(k, w);
}

/* ---- a round ----------------------------------------------------------------------------- */

static void end_round(void *arg)
{
	struct command_kept *k = arg;

	k->running = false;
	begin_round(k);
}

static enum err_code claim(struct db *db, void *arg, struct err *e)
{
	struct command_kept *k = arg;
	struct outgoing **end = &k->claimed;

	e->code = ERR_OK;
	for (size_t i = 0; i < k->guests_len; i++)
		if (store_kept_claim(db, &k->guests[i].id, k->guests[i].generation, &end, e) !=
		    ERR_OK)
			return e->code;
	return ERR_OK;
}

static void on_claimed(void *arg, struct err *e)
{
	struct command_kept *k = arg;
	struct outgoing *claimed = k->claimed;

	if (e->code != ERR_OK)
		log_debug("command", "kept commands: %s", e->msg);
	k->claimed = NULL;
	command_dispatch(k->app, claimed, end_round, k);
}

/* Takes the workers that wait. Those that have gone meanwhile wait no more. */
static void take_guests(struct command_kept *k)
{
	const struct presence *p;
	struct keeper *w;

	k->guests_len = 0;
	while ((w = k->first) != NULL && k->guests_len < ROUND_WORKERS) {
		k->first = w->next;
		w->waits = false;
		p = mirror_find(k->app->mirror, &w->id);
		if (!mirror_hears(k->app->mirror) || !is_due(w, p))
			continue;
		/* If this comes to nothing, the next reading says so. */
		w->lowest = w->highest = p->generation;
		k->guests[k->guests_len++] = (struct guest){w->id, p->generation};
	}
	if (k->first == NULL)
		k->last = &k->first;
}

static void begin_round(struct command_kept *k)
{
	if (k->running)
		return;
	take_guests(k);
	if (k->guests_len == 0)
		return;
	k->running = true;
	db_submit(k->app->db, claim, on_claimed, k);
}

/* ---- reading ----------------------------------------------------------------------------- */

static enum err_code read_workers(struct db *db, void *arg, struct err *e)
{
	struct command_kept *k = arg;

	return store_kept_workers(db, &k->summaries, &k->summaries_len, e);
}

/* Those without an open command; one that was made during the reading may not be in it. */
static void drop_unseen(struct command_kept *k)
{
	struct keeper *w, *gone[256];
	size_t pos = 0, n = 0;

	/* What does not fit is left to the next reading. */
	while (n < ARRAY_LEN(gone) && (w = htab_next(&k->keepers, &pos)) != NULL)
		if (w->seen != k->sweeps && !w->waits && w->noted_us < k->swept_us)
			gone[n++] = w;
	for (size_t i = 0; i < n; i++) {
		htab_remove(&k->keepers, gone[i]);
		free(gone[i]);
	}
}

static void apply_summary(struct command_kept *k, const struct kept_summary *s)
{
	const struct presence *p = mirror_find(k->app->mirror, &s->worker);
	struct keeper *w = get(k, &s->worker);

	if (w == NULL)
		return;
	w->seen = k->sweeps;
	/* What the round under way is about is older in the reading than here. */
	if (k->running || w->noted_us >= k->swept_us)
		return;
	w->lowest = s->lowest;
	w->highest = s->highest;
	if (mirror_hears(k->app->mirror) && is_due(w, p))
		wait_for_round(k, w);
}

static void on_read(void *arg, struct err *e)
{
	struct command_kept *k = arg;

	if (e->code == ERR_OK) {
		for (size_t i = 0; i < k->summaries_len; i++)
			apply_summary(k, &k->summaries[i]);
		drop_unseen(k);
		k->swept = true;
	} else if (e->code != ERR_DATABASE_UNAVAILABLE) {
		log_error("command", "cannot read the kept commands: %s", e->msg);
	}
	free(k->summaries);
	k->summaries = NULL;
	timer_once(k->sweep, k->swept ? SWEEP_MS : FIRST_MS);
}

static void on_sweep(void *arg)
{
	struct command_kept *k = arg;

	k->sweeps++;
	k->swept_us = clock_mono_us();
	db_submit(k->app->db, read_workers, on_read, k);
}

/* ---- life -------------------------------------------------------------------------------- */

struct command_kept *command_kept_new(struct app *app, struct err *e)
{
	struct command_kept *k = calloc(1, sizeof(*k));

	if (k != NULL) {
		k->app = app;
		k->last = &k->first;
		htab_init(&k->keepers, hash_keeper);
		k->sweep = timer_new(app->loop, on_sweep, k);
	}
	if (k == NULL || k->sweep == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		command_kept_free(k);
		return NULL;
	}
	timer_once(k->sweep, FIRST_MS);
	return k;
}

void command_kept_free(struct command_kept *k)
{
	struct keeper *w;
	size_t pos = 0;

	if (k == NULL)
		return;
	while ((w = htab_next(&k->keepers, &pos)) != NULL)
		free(w);
	outgoing_free_all(&k->claimed);
	htab_fini(&k->keepers);
	free(k->summaries);
	timer_free(k->sweep);
	free(k);
}
