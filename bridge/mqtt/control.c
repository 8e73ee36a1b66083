// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Control commands: what is asked in one turn of the loop travels in one message, so that a
 * thousand acknowledgements cost the broker a few packets. correlationData is a number that
 * only grows. */
#include "bridge/mqtt/control.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/base/prom.h"
#include "bridge/mqtt/broker.h"
#include "protocol/clock.h"
#include "protocol/htab.h"
#include "protocol/jread.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The plugin takes 1 MiB and 1,000 commands; smaller messages keep its turns short. */
#define BATCH_BYTES ((size_t)128 * 1024)
#define BATCH_COMMANDS 200
#define COMMAND_BYTES ((size_t)900 * 1024)
#define PENDING_MAX 50000
#define KINDS_MAX 16
#define SWEEP_MS 20 /* how exactly a timeout is kept */

/* All calls of one command. */
struct kind {
	const char *command; /* a literal */
	struct latency took; /* to the answer, or its last part */
	uint64_t failed;     /* with an error, or without an answer */
};

/* A command that has no answer yet. */
struct call {
	uint64_t id;
	struct kind *kind;
	struct log_cause cause;
	int64_t asked_us, deadline_us, timeout_us;
	control_done_f done; /* NULL, and `part` too: nobody wants to know */
	control_part_f part;
	void *arg;
	struct err failed; /* set: was never sent */
	struct call *next; /* in control.failed */
};

struct control {
	struct app *app;
	struct broker_listener listener;
	struct htab calls; /* by id */
	uint64_t last_id;
	struct buf batch;                  /* "{"commands":[…" of this turn */
	size_t batch_len;                  /* commands in it */
	struct call *failed, **failed_end; /* told in the next turn */
	struct timer *flush, *sweep;
	struct kind kinds[KINDS_MAX]; /* the last one takes whatever finds no place */
};

static const struct {
	const char *name;
	enum err_code code;
} codes[] = {
#define X(name, http, text) {#name, ERR_##name},
	ERR_LIST(X)
#undef X
};

static uint64_t hash_call(const void *item)
{
	const struct call *call = item;

	return htab_hash_bytes(&call->id, sizeof(call->id));
}

static bool call_is(const void *item, const void *id)
{
	return ((const struct call *)item)->id == *(const uint64_t *)id;
}

static struct call *find_call(struct control *c, uint64_t id)
{
	return htab_find(&c->calls, htab_hash_bytes(&id, sizeof(id)), call_is, &id);
}

static struct kind *kind_of(struct control *c, const char *command)
{
	size_t i = 0;

	while (i < KINDS_MAX - 1 && c->kinds[i].command != NULL &&
	       strcmp(c->kinds[i].command, command) != 0)
		i++;
	if (c->kinds[i].command == NULL)
		c->kinds[i].command = command;
	return &c->kinds[i];
}

static void finish(struct call *call, struct json_object *data, struct err *e)
{
	latency_add(&call->kind->took, clock_mono_us() - call->asked_us);
	call->kind->failed += data == NULL;
	log_set_cause(&call->cause);
	if (call->done != NULL)
		call->done(call->arg, data, e);
	else if (call->part != NULL)
		call->part(call->arg, data, e, false);
	log_set_cause(NULL);
	free(call);
}

/* ---- sending ----------------------------------------------------------------------------- */

static void fail_later(struct control *c, struct call *call, const struct err *e)
{
	call->failed = *e;
	call->next = NULL;
	*c->failed_end = call;
	c->failed_end = &call->next;
	timer_once(c->flush, 0);
}

/* The calls of a batch that could not be sent would only time out: all that were waiting for an
 * answer on a dead connection are told by on_disconnected(), the rest by sweep(). At QoS 0, and
 * so are the answers: an answer says more than an acknowledgement, which would cost each side
 * another turn of its loop. */
static void send_batch(struct control *c)
{
	struct err e = {0};

	if (c->batch_len == 0)
		return;
	buf_add_str(&c->batch, "]}");
	if (c->batch.failed || broker_publish(c->app->broker, TOPIC_CONTROL, c->batch.data,
					      c->batch.len, 0, &e) != ERR_OK)
		log_debug("control", "commands=%zu not sent: %s", c->batch_len, e.msg);
	buf_reset(&c->batch);
	c->batch_len = 0;
}

static void on_flush(void *arg)
{
	struct control *c = arg;
	struct call *call = c->failed, *next;

	c->failed = NULL;
	c->failed_end = &c->failed;
	send_batch(c);
	for (; call != NULL; call = next) {
		next = call->next;
		finish(call, NULL, &call->failed);
	}
}

