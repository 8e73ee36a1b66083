// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* POST /workers/{worker}/send, /start, /stop */
#include "bridge/app.h"
#include "bridge/command.h"
#include "bridge/control.h"
#include "bridge/mirror.h"
#include "bridge/roster.h"
#include "bridge/routes.h"
#include "protocol/clock.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"
#include "protocol/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEND_TIMEOUT_MS 1000
#define FIELDS_MAX ((size_t)2 * 1024 * 1024)
#define ANSWER_MAX ((size_t)1024 * 1024)
#define WAIT_MAX_S 60
#define MESSAGE_MAX ((size_t)256 * 1024) /* as much as the plugin delivers at once */
#define OPTIONS_MAX (MESSAGE_MAX - 1024) /* the rest of a command has room, too */
#define JSON_TEXT (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* ---- send -------------------------------------------------------------------------------- */

static enum err_code check_target(struct jread *r, const struct worker_id *worker,
				  const char *target)
{
	struct worker_id owner;
	const char *suffix;

	if (!jread_failed(r) && strcmp(target, "any") != 0 && strcmp(target, "all") != 0 &&
	    (!client_id_split(target, &owner, &suffix) || !worker_id_equal(&owner, worker)))
		jread_fail(r, "target", "must be any, all or a client id of this worker");
	return jread_end(r);
}

static void on_sent(void *arg, struct json_object *data, struct err *e)
{
	struct request *rq = arg;
	struct jwrite w;
	struct buf body;

	if (data == NULL) {
		if (e->code == ERR_NOT_CONNECTED || e->code == ERR_WORKER_NOT_FOUND)
			err_set(e, ERR_WORKER_NOT_CONNECTED, NULL);
		respond_error(rq, e);
		return;
	}
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "success", true);
	jwrite_i64(&w, "sessions",
		   json_object_get_int64(json_object_object_get(data, "sessions")));
	jwrite_i64(&w, "generation",
		   json_object_get_int64(json_object_object_get(data, "generation")));
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
}

/* A string reaches the worker as it is; everything else as compact JSON. */
static enum err_code write_message(struct jwrite *w, struct json_object *message, struct err *e)
{
	const bool is_text = json_object_is_type(message, json_type_string);
	const char *text = is_text ? json_object_get_string(message)
				   : json_object_to_json_string_ext(message, JSON_TEXT);
	const size_t len = is_text ? (size_t)json_object_get_string_len(message) : strlen(text);

	if (len > MESSAGE_MAX)
		return err_set(e, ERR_PAYLOAD_TOO_LARGE, "message: has more than %zu bytes",
			       MESSAGE_MAX);
	if (is_text)
		jwrite_strn(w, "payload", text, len);
	else
		jwrite_raw(w, "payload", text, len);
	return ERR_OK;
}

enum err_code rest_worker_send(struct request *rq, struct err *e)
{
	static const char *const keys[] = {"message", "target", NULL};
	struct json_object *message;
	const char *target;
	struct buf fields;
	struct jwrite w;
	struct jread r;

	if (roster_get(rq->app->roster, &rq->worker, e) == NULL)
		return e->code;
	request_read(rq, &r, e);
	jread_only(&r, keys);
	message = jread_any(&r, "message");
	target = jread_str_or(&r, "target", 1, CLIENT_ID_MAX, "all");
	if (message == NULL)
		jread_fail(&r, "message", "is required");
	if (check_target(&r, &rq->worker, target) != ERR_OK)
		return e->code;
	buf_init(&fields, FIELDS_MAX);
	jwrite_begin(&w, &fields);
	jwrite_str(&w, "worker_id", rq->worker.text);
	jwrite_str(&w, "topic", worker_topic_name(WORKER_TOPIC_COMMANDS));
	jwrite_str(&w, "target", target);
	if (write_message(&w, message, e) == ERR_OK)
		control_call(rq->app->control, "send", &fields, SEND_TIMEOUT_MS, on_sent, rq);
	buf_fini(&fields);
	return e->code;
}

/* ---- start and stop ---------------------------------------------------------------------- */

/* A request that waits for the command to be sent, or for its outcome. */
struct order {
	struct request *rq;
	struct command_id id;
	const char *type;
	int64_t wait_s;  /* 0: answer as soon as it is sent */
	bool sent, done; /* what has happened so far, in either order */
	struct command_standing standing;
};

static void order_free(struct order *o)
{
	command_standing_fini(&o->standing);
	free(o);
}

static const char *message_of(const struct order *o, const struct command_standing *s)
{
	switch (s->state) {
	case COMMAND_QUEUED:
		return "the command is on its way";
	case COMMAND_SENT:
		return "the command was sent";
	case COMMAND_ACCEPTED:
		return "the worker has accepted the command";
	case COMMAND_DONE:
		return "the worker has carried out the command";
	case COMMAND_FAILED:
		return s->error != NULL && o->wait_s > 0
			       ? s->error
			       : "the worker could not carry out the command";
	case COMMAND_EXPIRED:
		return "the command has expired";
	case COMMAND_CANCELLED:
	default:
		return "the command was cancelled";
	}
}

