// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* What finds no room is not acknowledged, so the worker repeats it; a repeated result changes
 * nothing and is acknowledged again. */
#include "bridge/commands/command_results.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/base/tally.h"
#include "bridge/commands/command.h"
#include "bridge/commands/command_figures.h"
#include "bridge/commands/command_writer.h"
#include "bridge/mqtt/control.h"
#include "protocol/htab.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_RESULTS 10000
#define QUEUE_BYTES ((size_t)32 * 1024 * 1024)
#define RETRY_MS 200
#define ACK_BYTES ((size_t)64 * 1024)
/* Workers share these shares by the hash of their id: a flood of one leaves room for others. */
#define SHARES 1024
#define SHARE_RESULTS (QUEUE_RESULTS / 10)

struct item {
	struct command_results *results;
	struct command_write write;
	struct command_result result;
	struct command_standing standing;
	size_t size;
	struct item *next;
};

struct command_results {
	struct app *app;
	struct command_writer *writer;
	struct item *first, **last; /* those that wait for the database to come back */
	size_t len, bytes;          /* waiting or being written */
	unsigned short shares[SHARES];
	struct timer *retry;
};

/* ---- acknowledgements -------------------------------------------------------------------- */

static void write_rejection(struct jwrite *w, const struct command_id *id, const char *code,
			    const char *message)
{
	jwrite_object(w, NULL);
	jwrite_str(w, "command_id", id->text);
	jwrite_str(w, "code", code);
	jwrite_str(w, "message", message);
	jwrite_object_end(w);
}

/* `code` NULL: the result is stored, or was already. */
static void acknowledge(struct command_results *r, const struct command_result *result,
			const char *code, const char *message)
{
	struct buf fields;
	struct jwrite w;

	buf_init(&fields, ACK_BYTES);
	jwrite_begin(&w, &fields);
	jwrite_str(&w, "worker_id", result->worker.text);
	jwrite_str(&w, "topic", worker_topic_name(WORKER_TOPIC_RESULTS_ACK));
	jwrite_str(&w, "target", "all");
	jwrite_object(&w, "payload");
	jwrite_array(&w, "command_ids");
	if (code == NULL)
		jwrite_str(&w, NULL, result->command.text);
	jwrite_array_end(&w);
	jwrite_array(&w, "rejected");
	if (code != NULL)
		write_rejection(&w, &result->command, code, message);
	jwrite_array_end(&w);
	jwrite_object_end(&w);
	/* Not heard, the worker repeats its result. */
	control_tell(r->app->control, "send", &fields);
	buf_fini(&fields);
}

/* An expired or cancelled command takes no result any more; saying so ends the repetitions. */
static void answer(struct command_results *r, const struct item *item)
{
	const struct command_standing *s = &item->standing;

	if (!s->found) {
		tally_add(TALLY_RESULTS_REFUSED);
		acknowledge(r, &item->result, "NOT_FOUND", "this worker has no such command");
	} else if (s->state == COMMAND_EXPIRED || s->state == COMMAND_CANCELLED) {
		tally_add(TALLY_RESULTS_REFUSED);
		acknowledge(r, &item->result, "CONFLICT",
			    s->state == COMMAND_EXPIRED ? "the command has expired"
							: "the command was cancelled");
	} else {
		acknowledge(r, &item->result, NULL, NULL);
	}
	command_figures_stand(s);
	command_stands(r->app->commands, &item->result.worker, &item->result.command, s);
}

/* ---- into the database ------------------------------------------------------------------- */

static void item_free(struct item *item)
{
	command_result_fini(&item->result);
	command_standing_fini(&item->standing);
	free(item);
}

static unsigned short *share_of(struct command_results *r, const struct worker_id *id)
{
	return &r->shares[htab_hash_str(id->text) % SHARES];
}

static void drop(struct command_results *r, struct item *item)
{
	r->len--;
	r->bytes -= item->size;
	--*share_of(r, &item->result.worker);
	item_free(item);
}

static void wait_for_database(struct command_results *r, struct item *item)
{
	item->next = NULL;
	*r->last = item;
	r->last = &item->next;
	timer_once(r->retry, RETRY_MS);
}

static void on_written(void *arg, struct err *e)
{
	struct item *item = arg;
	struct command_results *r = item->results;

	if (e->code == ERR_DATABASE_UNAVAILABLE || e->code == ERR_OUT_OF_MEMORY) {
		wait_for_database(r, item);
		return;
	}
	if (e->code == ERR_OK) {
		answer(r, item);
	} else {
		log_error("command", "command=%s result cannot be stored: %s",
			  item->result.command.text, e->msg);
		tally_add(TALLY_RESULTS_DROPPED);
	}
	drop(r, item);
}

static void write(struct command_results *r, struct item *item)
{
	item->write = (struct command_write){.kind = COMMAND_WRITE_RESULT,
					     .result = &item->result,
					     .standing = &item->standing,
					     .done = on_written,
					     .arg = item};
	command_writer_put(r->writer, &item->write, false);
}

static void on_retry(void *arg)
{
	struct command_results *r = arg;
	struct item *item = r->first, *next;

	r->first = NULL;
	r->last = &r->first;
	for (; item != NULL; item = next) {
		next = item->next;
		write(r, item);
	}
}

/* ---- from the inbox ---------------------------------------------------------------------- */

static void enqueue(struct command_results *r, struct item *item)
{
	unsigned short *share = share_of(r, &item->result.worker);

	if (r->len >= QUEUE_RESULTS || r->bytes + item->size > QUEUE_BYTES ||
	    *share >= SHARE_RESULTS) {
		tally_add(TALLY_RESULTS_DROPPED);
		item_free(item);
		return;
	}
	++*share;
	r->len++;
	r->bytes += item->size;
	if (r->first != NULL)
		wait_for_database(r, item); /* behind those that came before it */
	else
		write(r, item);
}

void command_results_receive(struct command_results *r, const struct worker_id *id,
			     const char *payload, size_t len)
{
	struct item *item = calloc(1, sizeof(*item));
	struct err e = {0};

	if (item == NULL) {
		tally_add(TALLY_RESULTS_DROPPED);
		return;
	}
	item->results = r;
	item->size = sizeof(*item) + len;
	if (command_result_parse(id, payload, len, &item->result, &e) == ERR_OK) {
		enqueue(r, item);
		return;
	}
	tally_add(TALLY_RESULTS_REFUSED);
	if (item->result.command.text[0] != '\0' && e.code != ERR_OUT_OF_MEMORY)
		acknowledge(r, &item->result, "INVALID_RESULT", e.msg);
	item_free(item);
}

struct command_results *command_results_new(struct app *app, struct command_writer *writer,
					    struct err *e)
{
	struct command_results *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		r->app = app;
		r->writer = writer;
		r->last = &r->first;
		r->retry = timer_new(app->loop, on_retry, r);
	}
	if (r == NULL || r->retry == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		command_results_free(r);
		return NULL;
	}
	return r;
}

static void free_list(struct item *item)
{
	struct item *next;

	for (; item != NULL; item = next) {
		next = item->next;
		item_free(item);
	}
}

void command_results_free(struct command_results *r)
{
	if (r == NULL)
		return;
	free_list(r->first);
	timer_free(r->retry);
	free(r);
}