/* `id` 0: no answer is wanted. */
static void add_to_batch(struct control *c, const char *command, const struct buf *fields,
			 uint64_t id)
{
	if (c->batch_len == BATCH_COMMANDS ||
	    (c->batch_len > 0 && c->batch.len + fields->len > BATCH_BYTES))
		send_batch(c);
	buf_add_str(&c->batch, c->batch_len == 0 ? "{\"commands\":[" : ",");
	if (id == 0)
		buf_printf(&c->batch, "{\"command\":\"%s\",\"quiet\":true", command);
	else
		buf_printf(&c->batch, "{\"command\":\"%s\",\"correlationData\":\"%" PRIu64 "\"",
			   command, id);
	if (fields->len > 0) {
		buf_add_char(&c->batch, ',');
		buf_add(&c->batch, fields->data, fields->len);
	}
	buf_add_char(&c->batch, '}');
	c->batch_len++;
	timer_once(c->flush, 0);
}

static enum err_code admit(const struct control *c, const struct buf *fields, struct err *e)
{
	if (fields->failed)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (fields->len > COMMAND_BYTES)
		return err_set(e, ERR_PAYLOAD_TOO_LARGE, NULL);
	if (!broker_connected(c->app->broker))
		return err_set(e, ERR_BROKER_UNAVAILABLE, NULL);
	if (c->calls.len >= PENDING_MAX)
		return err_set(e, ERR_BROKER_UNAVAILABLE, "the broker does not keep up");
	return ERR_OK;
}

/* Takes over `call`, and frees it after its answer. */
static void ask(struct control *c, struct call *call, const char *command,
		const struct buf *fields, int64_t timeout_ms)
{
	struct err e = {0};

	call->id = ++c->last_id;
	call->kind = kind_of(c, command);
	call->cause = log_cause();
	call->asked_us = clock_mono_us();
	call->timeout_us = timeout_ms * 1000;
	call->deadline_us = call->asked_us + call->timeout_us;
	if (admit(c, fields, &e) != ERR_OK) {
		fail_later(c, call, &e);
	} else if (!htab_add(&c->calls, call)) {
		err_set(&e, ERR_OUT_OF_MEMORY, NULL);
		fail_later(c, call, &e);
	} else {
		if (c->calls.len == 1)
			timer_every(c->sweep, SWEEP_MS);
		add_to_batch(c, command, fields, call->id);
	}
}

/* NULL: no memory for a note of it, and the caller's own timeout is all that is left. */
static struct call *call_new(const char *command, void *arg)
{
	struct call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		log_error("control", "command=%s dropped: out of memory", command);
	else
		call->arg = arg;
	return call;
}

void control_call(struct control *c, const char *command, const struct buf *fields,
		  int64_t timeout_ms, control_done_f done, void *arg)
{
	struct call *call = call_new(command, arg);

	if (call == NULL)
		return;
	call->done = done;
	ask(c, call, command, fields, timeout_ms);
}

void control_tell(struct control *c, const char *command, const struct buf *fields)
{
	struct err e = {0};

	if (admit(c, fields, &e) == ERR_OK)
		add_to_batch(c, command, fields, 0);
	else
		log_debug("control", "command=%s not sent: %s", command, e.msg);
}

void control_call_parts(struct control *c, const char *command, const struct buf *fields,
			int64_t timeout_ms, control_part_f part, void *arg)
{
	struct call *call = call_new(command, arg);

	if (call == NULL)
		return;
	call->part = part;
	ask(c, call, command, fields, timeout_ms);
}

/* ---- answers ----------------------------------------------------------------------------- */

static void read_error(struct json_object *response, struct err *e)
{
	struct json_object *error = json_object_object_get(response, "error");
	const char *code = json_object_get_string(json_object_object_get(error, "code"));
	const char *message = json_object_get_string(json_object_object_get(error, "message"));

	err_set(e, ERR_INTERNAL, "%s: %s", code != NULL ? code : "?",
		message != NULL ? message : "");
	for (size_t i = 0; code != NULL && i < ARRAY_LEN(codes); i++)
		if (strcmp(codes[i].name, code) == 0)
			err_set(e, codes[i].code, "%s", message != NULL ? message : code);
}

static void on_response(struct control *c, struct json_object *response)
{
	struct json_object *data = json_object_object_get(response, "data");
	const char *text =
		json_object_get_string(json_object_object_get(response, "correlationData"));
	struct call *call;
	struct err e = {0};

	if (!json_object_is_type(data, json_type_object))
		read_error(response, &e);
	if (text == NULL) {
		log_error("control", "the plugin could not read a message: %s", e.msg);
		return;
	}
	call = find_call(c, strtoull(text, NULL, 10));
	if (call == NULL) /* it came too late */
		return;
	if (e.code != ERR_OK)
		data = NULL;
	if (call->part != NULL &&
	    json_object_get_boolean(json_object_object_get(response, "more"))) {
		call->deadline_us = clock_mono_us() + call->timeout_us;
		call->part(call->arg, data, &e, true);
		return;
	}
	htab_remove(&c->calls, call);
	finish(call, data, &e);
}

