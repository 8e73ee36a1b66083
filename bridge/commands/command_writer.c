// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/command_writer.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/db/db.h"
#include "protocol/clock.h"

#include <stdlib.h>
#include <string.h>

#define HELD_US INT64_C(5000)
/* Of payloads and results, in one statement: a quarter of what MariaDB takes at once. */
#define GROUP_BYTES ((size_t)4 * 1024 * 1024)

struct list {
	struct command_write *first, **last;
};

struct command_writer {
	struct app *app;
	struct list waiting;
	struct list held;            /* by age; for company */
	struct command_write *group; /* with the database thread */
	struct timer *patience;      /* of those that are held */
};

static void list_init(struct list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void list_add(struct list *l, struct command_write *write)
{
	write->next = NULL;
	*l->last = write;
	l->last = &write->next;
}

/* Takes out the one at *at. */
static struct command_write *list_take(struct list *l, struct command_write **at)
{
	struct command_write *write = *at;

	*at = write->next;
	if (*at == NULL)
		l->last = at;
	return write;
}

static size_t size_of(const struct command_write *w)
{
	if (w->kind == COMMAND_WRITE_ADD)
		return strlen(w->row->payload);
	if (w->kind == COMMAND_WRITE_RESULT && w->result->result != NULL)
		return strlen(w->result->result);
	return 0;
}

/* What is held of a command for which there is something else now, goes before that. */
static void take_company(struct command_writer *w, const struct command_write *write,
			 struct list *group)
{
	struct command_write **at = &w->held.first;

	while (*at != NULL)
		if (command_write_same(*at, write))
			list_add(group, list_take(&w->held, at));
		else
			at = &(*at)->next;
}

/* Takes as many as go into one transaction. */
static void take_group(struct command_writer *w)
{
	size_t bytes = 0, n = 0;
	struct list group;

	list_init(&group);
	while (w->waiting.first != NULL && n < COMMAND_GROUP_MAX) {
		bytes += size_of(w->waiting.first);
		if (n++ > 0 && bytes > GROUP_BYTES)
			break;
		take_company(w, w->waiting.first, &group);
		list_add(&group, list_take(&w->waiting, &w->waiting.first));
	}
	w->group = group.first;
}

static enum err_code work(struct db *db, void *arg, struct err *e)
{
	const struct command_writer *w = arg;

	(void)e; /* each has its own */
	store_command_group(db, w->group);
	return ERR_OK;
}

static void submit(struct command_writer *w);

static void on_written(void *arg, struct err *e)
{
	struct command_writer *w = arg;
	struct command_write *group = w->group, *next;

	w->group = NULL;
	submit(w);
	for (; group != NULL; group = next) {
		struct err own = e->code != ERR_OK ? *e : group->e;

		next = group->next;
		log_set_cause(&group->cause);
		group->done(group->arg, &own);
	}
	log_set_cause(NULL);
}

static void submit(struct command_writer *w)
{
	if (w->group != NULL || w->waiting.first == NULL)
		return;
	take_group(w);
	db_submit(w->app->db, work, on_written, w);
}

void command_writer_put(struct command_writer *w, struct command_write *write, bool may_wait)
{
	write->cause = log_cause();
	write->e = (struct err){0};
	write->put_us = clock_mono_us();
	if (!may_wait) {
		list_add(&w->waiting, write);
		submit(w);
		return;
	}
	if (w->held.first == NULL)
		timer_once(w->patience, HELD_US / 1000);
	list_add(&w->held, write);
}

static void release(struct command_writer *w, int64_t put_before_us)
{
	while (w->held.first != NULL && w->held.first->put_us <= put_before_us)
		list_add(&w->waiting, list_take(&w->held, &w->held.first));
	submit(w);
}

static void on_patience(void *arg)
{
	struct command_writer *w = arg;
	const int64_t now_us = clock_mono_us();

	release(w, now_us - HELD_US);
	if (w->held.first != NULL)
		timer_once(w->patience, (w->held.first->put_us + HELD_US - now_us) / 1000 + 1);
}

void command_writer_flush(struct command_writer *w)
{
	timer_cancel(w->patience);
	release(w, INT64_MAX);
}

struct command_writer *command_writer_new(struct app *app, struct err *e)
{
	struct command_writer *w = calloc(1, sizeof(*w));

	if (w != NULL) {
		w->app = app;
		list_init(&w->waiting);
		list_init(&w->held);
		w->patience = timer_new(app->loop, on_patience, w);
	}
	if (w == NULL || w->patience == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		command_writer_free(w);
		return NULL;
	}
	return w;
}

void command_writer_free(struct command_writer *w)
{
	if (w == NULL)
		return;
	timer_free(w->patience);
	free(w);
}
