// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Issuing is a chain: record it as queued ─▶ deliver it ─▶ record what the plugin said. The
 * state says only what is proven: when the plugin does not answer, the command stays `queued`
 * although it may have arrived; its result then proves that it did, or it expires. */
#include "bridge/commands/command.h"

#include "bridge/app.h"
#include "bridge/commands/command_batch.h"
#include "bridge/commands/command_expiry.h"
#include "bridge/commands/command_figures.h"
#include "bridge/commands/command_kept.h"
#include "bridge/commands/command_news.h"
#include "bridge/commands/command_results.h"
#include "bridge/commands/command_send.h"
#include "bridge/commands/command_writer.h"
#include "bridge/commands/engine_desired.h"
#include "bridge/commands/engine_reconcile.h"
#include "bridge/db/db.h"
#include "bridge/presence/mirror.h"
#include "bridge/workers/roster.h"
#include "protocol/clock.h"

#include <stdlib.h>
#include <string.h>

struct commands {
	struct app *app;
	/* Orders, and proofs of what became of them: apart, so that two groups are under way at
	 * once, and nothing that is known of a command is written out of order. */
	struct command_writer *orders, *proofs;
	struct command_results *results;
	struct command_watches *watches;
	struct command_expiry *expiry;
	struct command_kept *kept;
	struct command_batches *batches;
	struct command_news *news;
	struct engine_desired *desired;
	struct engine_reconcile *reconcile;
	struct command_watcher watcher;
};

/* One command on its way: out, back, or merely looked at. */
struct issue {
	struct commands *commands;
	struct command_row row;
	struct command_standing standing;
	struct err refused; /* it is only looked for */
	struct err failure; /* why it was not delivered */
	bool deliver;       /* to be sent now */
	struct command_write write;
	command_issued_f issued;
	void *arg;
	char *texts[COMMAND_ROW_TEXTS]; /* copies of the row's */
};

static void tell(struct commands *c, const struct worker_id *worker,
		 const struct command_id *id, const struct command_standing *standing)
{
	if (c->watcher.stands != NULL)
		c->watcher.stands(c->watcher.arg, worker, id, standing);
}

/* ---- one on its way ---------------------------------------------------------------------- */

static void issue_free(struct issue *i)
{
	command_standing_fini(&i->standing);
	for (size_t k = 0; k < ARRAY_LEN(i->texts); k++)
		free(i->texts[k]);
	free(i);
}

static void finish(struct issue *i, struct err *e)
{
	if (e->code == ERR_OK && i->failure.code != ERR_OK)
		*e = i->failure;
	i->issued(i->arg, &i->standing, e);
	issue_free(i);
}

/* NULL: out of memory, and `issued` was told. */
static struct issue *issue_new(struct commands *c, const struct command_row *row,
			       command_issued_f issued, void *arg)
{
	struct issue *i = calloc(1, sizeof(*i));
	struct err e = {0};

	if (i != NULL)
		*i = (struct issue){.commands = c, .row = *row, .issued = issued, .arg = arg};
	if (i != NULL && command_row_copy(&i->row, i->texts))
		return i;
	err_set(&e, ERR_OUT_OF_MEMORY, NULL);
	issued(arg, NULL, &e);
	if (i != NULL)
		issue_free(i);
	return NULL;
}

static struct command_standing standing_of_new(const struct command_row *row)
{
	return (struct command_standing){.id = row->id,
					 .found = true,
					 .changed = true,
					 .state = COMMAND_QUEUED,
					 .created_ms = row->created_ms,
					 .expires_ms = row->expires_ms};
}

/* ---- issuing ----------------------------------------------------------------------------- */

static void on_recorded(void *arg, struct err *e)
{
	struct issue *i = arg;

	if (e->code == ERR_OK)
		command_figures_stand(&i->standing);
	/* The worker has it, whether or not that could be written down. */
	if (e->code != ERR_OK && i->failure.code == ERR_OK)
		i->standing.state = COMMAND_QUEUED;
	else if (i->standing.changed)
		command_happened(i->commands, &i->row.worker, &i->standing);
	if (i->failure.code == ERR_OK)
		e->code = ERR_OK;
	finish(i, e);
}

static enum err_code record_undelivered(struct db *db, void *arg, struct err *e)
{
	struct issue *i = arg;

	return store_command_undelivered(db, &i->row, err_name(i->failure.code), &i->standing,
					 e);
}

static enum err_code record(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, record_undelivered, arg, e);
}

