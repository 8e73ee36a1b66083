// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/control.h"

#include "plugin/control_list.h"
#include "plugin/dirsync.h"
#include "plugin/stats.h"
#include "protocol/clock.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <stdlib.h>
#include <string.h>

#define CORRELATION_MAX 256
#define CLIENTS_MAX 1000
#define MESSAGE_WORK_MAX 2000  /* entries gone through for one message: some 10 ms */
#define WAITING_MAX_US 5000000 /* then a record that is not durable is an error */

struct control_client {
	const void *client;
	bool takes_batches;
};

struct control_answer {
	struct control_answer *next;
	struct control_route route;
	uint64_t lsn;
	int64_t since_us;
	char command[32];
	char *correlation; /* owned, may be NULL */
	size_t len;
	char text[]; /* the response object */
};

static const struct {
	const char *name;
	control_f handler;
	int work; /* to begin with; handlers that go through many entries add those */
} commands[CONTROL_COMMANDS] = {
	{"listConnections", control_list_connections,  1 },
	{"getConnection",   control_get_connection,    1 },
	{"send",            control_send,              1 },
	{"disconnect",      control_disconnect,        1 },
	{"putWorkers",      control_put_workers,       1 },
	{"deleteWorkers",   control_delete_workers,    1 },
	{"getDirectory",    control_get_directory,     1 },
	{"listTokenProofs", control_list_token_proofs, 1 },
	{"beginSync",       control_begin_sync,        1 },
	{"endSync",         control_end_sync,          1 },
	{"getStats",        control_get_stats,         50},
};

const char *control_command_name(unsigned position)
{
	return commands[position].name;
}

/* ---- clients ---- */

static uint64_t hash_client(const void *item)
{
	return htab_hash_ptr(((const struct control_client *)item)->client);
}

static bool match_client(const void *item, const void *client)
{
	return ((const struct control_client *)item)->client == client;
}

static struct control_client *find_client(const struct control *c, const void *client)
{
	return htab_find(&c->clients, htab_hash_ptr(client), match_client, client);
}

bool control_client_known(const struct control *c, const void *client)
{
	return find_client(c, client) != NULL;
}

static void set_takes_batches(struct control *c, struct control_client *cc, bool takes)
{
	c->batch_takers += takes;
	c->batch_takers -= cc->takes_batches;
	cc->takes_batches = takes;
}

void control_client_subscribes(struct control *c, const void *client, const char *filter)
{
	struct control_client *cc = find_client(c, client);

	if (cc != NULL && strcmp(topic_without_share(filter), TOPIC_METRICS_BATCH) == 0)
		set_takes_batches(c, cc, true);
}

bool control_client_takes_batches(const struct control *c, const void *client)
{
	const struct control_client *cc = find_client(c, client);

	return cc != NULL && cc->takes_batches;
}

bool control_batches_wanted(const struct control *c)
{
	return c->batch_takers > 0;
}

void control_client_add(struct control *c, const void *client)
{
	struct control_client *cc = find_client(c, client);

	if (cc != NULL) /* another one at the same address, whose end went unheard */
		set_takes_batches(c, cc, false);
	if (cc != NULL || c->clients.len >= CLIENTS_MAX)
		return;
	cc = calloc(1, sizeof(*cc));
	if (cc == NULL)
		return;
	cc->client = client;
	if (!htab_add(&c->clients, cc))
		free(cc);
}

void control_client_remove(struct control *c, const void *client)
{
	struct control_client *cc = find_client(c, client);

	if (cc == NULL)
		return;
	set_takes_batches(c, cc, false);
	htab_remove(&c->clients, cc);
	free(cc);
	dirsync_client_gone(c->sync, client);
	control_lists_client_gone(c->lists, client);
}

/* ---- answers ---- */

/* One response object, without the envelope. */
static void render(struct buf *out, const char *command, const char *correlation,
		   const struct buf *data, const struct err *e)
{
	struct jwrite w;

	jwrite_begin(&w, out);
	jwrite_object(&w, NULL);
	if (command != NULL)
		jwrite_str(&w, "command", command);
	if (correlation != NULL)
		jwrite_str(&w, "correlationData", correlation);
	if (e != NULL && e->code != ERR_OK) {
		stats_label(STAT_CONTROL_ERRORS, e->code, 1);
		jwrite_object(&w, "error");
		jwrite_str(&w, "code", err_name(e->code));
		jwrite_str(&w, "message", e->msg);
		jwrite_object_end(&w);
	} else {
		jwrite_object(&w, "data");
		if (data != NULL && data->len > 0)
			buf_add(out, data->data, data->len);
		jwrite_object_end(&w);
	}
	jwrite_object_end(&w);
}

