// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/rest/rest_order.h"

#include "bridge/app.h"
#include "bridge/commands/command.h"
#include "bridge/presence/mirror.h"
#include "bridge/workers/roster.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)1024 * 1024)
#define WAIT_MAX_S 60

struct order {
	struct request *rq;
	struct command_id id;
	bool queue;
	int64_t wait_s; /* 0: answer as soon as it is sent */
	struct command_watch *watch;
	bool issued, ended, late; /* what has happened so far */
	struct command_standing standing;
};

static void order_free(struct order *o)
{
	command_standing_fini(&o->standing);
	free(o);
}

const char *order_message(const struct command_standing *s, bool queue)
{
	switch (s->state) {
	case COMMAND_QUEUED:
		return queue ? "the command waits for the worker" : "the command is on its way";
	case COMMAND_SENT:
		return "the command was sent";
	case COMMAND_ACCEPTED:
		return "the worker has accepted the command";
	case COMMAND_DONE:
		return "the worker has carried out the command";
	case COMMAND_FAILED:
		return s->error != NULL ? s->error
					: "the worker could not carry out the command";
	case COMMAND_EXPIRED:
		return "the command has expired";
	case COMMAND_CANCELLED:
	default:
		return "the command was cancelled";
	}
}

static void answer_error(struct order *o, const struct err *e)
{
	respond_error(o->rq, e);
	order_free(o);
}

/* With what the worker said, where the request waited for it or the command is an old one. */
static void answer(struct order *o, unsigned status, const struct command_standing *s)
{
	struct jwrite w;
	struct buf body;

	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "success", !command_state_final(s->state) || s->state == COMMAND_DONE);
	jwrite_str(&w, "message", order_message(s, o->queue));
	jwrite_str(&w, "command_id", o->id.text);
	jwrite_str(&w, "state", command_state_name(s->state));
	if (status == 200) {
		jwrite_raw(&w, "result", s->result, s->result != NULL ? strlen(s->result) : 0);
		jwrite_str(&w, "error", s->error);
	}
	jwrite_object_end(&w);
	respond_json(o->rq, status, &body);
	order_free(o);
}

static void answer_timeout(struct order *o, const struct command_standing *s)
{
	struct err e;

	err_set(&e, ERR_COMMAND_TIMEOUT, "the worker did not answer in time; command %s is %s",
		o->id.text, command_state_name(s->state));
	answer_error(o, &e);
}

static void answer_end(struct order *o, const struct command_standing *s)
{
	if (s->state == COMMAND_EXPIRED)
		answer_timeout(o, s);
	else
		answer(o, 200, s);
}

/* ---- waiting ----------------------------------------------------------------------------- */

/* What is answered at the deadline is what the database says then, not what was heard last. */
static void on_looked_late(void *arg, const struct command_standing *standing, struct err *e)
{
	struct order *o = arg;

	if (e->code != ERR_OK)
		answer_error(o, e);
	else if (command_state_final(standing->state))
		answer_end(o, standing);
	else
		answer_timeout(o, standing);
}

static void look_late(struct order *o)
{
	command_look(o->rq->app->commands, &o->rq->worker, &o->id, on_looked_late, o);
}

static void keep_standing(struct order *o, const struct command_standing *standing)
{
	o->standing = *standing;
	o->standing.result = standing->result != NULL ? strdup(standing->result) : NULL;
	o->standing.error = standing->error != NULL ? strdup(standing->error) : NULL;
}

static void on_ended(void *arg, const struct command_standing *standing)
{
	struct order *o = arg;

	o->watch = NULL;
	o->late = standing == NULL;
	o->ended = !o->late;
	if (o->ended && !o->issued)
		keep_standing(o, standing); /* quicker than our own note that it was sent */
	else if (o->ended)
		answer_end(o, standing);
	else if (o->issued)
		look_late(o);
}

static bool watch(struct order *o)
{
	o->watch = command_watch_add(commands_watches(o->rq->app->commands), &o->id,
				     o->wait_s * 1000, on_ended, o);
	return o->watch != NULL;
}

static void unwatch(struct order *o)
{
	if (o->watch != NULL)
		command_watch_end(commands_watches(o->rq->app->commands), o->watch);
	o->watch = NULL;
}

/* ---- the key was known ------------------------------------------------------------------- */

/* It may have ended between the first look and the watch. */
static void on_looked_again(void *arg, const struct command_standing *standing, struct err *e)
{
	struct order *o = arg;

	o->issued = true;
	if (o->ended) {
		answer_end(o, &o->standing);
	} else if (e->code != ERR_OK) {
		unwatch(o);
		answer_error(o, e);
	} else if (command_state_final(standing->state)) {
		unwatch(o);
		answer_end(o, standing);
	} else if (o->late) {
		answer_timeout(o, standing);
	}
}

static void on_existing(struct order *o, const struct command_standing *standing)
{
	unwatch(o);
	o->id = standing->id;
	o->ended = o->late = false;
	if (o->wait_s == 0) {
		answer(o, 200, standing);
	} else if (command_state_final(standing->state)) {
		answer_end(o, standing);
	} else if (!watch(o)) {
		answer_timeout(o, standing);
	} else {
		o->issued = false;
		command_look(o->rq->app->commands, &o->rq->worker, &o->id, on_looked_again, o);
	}
}

/* ---- beginning --------------------------------------------------------------------------- */

static void on_issued(void *arg, const struct command_standing *standing, struct err *e)
{
	struct order *o = arg;

	o->issued = true;
	if (e->code != ERR_OK) {
		unwatch(o);
		answer_error(o, e);
	} else if (standing->existing) {
		on_existing(o, standing);
	} else if (o->wait_s == 0) {
		answer(o, 202, standing);
	} else if (o->ended) {
		answer_end(o, &o->standing);
	} else if (o->late) {
		look_late(o);
	}
}

enum err_code order_begin(struct request *rq, const struct command_row *row,
			  const struct err *refused, int64_t wait_s, struct err *e)
{
	struct command_row full = *row;
	struct order *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	o->rq = rq;
	o->queue = row->queue;
	o->wait_s = wait_s;
	command_id_generate(clock_unix_ms(), &o->id);
	if (wait_s > 0 && !watch(o)) {
		order_free(o);
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	full.id = o->id;
	full.worker = rq->worker;
	full.actor = rq->who.name;
	full.address = rq->address;
	full.request_id = rq->id;
	command_issue(rq->app->commands, &full, refused, on_issued, o);
	return ERR_OK;
}

enum err_code order_read_wait(const struct request *rq, int64_t *wait_s, struct err *e)
{
	static const char *const parameters[] = {"wait", NULL};

	if (request_query_only(rq, parameters, e) != ERR_OK)
		return e->code;
	return request_query_i64(rq, "wait", 0, 1, WAIT_MAX_S, wait_s, e);
}

enum err_code order_check(const struct request *rq, bool queue, struct err *e)
{
	const struct record *record = roster_get(rq->app->roster, &rq->worker, e);
	struct presence presence;

	if (record == NULL)
		return e->code;
	if (record->status == WORKER_REVOKED)
		return err_set(e, ERR_WORKER_REVOKED, NULL);
	if (queue)
		return ERR_OK;
	mirror_get(rq->app->mirror, &rq->worker, &presence);
	if (presence.state == PRESENCE_UNKNOWN)
		return err_set(e, ERR_BROKER_UNAVAILABLE, NULL);
	if (presence.state != PRESENCE_ONLINE)
		return err_set(e, ERR_WORKER_NOT_CONNECTED, NULL);
	return ERR_OK;
}
