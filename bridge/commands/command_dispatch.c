// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/command_dispatch.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/commands/command.h"
#include "bridge/commands/command_figures.h"
#include "bridge/commands/command_send.h"
#include "bridge/db/db.h"
#include "protocol/log.h"

#include <stdlib.h>

struct dispatch {
	struct app *app;
	struct outgoing *list;
	size_t unanswered;
	void (*done)(void *arg);
	void *arg;
};

/* An answer on its way. */
struct answer {
	struct dispatch *dispatch;
	struct outgoing *command;
};

static void finish(struct dispatch *d)
{
	outgoing_free_all(&d->list);
	d->done(d->arg);
	free(d);
}

/* ---- recording --------------------------------------------------------------------------- */

static enum err_code record_one(struct db *db, struct outgoing *o, struct err *e)
{
	if (o->generation > 0)
		return store_command_sent_again(db, &o->row, o->generation, &o->standing, e);
	if (o->reached_nobody && !o->row.queue)
		return store_command_undelivered(
			db, &o->row, err_name(ERR_WORKER_NOT_CONNECTED), &o->standing, e);
	return ERR_OK; /* nothing is proven */
}

static enum err_code record_in(struct db *db, void *arg, struct err *e)
{
	struct dispatch *d = arg;

	for (struct outgoing *o = d->list; o != NULL; o = o->next)
		if (record_one(db, o, e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

static enum err_code record(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, record_in, arg, e);
}

static void on_recorded(void *arg, struct err *e)
{
	struct dispatch *d = arg;

	if (e->code != ERR_OK)
		log_warn("command", "what was sent could not be noted: %s", e->msg);
	for (struct outgoing *o = d->list; o != NULL && e->code == ERR_OK; o = o->next) {
		if (!o->standing.changed)
			continue;
		command_figures_stand(&o->standing);
		command_happened(d->app->commands, &o->row.worker, &o->standing);
	}
	finish(d);
}

/* ---- sending ----------------------------------------------------------------------------- */

static void answered(struct dispatch *d)
{
	if (--d->unanswered == 0)
		db_submit(d->app->db, record, on_recorded, d);
}

static void on_answer(void *arg, struct json_object *data, struct err *e)
{
	struct answer *a = arg;
	struct outgoing *o = a->command;
	struct dispatch *d = a->dispatch;

	/* It may be an older session than the one it is for, where a session was named: what
	 * counts is that it need not be tried for this one again. */
	if (data == NULL)
		o->generation = 0;
	else if (command_generation(data) > o->generation)
		o->generation = command_generation(data);
	o->reached_nobody = data == NULL && command_reached_nobody(e);
	free(a);
	answered(d);
}

static void send_one(struct dispatch *d, struct outgoing *o)
{
	struct answer *a = malloc(sizeof(*a));

	if (a == NULL) {
		o->generation = 0;
		answered(d);
		return;
	}
	*a = (struct answer){d, o};
	command_send(d->app, &o->row, on_answer, a);
}

void command_dispatch(struct app *app, struct outgoing *list, void (*done)(void *arg),
		      void *arg)
{
	struct dispatch *d = list != NULL ? malloc(sizeof(*d)) : NULL;

	if (d == NULL) {
		outgoing_free_all(&list);
		done(arg);
		return;
	}
	/* One more than there are, so that the last answer ends it, and not the first. */
	*d = (struct dispatch){
		.app = app, .list = list, .unanswered = 1, .done = done, .arg = arg};
	for (struct outgoing *o = list; o != NULL; o = o->next)
		d->unanswered++;
	for (struct outgoing *o = list; o != NULL; o = o->next)
		send_one(d, o);
	answered(d);
}