static void send_responses(struct control *c, const struct control_route *route,
			   const char *responses, size_t len, int qos)
{
	struct buf out;

	buf_init(&out, CONTROL_ANSWER_MAX + 64);
	buf_add_str(&out, "{\"responses\":[");
	buf_add(&out, responses, len);
	buf_add_str(&out, "]}");
	if (out.failed)
		log_error("control", "an answer was lost: out of memory");
	else
		publish_answer(c->publish, route->client_id, route->topic, out.data, out.len,
			       qos, route->correlation, route->correlation_len);
	buf_fini(&out);
}

static void wait_durable(struct control *c, const struct control_route *route,
			 const char *command, const char *correlation, const struct buf *text)
{
	struct control_answer *a = malloc(sizeof(*a) + text->len);

	if (a == NULL) {
		log_error("control", "an answer was lost: out of memory");
		return;
	}
	*a = (struct control_answer){.route = *route,
				     .lsn = store_lsn(c->store),
				     .since_us = clock_mono_us(),
				     .len = text->len};
	memcpy(a->text, text->data, text->len);
	if (command != NULL)
		memcpy(a->command, command, strnlen(command, sizeof(a->command) - 1));
	a->correlation = correlation != NULL ? strdup(correlation) : NULL;
	*c->waiting_end = a;
	c->waiting_end = &a->next;
}

void control_answer(struct control *c, const struct control_route *route, const char *command,
		    const char *correlation, const struct buf *data, const struct err *e,
		    bool when_durable)
{
	struct buf text;

	buf_init(&text, CONTROL_ANSWER_MAX);
	render(&text, command, correlation, data, e);
	if (text.failed)
		log_error("control", "an answer was lost: out of memory");
	else if (when_durable && (e == NULL || e->code == ERR_OK))
		wait_durable(c, route, command, correlation, &text);
	else
		send_responses(c, route, text.data, text.len, route->qos);
	buf_fini(&text);
}

void control_publish(struct control *c, const struct control_route *route,
		     const struct buf *message)
{
	/* As in_order: a page of a list. */
	publish_answer(c->publish, route->client_id, route->topic, message->data, message->len,
		       1, route->correlation, route->correlation_len);
}

/* ---- dispatch ---- */

/* To one message. */
struct responses {
	struct buf text;
	int qos;
};

static control_f find_handler(const char *name, int *work)
{
	for (unsigned i = 0; i < CONTROL_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0) {
			stats_label(STAT_CONTROL_COMMANDS, i, 1);
			*work = commands[i].work;
			return commands[i].handler;
		}
	return NULL;
}

bool control_spend(struct control_call *call, int64_t work)
{
	if (work <= *call->work_left) {
		*call->work_left -= work;
		return true;
	}
	stats_label(STAT_LIMITED, LIMIT_COMMANDS, 1);
	err_set(call->e, ERR_RATE_LIMITED,
		"too much for one message: it may touch %d entries in all", MESSAGE_WORK_MAX);
	return false;
}

/* Runs one command; adds its response to `responses` unless it is to be told later. */
static void run_command(struct control *c, const void *client,
			const struct control_route *route, struct json_object *obj,
			size_t index, int64_t *work_left, struct responses *responses)
{
	struct err e = {0};
	struct control_call call = {.control = c,
				    .client = client,
				    .route = route,
				    .e = &e,
				    .work_left = work_left};
	control_f handler = NULL;
	int work = 0;
	struct jwrite w;
	struct buf data;
	bool quiet;

	buf_init(&data, CONTROL_ANSWER_MAX);
	jwrite_begin(&w, &data);
	call.out = &w;
	jread_begin_at(&call.in, obj, &e, "commands", index);
	call.command = jread_str(&call.in, "command", 1, 31);
	call.correlation = jread_str_or(&call.in, "correlationData", 0, CORRELATION_MAX, NULL);
	quiet = jread_bool_or(&call.in, "quiet", false);
	if (call.command != NULL && !jread_failed(&call.in)) {
		handler = find_handler(call.command, &work);
		if (handler == NULL)
			jread_fail(&call.in, "command", "there is no command '%s'",
				   call.command);
	}
	if (handler != NULL && control_spend(&call, work) && handler(&call) == ERR_OK &&
	    data.failed)
		err_set(&e, ERR_OUT_OF_MEMORY, "the answer would be too large");
	if (call.later || quiet) {
		; /* its handler answers, or nobody wants to know */
	} else if (call.when_durable && e.code == ERR_OK) {
		control_answer(c, route, call.command, call.correlation, &data, NULL, true);
	} else {
		if (call.in_order)
			responses->qos = 1;
		if (responses->text.len > 0)
			buf_add_char(&responses->text, ',');
		render(&responses->text, call.command, call.correlation, &data, &e);
	}
	buf_fini(&data);
}