static void answer(struct order *o, unsigned status, const struct command_standing *s)
{
	struct jwrite w;
	struct buf body;

	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "success", !command_state_final(s->state) || s->state == COMMAND_DONE);
	jwrite_str(&w, "message", message_of(o, s));
	jwrite_str(&w, "command_id", o->id.text);
	jwrite_str(&w, "state", command_state_name(s->state));
	if (o->wait_s > 0) {
		jwrite_raw(&w, "result", s->result, s->result != NULL ? strlen(s->result) : 0);
		jwrite_str(&w, "error", s->error);
	}
	jwrite_object_end(&w);
	respond_json(o->rq, status, &body);
	order_free(o);
}

static void answer_error(struct order *o, const struct err *e)
{
	respond_error(o->rq, e);
	order_free(o);
}

static void on_done(void *arg, const struct command_standing *standing)
{
	struct order *o = arg;
	struct err e;

	o->done = true;
	if (standing == NULL && o->sent) {
		err_set(&e, ERR_COMMAND_TIMEOUT,
			"the worker did not answer in time; command %s is %s", o->id.text,
			command_state_name(o->standing.state));
		answer_error(o, &e);
		return;
	}
	if (standing == NULL)
		return; /* on_issued() is still to come, and will answer */
	if (o->sent) {
		answer(o, 200, standing);
		return;
	}
	/* The worker was quicker than our own note that it was sent. */
	o->standing = *standing;
	o->standing.result = standing->result != NULL ? strdup(standing->result) : NULL;
	o->standing.error = standing->error != NULL ? strdup(standing->error) : NULL;
}

static void on_issued(void *arg, const struct command_standing *standing, struct err *e)
{
	struct order *o = arg;

	o->sent = true;
	if (e->code != ERR_OK) {
		if (o->wait_s > 0)
			command_unwatch(o->rq->app->commands, &o->id);
		answer_error(o, e);
	} else if (o->wait_s == 0) {
		answer(o, 202, standing);
	} else if (!o->done) {
		o->standing.state = standing->state;
	} else if (command_state_final(o->standing.state)) {
		answer(o, 200, &o->standing);
	} else {
		o->standing.state = standing->state;
		on_done(o, NULL);
	}
}

/* In this order: what does not exist, what never may, what cannot be known, what is not so. */
static enum err_code may_order(struct request *rq, bool start, struct err *e)
{
	const struct record *record = roster_get(rq->app->roster, &rq->worker, e);
	struct presence presence;
	const char *status;

	if (record == NULL)
		return e->code;
	if (record->status == WORKER_REVOKED)
		return err_set(e, ERR_WORKER_REVOKED, NULL);
	mirror_get(rq->app->mirror, &rq->worker, &presence);
	if (presence.state == PRESENCE_UNKNOWN)
		return err_set(e, ERR_BROKER_UNAVAILABLE, NULL);
	if (presence.state != PRESENCE_ONLINE)
		return err_set(e, ERR_WORKER_NOT_CONNECTED, NULL);
	status = record->latest.engine_status;
	if (start && (strcmp(status, "running") == 0 || strcmp(status, "starting") == 0))
		return err_set(e, ERR_ENGINE_ALREADY_RUNNING, "the engine is %s already",
			       status);
	if (!start && strcmp(status, "stopped") == 0)
		return err_set(e, ERR_ENGINE_ALREADY_STOPPED, NULL);
	return ERR_OK;
}

static enum err_code issue(struct order *o, struct err *e)
{
	struct request *rq = o->rq;
	const struct command_row row = {
		.id = o->id,
		.worker = rq->worker,
		.type = o->type,
		.payload = rq->body != NULL
				   ? json_object_to_json_string_ext(rq->body, JSON_TEXT)
				   : "{}",
		.target = "any",
		.actor = rq->who.name,
		.address = rq->address,
		.request_id = rq->id,
	};

	if (o->wait_s > 0 && command_watch(rq->app->commands, &o->id, o->wait_s * 1000, on_done,
					   o, e) != ERR_OK) {
		order_free(o);
		return e->code;
	}
	command_issue(rq->app->commands, &row, on_issued, o);
	return ERR_OK;
}

static enum err_code check_options(struct json_object *options, struct err *e)
{
	if (options == NULL)
		return ERR_OK;
	if (!json_object_is_type(options, json_type_object))
		return err_set(e, ERR_INVALID_REQUEST,
			       "body: must be a JSON object of options");
	if (strlen(json_object_to_json_string_ext(options, JSON_TEXT)) > OPTIONS_MAX)
		return err_set(e, ERR_PAYLOAD_TOO_LARGE, "body: has more than %zu bytes",
			       OPTIONS_MAX);
	return ERR_OK;
}

static enum err_code order(struct request *rq, bool start, struct err *e)
{
	static const char *const parameters[] = {"wait", NULL};
	struct order *o;
	int64_t wait_s = 0;

	if (check_options(rq->body, e) != ERR_OK ||
	    request_query_only(rq, parameters, e) != ERR_OK ||
	    request_query_i64(rq, "wait", 0, 1, WAIT_MAX_S, &wait_s, e) != ERR_OK ||
	    may_order(rq, start, e) != ERR_OK)
		return e->code;
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	o->rq = rq;
	o->type = start ? "engine_start" : "engine_stop";
	o->wait_s = wait_s;
	command_id_generate(clock_unix_ms(), &o->id);
	return issue(o, e);
}

enum err_code rest_worker_start(struct request *rq, struct err *e)
{
	return order(rq, true, e);
}

enum err_code rest_worker_stop(struct request *rq, struct err *e)
{
	return order(rq, false, e);
}
