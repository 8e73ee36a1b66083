// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Issuing is a chain: record it as queued ─▶ deliver it ─▶ record what the plugin said. The
 * state says only what is proven: when the plugin does not answer, the command stays `queued`
 * although it may have arrived; its result then proves that it did. */
#include "bridge/command.h"

#include "bridge/app.h"
#include "bridge/command_figures.h"
#include "bridge/command_results.h"
#include "bridge/control.h"
#include "bridge/db.h"
#include "bridge/loop.h"
#include "protocol/clock.h"
#include "protocol/htab.h"
#include "protocol/jwrite.h"
#include "protocol/topics.h"

#include <stdlib.h>
#include <string.h>

#define TTL_MS 60000
#define SEND_TIMEOUT_MS 1000
#define MESSAGE_BYTES ((size_t)1024 * 1024)
#define WATCH_MS 20 /* how exactly a deadline is kept */

struct watch {
	struct command_id id;
	int64_t deadline_us;
	command_done_f done;
	void *arg;
	struct watch *next; /* while its deadline is being told */
};

struct commands {
	struct app *app;
	struct command_results *results;
	struct htab watches; /* by command id */
	struct timer *deadlines;
	struct command_watcher watcher;
};

/* One command on its way out. */
struct issue {
	struct commands *commands;
	struct command_row row;
	struct command_standing standing;
	struct err failure; /* why it was not delivered */
	command_issued_f issued;
	void *arg;
	char *texts[6]; /* copies of the row's */
};

static void tell(struct commands *c, const struct worker_id *worker,
		 const struct command_id *id, const struct command_standing *standing)
{
	if (c->watcher.stands != NULL)
		c->watcher.stands(c->watcher.arg, worker, id, standing);
}

/* ---- issuing ----------------------------------------------------------------------------- */

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

static void on_recorded(void *arg, struct err *e)
{
	struct issue *i = arg;

	if (e->code == ERR_OK)
		command_figures_stand(&i->standing);
	/* The worker has it, whether or not that could be written down. */
	if (e->code != ERR_OK && i->failure.code == ERR_OK)
		i->standing.state = COMMAND_QUEUED;
	else if (i->standing.changed)
		tell(i->commands, &i->row.worker, &i->row.id, &i->standing);
	if (i->failure.code == ERR_OK)
		e->code = ERR_OK;
	finish(i, e);
}

static enum err_code record_in(struct db *db, void *arg, struct err *e)
{
	struct issue *i = arg;

	if (i->failure.code == ERR_OK)
		return store_command_sent(db, &i->row, &i->standing, e);
	return store_command_undelivered(db, &i->row, err_name(i->failure.code), &i->standing,
					 e);
}

static enum err_code record(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, record_in, arg, e);
}

static void on_delivered(void *arg, struct json_object *data, struct err *e)
{
	struct issue *i = arg;

	(void)data;
	/* The plugin does not know the worker (yet): it has no session there either. */
	if (e->code == ERR_NOT_CONNECTED || e->code == ERR_WORKER_NOT_FOUND)
		err_set(&i->failure, ERR_WORKER_NOT_CONNECTED, NULL);
	else if (e->code != ERR_OK) {
		err_set(&i->failure, e->code, "%s; command %s may have been delivered", e->msg,
			i->row.id.text);
		e->code = ERR_OK;
		finish(i, e);
		return;
	}
	db_submit(i->commands->app->db, record, on_recorded, i);
}

static void deliver(struct issue *i)
{
	const struct command_row *row = &i->row;
	int64_t left_ms = row->expires_ms - clock_unix_ms();
	struct buf fields;
	struct jwrite w;

	buf_init(&fields, MESSAGE_BYTES);
	jwrite_begin(&w, &fields);
	jwrite_str(&w, "worker_id", row->worker.text);
	jwrite_str(&w, "topic", worker_topic_name(WORKER_TOPIC_COMMANDS));
	jwrite_str(&w, "target", row->target);
	jwrite_i64(&w, "message_expiry", left_ms > 1000 ? (left_ms + 999) / 1000 : 1);
	jwrite_object(&w, "payload");
	jwrite_str(&w, "command_id", row->id.text);
	jwrite_str(&w, "type", row->type);
	jwrite_time(&w, "expires_at", row->expires_ms);
	jwrite_raw(&w, "payload", row->payload, strlen(row->payload));
	jwrite_object_end(&w);
	control_call(i->commands->app->control, "send", &fields, SEND_TIMEOUT_MS, on_delivered,
		     i);
	buf_fini(&fields);
}