static void write(struct issue *i, enum command_write_kind kind, db_done_f done, bool may_wait)
{
	i->write.kind = kind;
	i->write.row = &i->row;
	i->write.standing = &i->standing;
	i->write.done = done;
	i->write.arg = i;
	command_writer_put(kind == COMMAND_WRITE_ADD ? i->commands->orders
						     : i->commands->proofs,
			   &i->write, may_wait);
}

static void on_delivered(void *arg, struct json_object *data, struct err *e)
{
	struct issue *i = arg;

	if (data != NULL) {
		/* Whoever waits for the end will hear of that first. */
		i->write.generation = command_generation(data);
		write(i, COMMAND_WRITE_SENT, on_recorded,
		      command_watch_is_on(i->commands->watches, &i->row.id));
		return;
	} else if (i->row.queue) {
		/* It is kept, and tried again. */
		e->code = ERR_OK;
		finish(i, e);
		return;
	} else if (command_reached_nobody(e)) {
		err_set(&i->failure, ERR_WORKER_NOT_CONNECTED, NULL);
	} else {
		err_set(&i->failure, e->code, "%s; command %s may have been delivered", e->msg,
			i->row.id.text);
		e->code = ERR_OK;
		finish(i, e);
		return;
	}
	db_submit(i->commands->app->db, record, on_recorded, i);
}

void commands_made(struct commands *c, const struct command_row *row)
{
	const struct command_standing standing = standing_of_new(row);

	command_figures_queued();
	command_expiry_note(c->expiry, row->expires_ms);
	command_happened(c, &row->worker, &standing);
	if (row->desired != NULL)
		roster_set_desired(c->app->roster, &row->worker, row->desired, 0);
	if (row->queue)
		command_kept_note(c->kept, &row->worker);
}

static void on_added(void *arg, struct err *e)
{
	struct issue *i = arg;

	if (e->code != ERR_OK || i->standing.existing) {
		finish(i, e);
		return;
	}
	commands_made(i->commands, &i->row);
	if (i->deliver)
		command_send(i->commands->app, &i->row, on_delivered, i);
	else
		finish(i, e);
}

static enum err_code add_in(struct db *db, void *arg, struct err *e)
{
	struct issue *i = arg;

	return store_command_add(db, &i->row, e);
}

static enum err_code add(struct db *db, void *arg, struct err *e)
{
	struct issue *i = arg;

	if (i->row.key != NULL &&
	    (store_command_existing(db, &i->row, &i->standing, e) != ERR_OK ||
	     i->standing.existing))
		return e->code;
	if (i->refused.code != ERR_OK) {
		*e = i->refused;
		return e->code;
	}
	i->standing = standing_of_new(&i->row);
	if (db_transaction(db, add_in, i, e) != ERR_CONFLICT || i->row.key == NULL)
		return e->code;
	/* Somebody else was quicker with the same key, perhaps by another bridge. */
	e->code = ERR_OK;
	return store_command_existing(db, &i->row, &i->standing, e);
}

/* Does a live session wait for it, as far as is known here? */
static void look_at_worker(struct issue *i)
{
	struct presence p;

	mirror_get(i->commands->app->mirror, &i->row.worker, &p);
	i->deliver = !i->row.queue || p.state == PRESENCE_ONLINE;
	i->row.offered_generation = i->row.queue && i->deliver ? p.generation : 0;
}

void command_issue(struct commands *c, const struct command_row *row, const struct err *refused,
		   command_issued_f issued, void *arg)
{
	struct issue *i = issue_new(c, row, issued, arg);

	if (i == NULL)
		return;
	if (refused != NULL)
		i->refused = *refused;
	if (i->row.created_ms == 0)
		i->row.created_ms = clock_unix_ms();
	if (i->row.expires_ms == 0)
		i->row.expires_ms = i->row.created_ms + COMMAND_TTL_S * 1000;
	look_at_worker(i);
	if (row->key == NULL && !row->queue && i->refused.code == ERR_OK) {
		i->standing = standing_of_new(&i->row);
		write(i, COMMAND_WRITE_ADD, on_added, false);
	} else {
		db_submit(c->app->db, add, on_added, i);
	}
}

/* ---- taking back, looking ---------------------------------------------------------------- */

static void on_cancelled(void *arg, struct err *e)
{
	struct issue *i = arg;

	if (e->code == ERR_OK && i->standing.changed) {
		command_figures_stand(&i->standing);
		command_happened(i->commands, &i->row.worker, &i->standing);
	}
	finish(i, e);
}

