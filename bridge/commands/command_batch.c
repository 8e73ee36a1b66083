// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A batch goes on in steps: make the next commands and commit them ─▶ have them sent ─▶ wait
 * until more may be sent, or for what becomes of the last ones. A bridge that dies in between
 * leaves commands that nobody sends: they are sent if they are kept, and expire if not. */
#include "bridge/commands/command_batch.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/commands/command.h"
#include "bridge/commands/command_dispatch.h"
#include "bridge/commands/command_figures.h"
#include "bridge/db/db.h"
#include "protocol/htab.h"
#include "protocol/log.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 2000 /* for batches that nobody works on */
#define STEP_MAX_MS                                                                            \
	2000            /* between two steps, well within the time for which one owns a batch */
#define OVER_MIN_MS 100 /* from one look for its end to the next, at first */
#define RETRY_MS 500
#define ORPHANS_MAX 16
#define OWNER_BYTES 8

struct batch {
	struct command_batches *all;
	struct batch_id id;
	struct timer *timer;
	int64_t over_ms;        /* until the next look for its end */
	struct batch_step step; /* its thread's until it is done */
};

struct command_batches {
	struct app *app;
	struct htab running; /* those that this bridge works on */
	struct timer *look;
	char owner[2 * OWNER_BYTES + 1]; /* this process */

	/* The look's: its thread's until it is done. */
	struct batch_id orphans[ORPHANS_MAX];
	size_t orphans_len;
};

static uint64_t hash_batch(const void *item)
{
	return htab_hash_str(((const struct batch *)item)->id.text);
}

static bool is_batch(const void *item, const void *id)
{
	return strcmp(((const struct batch *)item)->id.text, id) == 0;
}

static void batch_free(struct batch *b)
{
	outgoing_free_all(&b->step.made);
	free(b->step.taken.list);
	timer_free(b->timer);
	free(b);
}

static void drop(struct batch *b)
{
	htab_remove(&b->all->running, b);
	batch_free(b);
}

/* ---- a step ------------------------------------------------------------------------------ */

static int64_t until_next(struct batch *b)
{
	int64_t ms = b->step.wait_ms;

	if (b->step.issued_all) {
		ms = b->over_ms;
		b->over_ms *= 2;
	}
	if (b->over_ms > STEP_MAX_MS)
		b->over_ms = STEP_MAX_MS;
	return ms < STEP_MAX_MS ? ms : STEP_MAX_MS;
}

static void on_dispatched(void *arg)
{
	struct batch *b = arg;

	timer_once(b->timer, until_next(b));
}

void command_batch_tell(struct app *app, const struct batch_taken_list *taken)
{
	for (size_t i = 0; i < taken->len; i++) {
		const struct batch_taken *t = &taken->list[i];
		const struct command_standing standing = {.id = t->id,
							  .found = true,
							  .changed = true,
							  .state = COMMAND_CANCELLED,
							  .created_ms = t->created_ms};

		command_figures_stand(&standing);
		command_happened(app->commands, &t->worker, &standing);
	}
}

static void on_stepped(void *arg, struct err *e)
{
	struct batch *b = arg;
	struct app *app = b->all->app;
	struct outgoing *made = b->step.made;

	if (e->code != ERR_OK) {
		log_warn("command", "batch=%s cannot go on: %s", b->id.text, e->msg);
		timer_once(b->timer, RETRY_MS);
		return;
	}
	b->step.made = NULL;
	if (b->step.aborted)
		log_warn("command", "batch=%s aborted: too many of its commands failed",
			 b->id.text);
	command_batch_tell(app, &b->step.taken);
	if (b->step.aborted || !b->step.mine) {
		drop(b);
		return;
	}
	for (const struct outgoing *o = made; o != NULL; o = o->next)
		commands_made(app->commands, &o->row);
	/* Those that are kept have been noted with the others that are. */
	if (made != NULL && made->row.queue)
		outgoing_free_all(&made);
	command_dispatch(app, made, on_dispatched, b);
}

static enum err_code step(struct db *db, void *arg, struct err *e)
{
	struct batch *b = arg;

	return store_batch_step(db, &b->id, b->all->owner, &b->step, e);
}

static void on_due(void *arg)
{
	struct batch *b = arg;

	db_submit(b->all->app->db, step, on_stepped, b);
}

/* ---- all of them ------------------------------------------------------------------------- */

/* Without memory it is an orphan, which the next look finds. */
void command_batch_begin(struct command_batches *all, const struct batch_id *id)
{
	struct batch *b;

	if (htab_find(&all->running, htab_hash_str(id->text), is_batch, id->text) != NULL)
		return;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return;
	*b = (struct batch){.all = all, .id = *id, .over_ms = OVER_MIN_MS};
	b->timer = timer_new(all->app->loop, on_due, b);
	if (b->timer == NULL || !htab_add(&all->running, b)) {
		batch_free(b);
		return;
	}
	timer_once(b->timer, 0);
}

static enum err_code look(struct db *db, void *arg, struct err *e)
{
	struct command_batches *all = arg;

	return store_batch_orphans(db, all->orphans, ORPHANS_MAX, &all->orphans_len, e);
}

static void on_looked(void *arg, struct err *e)
{
	struct command_batches *all = arg;

	if (e->code == ERR_OK)
		for (size_t i = 0; i < all->orphans_len; i++)
			command_batch_begin(all, &all->orphans[i]);
	else if (e->code != ERR_DATABASE_UNAVAILABLE)
		log_error("command", "cannot look for batches: %s", e->msg);
	timer_once(all->look, LOOK_MS);
}

static void on_look(void *arg)
{
	struct command_batches *all = arg;

	db_submit(all->app->db, look, on_looked, all);
}

struct command_batches *command_batches_new(struct app *app, struct err *e)
{
	struct command_batches *all = calloc(1, sizeof(*all));
	uint8_t random[OWNER_BYTES];

	if (all != NULL) {
		all->app = app;
		htab_init(&all->running, hash_batch);
		all->look = timer_new(app->loop, on_look, all);
	}
	if (all == NULL || all->look == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		command_batches_free(all);
		return NULL;
	}
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(all->owner, sizeof(all->owner), random, sizeof(random));
	timer_once(all->look, LOOK_MS / 2);
	return all;
}

void command_batches_free(struct command_batches *all)
{
	struct batch *b;
	size_t pos = 0;

	if (all == NULL)
		return;
	while ((b = htab_next(&all->running, &pos)) != NULL)
		batch_free(b);
	htab_fini(&all->running);
	timer_free(all->look);
	free(all);
}