static void on_added(void *arg, struct err *e)
{
	struct issue *i = arg;

	if (e->code != ERR_OK) {
		finish(i, e);
		return;
	}
	command_figures_queued();
	tell(i->commands, &i->row.worker, &i->row.id, &i->standing);
	deliver(i);
}

static enum err_code add_in(struct db *db, void *arg, struct err *e)
{
	struct issue *i = arg;

	return store_command_add(db, &i->row, e);
}

static enum err_code add(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, add_in, arg, e);
}

/* False: out of memory. */
static bool copy_texts(struct issue *i)
{
	const char **fields[] = {&i->row.type,  &i->row.payload, &i->row.target,
				 &i->row.actor, &i->row.address, &i->row.request_id};

	for (size_t k = 0; k < ARRAY_LEN(fields); k++) {
		if (*fields[k] == NULL)
			continue;
		i->texts[k] = strdup(*fields[k]);
		if (i->texts[k] == NULL)
			return false;
		*fields[k] = i->texts[k];
	}
	return true;
}

void command_issue(struct commands *c, const struct command_row *row, command_issued_f issued,
		   void *arg)
{
	struct issue *i = calloc(1, sizeof(*i));
	struct err e = {0};

	if (i != NULL)
		*i = (struct issue){.commands = c, .row = *row, .issued = issued, .arg = arg};
	if (i == NULL || !copy_texts(i)) {
		err_set(&e, ERR_OUT_OF_MEMORY, NULL);
		issued(arg, NULL, &e);
		if (i != NULL)
			issue_free(i);
		return;
	}
	if (i->row.created_ms == 0)
		i->row.created_ms = clock_unix_ms();
	if (i->row.expires_ms == 0)
		i->row.expires_ms = i->row.created_ms + TTL_MS;
	db_submit(c->app->db, add, on_added, i);
}

/* ---- watching ---------------------------------------------------------------------------- */

static uint64_t hash_watch(const void *item)
{
	return htab_hash_str(((const struct watch *)item)->id.text);
}

static bool is_command(const void *item, const void *id)
{
	return strcmp(((const struct watch *)item)->id.text, id) == 0;
}

static struct watch *take_watch(struct commands *c, const struct command_id *id)
{
	struct watch *w = htab_find(&c->watches, htab_hash_str(id->text), is_command, id->text);

	if (w != NULL)
		htab_remove(&c->watches, w);
	if (c->watches.len == 0)
		timer_cancel(c->deadlines);
	return w;
}

enum err_code command_watch(struct commands *c, const struct command_id *id, int64_t timeout_ms,
			    command_done_f done, void *arg, struct err *e)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	*w = (struct watch){.id = *id,
			    .deadline_us = clock_mono_us() + timeout_ms * 1000,
			    .done = done,
			    .arg = arg};
	if (!htab_add(&c->watches, w)) {
		free(w);
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	if (c->watches.len == 1)
		timer_every(c->deadlines, WATCH_MS);
	return ERR_OK;
}

void command_unwatch(struct commands *c, const struct command_id *id)
{
	free(take_watch(c, id));
}

void command_stands(struct commands *c, const struct worker_id *worker,
		    const struct command_id *id, const struct command_standing *standing)
{
	struct watch *w;

	if (standing->found)
		tell(c, worker, id, standing);
	if (!standing->found || !command_state_final(standing->state))
		return;
	w = take_watch(c, id);
	if (w != NULL)
		w->done(w->arg, standing);
	free(w);
}

static void on_deadlines(void *arg)
{
	struct commands *c = arg;
	struct watch *w, *late = NULL;
	int64_t now_us = clock_mono_us();
	size_t pos = 0;

	while ((w = htab_next(&c->watches, &pos)) != NULL)
		if (now_us >= w->deadline_us) {
			w->next = late;
			late = w;
		}
	while ((w = late) != NULL) {
		late = w->next;
		htab_remove(&c->watches, w);
		w->done(w->arg, NULL);
		free(w);
	}
	if (c->watches.len == 0)
		timer_cancel(c->deadlines);
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

struct commands *commands_new(struct app *app, struct err *e)
{
	struct commands *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	c->app = app;
	htab_init(&c->watches, hash_watch);
	c->deadlines = timer_new(app->loop, on_deadlines, c);
	c->results = command_results_new(app, e);
	if (c->deadlines == NULL || c->results == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		commands_free(c);
		return NULL;
	}
	return c;
}

void commands_free(struct commands *c)
{
	struct watch *w;
	size_t pos = 0;

	if (c == NULL)
		return;
	while ((w = htab_next(&c->watches, &pos)) != NULL) {
		w->done(w->arg, NULL);
		free(w);
	}
	htab_fini(&c->watches);
	timer_free(c->deadlines);
	command_results_free(c->results);
	free(c);
}
