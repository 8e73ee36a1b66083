// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A round takes the workers that wait: claim their commands ─▶ have them sent, in order ─▶
 * record what the plugin reached. One round at a time. What it could not send is claimed for a
 * few seconds, and found again after that. */
#include "bridge/command_kept.h"

#include "bridge/app.h"
#include "bridge/command.h"
#include "bridge/command_figures.h"
#include "bridge/command_send.h"
#include "bridge/db.h"
#include "bridge/loop.h"
#include "bridge/mirror.h"
#include "bridge/store_command_kept.h"
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

	/* The round's: its thread's while it claims and records. */
	bool running;
	struct guest guests[ROUND_WORKERS];
	size_t guests_len;
	struct kept_command *commands;
	size_t unanswered;
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

/* ---- recording --------------------------------------------------------------------------- */

static enum err_code record_in(struct db *db, void *arg, struct err *e)
{
	struct command_kept *k = arg;

	for (struct kept_command *c = k->commands; c != NULL; c = c->next)
		if (c->generation != 0 && store_kept_sent(db, c, e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

static enum err_code record(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, record_in, arg, e);
}

static void end_round(struct command_kept *k)
{
	struct kept_command *c;

	while ((c = k->commands) != NULL) {
		k->commands = c->next;
		kept_command_free(c);
	}
	k->running = false;
	begin_round(k);
}

static void on_recorded(void *arg, struct err *e)
{
	struct command_kept *k = arg;

	if (e->code != ERR_OK)
		log_warn("command", "kept commands were sent, which could not be noted: %s",
			 e->msg);
	for (struct kept_command *c = k->commands; c != NULL && e->code == ERR_OK;
	     c = c->next) {
		if (c->generation == 0 || !c->standing.changed)
			continue;
		command_figures_stand(&c->standing);
		command_stands(k->app->commands, &c->row.worker, &c->row.id, &c->standing);
	}
	end_round(k);
}

/* ---- sending ----------------------------------------------------------------------------- */

/* An answer on its way. */
struct answer {
	struct command_kept *kept;
	struct kept_command *command;
};

static void answered(struct command_kept *k)
{
	if (--k->unanswered == 0)
		db_submit(k->app->db, record, on_recorded, k);
}

static void on_answer(void *arg, struct json_object *data, struct err *e)
{
	struct answer *a = arg;
	struct command_kept *k = a->kept;

	(void)e;
	/* It may be an older session than the newest, where a session was named: what counts is
	 * that this one need not be tried for it again. */
	if (data == NULL)
		a->command->generation = 0;
	else if (command_generation(data) > a->command->generation)
		a->command->generation = command_generation(data);
	free(a);
	answered(k);
}

static void send_one(struct command_kept *k, struct kept_command *c)
{
	struct answer *a = malloc(sizeof(*a));

	if (a == NULL) {
		c->generation = 0;
		answered(k);
		return;
	}
	*a = (struct answer){k, c};
	command_send(k->app, &c->row, on_answer, a);
}

static enum err_code claim(struct db *db, void *arg, struct err *e)
{
	struct command_kept *k = arg;
	struct kept_command **end = &k->commands;

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

	if (e->code != ERR_OK)
		log_debug("command", "kept commands: %s", e->msg);
	if (k->commands == NULL) {
		end_round(k);
		return;
	}
	/* One more than there are, so that the last answer ends the round, not the first. */
	k->unanswered = 1;
	for (struct kept_command *c = k->commands; c != NULL; c = c->next)
		k->unanswered++;
	for (struct kept_command *c = k->commands; c != NULL; c = c->next)
		send_one(k, c);
	answered(k);
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
	struct kept_command *c;
	struct keeper *w;
	size_t pos = 0;

	if (k == NULL)
		return;
	while ((w = htab_next(&k->keepers, &pos)) != NULL)
		free(w);
	while ((c = k->commands) != NULL) {
		k->commands = c->next;
		kept_command_free(c);
	}
	htab_fini(&k->keepers);
	free(k->summaries);
	timer_free(k->sweep);
	free(k);
}