static enum err_code run_all(struct control *c, const void *client,
			     const struct control_route *route, struct json_object *doc,
			     struct responses *responses, struct err *e)
{
	int64_t work_left = MESSAGE_WORK_MAX;
	struct json_object *list;
	struct jread r;

	jread_begin(&r, doc, e);
	list = jread_array(&r, "commands", 1, CONTROL_COMMANDS_MAX);
	if (jread_end(&r) != ERR_OK)
		return e->code;
	for (size_t i = 0; i < json_object_array_length(list) && !responses->text.failed; i++)
		run_command(c, client, route, json_object_array_get_idx(list, i), i, &work_left,
			    responses);
	return ERR_OK;
}

void control_message(struct control *c, const void *client, const struct control_route *route,
		     const char *payload, size_t len)
{
	struct responses responses = {.qos = route->qos};
	struct buf *text = &responses.text;
	struct json_object *doc = NULL;
	struct err e = {0};

	stats_add(STAT_CONTROL_MESSAGES, 1);
	buf_init(text, CONTROL_ANSWER_MAX);
	if (len > CONTROL_MESSAGE_MAX)
		err_set(&e, ERR_PAYLOAD_TOO_LARGE, "more than %u bytes", CONTROL_MESSAGE_MAX);
	else
		doc = jread_parse_envelope(payload, len, &e);
	if (doc == NULL || run_all(c, client, route, doc, &responses, &e) != ERR_OK)
		render(text, NULL, NULL, NULL, &e);
	json_object_put(doc);
	if (text->failed) {
		buf_reset(text);
		err_set(&e, ERR_OUT_OF_MEMORY,
			"the answers would be too large: send fewer commands");
		render(text, NULL, NULL, NULL, &e);
	}
	if (text->len > 0)
		send_responses(c, route, text->data, text->len, responses.qos);
	buf_fini(text);
}

bool control_read_worker(struct jread *r, struct worker_id *id)
{
	const char *text = jread_str(r, "worker_id", 1, WORKER_ID_MAX);

	if (text != NULL && !worker_id_parse(text, strlen(text), id))
		jread_fail(r, "worker_id", "is not a worker id");
	return !jread_failed(r);
}

/* ---- the turn's end ---- */

static void not_durable(const struct control *c, struct err *e)
{
	struct store_status status;

	store_status(c->store, &status);
	err_set(e, ERR_STORE_UNAVAILABLE,
		"not stored (%.100s): in force until the broker stops, repeat it",
		status.code != ERR_OK ? status.message : "the disk does not answer");
}

static void answer_waiting(struct control *c, int64_t now_us)
{
	struct control_answer *a;
	struct err e;

	while ((a = c->waiting) != NULL) {
		bool durable = store_durable(c->store) >= a->lsn;

		if (!durable && now_us - a->since_us < WAITING_MAX_US && !store_stuck(c->store))
			break;
		c->waiting = a->next;
		if (durable) {
			send_responses(c, &a->route, a->text, a->len, a->route.qos);
		} else {
			not_durable(c, &e);
			control_answer(c, &a->route, a->command, a->correlation, NULL, &e,
				       false);
		}
		free(a->correlation);
		free(a);
	}
	if (c->waiting == NULL)
		c->waiting_end = &c->waiting;
}

bool control_tick(struct control *c, int64_t now_us)
{
	bool more = dirsync_tick(c->sync, c, now_us);

	more |= control_lists_tick(c->lists, c);
	answer_waiting(c, now_us);
	return more;
}

enum err_code control_open(struct control *c, const struct options *options,
			   struct connset *conns, struct directory *directory,
			   struct store *store, struct publish *publish, struct err *e)
{
	*c = (struct control){.options = options,
			      .conns = conns,
			      .directory = directory,
			      .store = store,
			      .publish = publish,
			      .started_us = clock_mono_us()};
	htab_init(&c->clients, hash_client);
	c->waiting_end = &c->waiting;
	c->sync = dirsync_new();
	c->lists = control_lists_new();
	if (c->sync == NULL || c->lists == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return ERR_OK;
}

void control_close(struct control *c)
{
	struct control_answer *a;
	struct control_client *cc;

	while ((a = c->waiting) != NULL) {
		c->waiting = a->next;
		free(a->correlation);
		free(a);
	}
	for (size_t pos = 0; (cc = htab_next(&c->clients, &pos)) != NULL;)
		free(cc);
	htab_fini(&c->clients);
	dirsync_free(c->sync);
	control_lists_free(c->lists);
}