static void on_message(void *arg, const char *topic, const char *payload, size_t len)
{
	struct err e = {0};
	struct json_object *doc = jread_parse_envelope(payload, len, &e), *list;

	(void)topic;
	list = json_object_is_type(doc, json_type_object)
		       ? json_object_object_get(doc, "responses")
		       : NULL;
	if (!json_object_is_type(list, json_type_array))
		log_error("control", "not an answer: %s",
			  e.code != ERR_OK ? e.msg : "no responses");
	else
		for (size_t i = 0; i < json_object_array_length(list); i++)
			on_response(arg, json_object_array_get_idx(list, i));
	json_object_put(doc);
}

/* Ends every call whose deadline is before now_us. Their `done`s may make new calls, so the
 * table is left alone while they run. */
static void end_calls(struct control *c, int64_t now_us, const char *why)
{
	struct call *ended = NULL, *call;
	size_t pos = 0;
	struct err e = {0};

	while ((call = htab_next(&c->calls, &pos)) != NULL)
		if (call->deadline_us < now_us) {
			call->next = ended;
			ended = call;
		}
	for (call = ended; call != NULL; call = call->next)
		htab_remove(&c->calls, call);
	while ((call = ended) != NULL) {
		ended = call->next;
		err_set(&e, ERR_BROKER_UNAVAILABLE, "%s", why);
		finish(call, NULL, &e);
	}
}

static void on_sweep(void *arg)
{
	struct control *c = arg;

	end_calls(c, clock_mono_us(), "the broker's plugin did not answer in time");
	if (c->calls.len == 0)
		timer_cancel(c->sweep);
}

static void on_disconnected(void *arg)
{
	struct control *c = arg;

	buf_reset(&c->batch);
	c->batch_len = 0;
	end_calls(c, INT64_MAX, "the connection to the broker broke");
}

static bool wants(void *arg, const char *topic)
{
	(void)arg;
	return strcmp(topic, TOPIC_CONTROL_RESPONSE) == 0;
}

static void drop_calls(struct control *c)
{
	struct call *call;
	size_t pos = 0;

	while ((call = htab_next(&c->calls, &pos)) != NULL)
		free(call);
	while ((call = c->failed) != NULL) {
		c->failed = call->next;
		free(call);
	}
}

/* ---- life -------------------------------------------------------------------------------- */

struct control *control_new(struct app *app, struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));

	if (c != NULL) {
		c->app = app;
		c->failed_end = &c->failed;
		c->listener = (struct broker_listener){.wants = wants,
						       .message = on_message,
						       .disconnected = on_disconnected,
						       .arg = c};
		htab_init(&c->calls, hash_call);
		buf_init(&c->batch, BATCH_BYTES + COMMAND_BYTES);
		c->flush = timer_new(app->loop, on_flush, c);
		c->sweep = timer_new(app->loop, on_sweep, c);
	}
	if (c == NULL || c->flush == NULL || c->sweep == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		control_free(c);
		return NULL;
	}
	broker_listen(app->broker, &c->listener);
	return c;
}

void control_free(struct control *c)
{
	if (c == NULL)
		return;
	/* Whoever asked may be gone already: broker_stop() was the moment to tell them. */
	drop_calls(c);
	timer_free(c->flush);
	timer_free(c->sweep);
	buf_fini(&c->batch);
	htab_fini(&c->calls);
	free(c);
}

void control_expose(const struct control *c, struct prom *p)
{
	prom_gauge(p, "rollcall_control_calls", "Control commands that wait for their answer",
		   (double)c->calls.len);
	prom_family(p, "rollcall_control_duration_seconds", PROM_HISTOGRAM,
		    "Time from a control command to its answer, or to giving up");
	for (size_t i = 0; i < KINDS_MAX && c->kinds[i].command != NULL; i++)
		prom_latency(p, LABELS({"command", c->kinds[i].command}), &c->kinds[i].took);
	prom_family(p, "rollcall_control_failures_total", PROM_COUNTER,
		    "Control commands that the plugin refused or did not answer");
	for (size_t i = 0; i < KINDS_MAX && c->kinds[i].command != NULL; i++)
		prom_count(p, LABELS({"command", c->kinds[i].command}), c->kinds[i].failed);
}