static enum err_code cancel_in(struct db *db, void *arg, struct err *e)
{
	struct issue *i = arg;

	return store_command_cancel(db, &i->row, &i->standing, e);
}

static enum err_code cancel(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, cancel_in, arg, e);
}

void command_cancel(struct commands *c, const struct command_row *row, command_issued_f done,
		    void *arg)
{
	struct issue *i = issue_new(c, row, done, arg);

	if (i != NULL)
		db_submit(c->app->db, cancel, on_cancelled, i);
}

static void on_looked(void *arg, struct err *e)
{
	finish(arg, e);
}

static enum err_code look(struct db *db, void *arg, struct err *e)
{
	struct issue *i = arg;

	return store_command_standing(db, &i->row.id, &i->row.worker, &i->standing, e);
}

void command_look(struct commands *c, const struct worker_id *worker,
		  const struct command_id *id, command_issued_f done, void *arg)
{
	const struct command_row row = {.id = *id, .worker = *worker};
	struct issue *i = issue_new(c, &row, done, arg);

	if (i != NULL)
		db_submit(c->app->db, look, on_looked, i);
}

/* ---- following --------------------------------------------------------------------------- */

struct command_watches *commands_watches(struct commands *c)
{
	return c->watches;
}

struct command_batches *commands_batches(struct commands *c)
{
	return c->batches;
}

void command_stands(struct commands *c, const struct worker_id *worker,
		    const struct command_id *id, const struct command_standing *standing)
{
	if (!standing->found)
		return;
	tell(c, worker, id, standing);
	command_news_note(c->news, id, standing->state);
	if (command_state_final(standing->state))
		command_watch_tell(c->watches, id, standing);
}

void command_happened(struct commands *c, const struct worker_id *worker,
		      const struct command_standing *standing)
{
	command_stands(c, worker, &standing->id, standing);
	command_news_add(c->news, worker, &standing->id, standing);
}

static void on_news(void *arg, const struct worker_id *worker, const struct command_id *id,
		    const struct command_standing *standing)
{
	command_stands(arg, worker, id, standing);
}

static void on_lost(void *arg)
{
	struct commands *c = arg;

	if (c->watcher.lost != NULL)
		c->watcher.lost(c->watcher.arg);
}

/* ---- life -------------------------------------------------------------------------------- */

void commands_set_watcher(struct commands *c, const struct command_watcher *w)
{
	c->watcher = w != NULL ? *w : (struct command_watcher){0};
}

void commands_receive(struct app *app, const struct worker_id *id, const char *payload,
		      size_t len)
{
	command_results_receive(app->commands->results, id, payload, len);
}

void commands_close(struct commands *c)
{
	command_writer_flush(c->orders);
	command_writer_flush(c->proofs);
}

void commands_presence(struct app *app, const struct presence *p)
{
	command_kept_presence(app->commands->kept, p);
}

struct commands *commands_new(struct app *app, struct err *e)
{
	struct commands *c = calloc(1, sizeof(*c));
	const struct command_news_reader reader = {on_news, on_lost, c};

	if (c == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	c->app = app;
	c->watches = command_watches_new(app->loop, e);
	c->orders = command_writer_new(app, e);
	c->proofs = command_writer_new(app, e);
	c->results = c->proofs != NULL ? command_results_new(app, c->proofs, e) : NULL;
	c->expiry = command_expiry_new(app, e);
	c->kept = command_kept_new(app, e);
	c->batches = command_batches_new(app, e);
	c->news = command_news_new(app, &reader, e);
	c->desired = engine_desired_new(app, e);
	c->reconcile = engine_reconcile_new(app, e);
	if (c->watches != NULL && c->orders != NULL && c->results != NULL &&
	    c->expiry != NULL && c->kept != NULL && c->batches != NULL && c->news != NULL &&
	    c->desired != NULL && c->reconcile != NULL)
		return c;
	commands_free(c);
	return NULL;
}

void commands_free(struct commands *c)
{
	if (c == NULL)
		return;
	command_watches_free(c->watches);
	command_results_free(c->results);
	command_writer_free(c->orders);
	command_writer_free(c->proofs);
	command_expiry_free(c->expiry);
	command_kept_free(c->kept);
	command_batches_free(c->batches);
	command_news_free(c->news);
	engine_desired_free(c->desired);
	engine_reconcile_free(c->reconcile);
	free(c);
}
