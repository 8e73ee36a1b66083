// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/command_news.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/mqtt/broker.h"
#include "protocol/clock.h"
#include "protocol/htab.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HELLO_MS 2000
#define PEER_US INT64_C(7000000) /* without a word, another bridge is there no more */
#define YOUNG_US                                                                               \
	INT64_C(5000000) /* after connecting, others may be there and not known yet            \
			  */
#define GATHER_MS 5
#define BATCH_COMMANDS 200
#define BATCH_BYTES ((size_t)256 * 1024)
#define INSTANCE_BYTES 8
#define TOLD 4096

/* What was told here last of a command. */
struct told {
	uint64_t id; /* its hash */
	enum command_state state;
};

struct command_news {
	struct app *app;
	struct command_news_reader reader;
	struct broker_listener listener;
	char instance[2 * INSTANCE_BYTES + 1]; /* this process */
	struct timer *hello, *flush;
	int64_t peer_us;      /* when another bridge was heard last; 0: never */
	int64_t connected_us; /* when this one was connected last; 0: never */
	int64_t skipped_us;   /* when something was last not told, for want of anybody */
	bool untold;          /* something that the others should have heard */

	struct buf batch; /* {"bridge":…,"commands":[… */
	struct jwrite w;
	size_t batch_len;

	/* Of the last moment: the worker's answer may overtake the news that it was asked. By
	 * the hash of the id; one pushes out another. */
	struct told told[TOLD];
};

static bool has_peer(const struct command_news *n)
{
	return n->peer_us != 0 && clock_mono_us() - n->peer_us < PEER_US;
}

static bool is_young(const struct command_news *n)
{
	return n->connected_us == 0 || clock_mono_us() - n->connected_us < YOUNG_US;
}

/* ---- telling ----------------------------------------------------------------------------- */

static void begin_batch(struct command_news *n)
{
	buf_reset(&n->batch);
	n->batch_len = 0;
	jwrite_begin(&n->w, &n->batch);
	jwrite_object(&n->w, NULL);
	jwrite_str(&n->w, "bridge", n->instance);
	jwrite_array(&n->w, "commands");
}

static void send_batch(struct command_news *n)
{
	struct err e = {0};

	jwrite_array_end(&n->w);
	jwrite_bool(&n->w, "untold", n->untold);
	jwrite_object_end(&n->w);
	if (!n->batch.failed && broker_publish(n->app->broker, TOPIC_COMMAND_NEWS,
					       n->batch.data, n->batch.len, 1, &e) == ERR_OK)
		n->untold = false;
	else
		n->untold = n->untold || n->batch_len > 0;
	begin_batch(n);
}

void command_news_add(struct command_news *n, const struct worker_id *worker,
		      const struct command_id *id, const struct command_standing *standing)
{
	if (!has_peer(n) && !is_young(n)) {
		n->skipped_us = clock_mono_us();
		return;
	}
	jwrite_object(&n->w, NULL);
	jwrite_str(&n->w, "worker_id", worker->text);
	jwrite_str(&n->w, "command_id", id->text);
	jwrite_str(&n->w, "state", command_state_name(standing->state));
	if (standing->error != NULL)
		jwrite_str(&n->w, "error", standing->error);
	jwrite_object_end(&n->w);
	if (++n->batch_len == 1)
		timer_once(n->flush, GATHER_MS);
	if (n->batch_len == BATCH_COMMANDS || n->batch.len > BATCH_BYTES / 2)
		send_batch(n);
}

static void on_flush(void *arg)
{
	struct command_news *n = arg;

	if (n->batch_len > 0)
		send_batch(n);
}

static void on_hello(void *arg)
{
	send_batch(arg);
}

/* ---- what was told ----------------------------------------------------------------------- */

void command_news_note(struct command_news *n, const struct command_id *id,
		       enum command_state state)
{
	const uint64_t hash = htab_hash_str(id->text);

	n->told[hash % TOLD] = (struct told){hash, state};
}

static bool is_late(const struct command_news *n, const struct command_id *id,
		    enum command_state state)
{
	const uint64_t hash = htab_hash_str(id->text);
	const struct told *told = &n->told[hash % TOLD];

	return told->id == hash && told->state > state;
}

/* ---- hearing ----------------------------------------------------------------------------- */

static void on_command(struct command_news *n, struct json_object *list, size_t i)
{
	struct command_standing standing = {.found = true};
	const char *worker_text, *id_text, *state_text, *error;
	struct worker_id worker;
	struct err e = {0};
	struct jread r;

	jread_begin_at(&r, json_object_array_get_idx(list, i), &e, "commands", i);
	worker_text = jread_str(&r, "worker_id", 1, WORKER_ID_MAX);
	id_text = jread_str(&r, "command_id", 1, COMMAND_ID_LEN);
	state_text = jread_str(&r, "state", 1, 16);
	error = jread_str_or(&r, "error", 0, RESULT_ERROR_MAX, NULL);
	standing.error = error != NULL ? strdup(error) : NULL;
	if (jread_end(&r) != ERR_OK ||
	    !worker_id_parse(worker_text, strlen(worker_text), &worker) ||
	    !command_id_parse(id_text, strlen(id_text), &standing.id) ||
	    !command_state_parse(state_text, &standing.state))
		log_warn("command", "news that cannot be read: %s", e.msg);
	else if (!is_late(n, &standing.id, standing.state))
		n->reader.stands(n->reader.arg, &worker, &standing.id, &standing);
	command_standing_fini(&standing);
}

static void hear(struct command_news *n, struct jread *r)
{
	const char *bridge = jread_str(r, "bridge", 1, 64);
	struct json_object *list = jread_array(r, "commands", 0, 10000);
	const bool untold = jread_bool_or(r, "untold", false);
	const bool is_new = !has_peer(n);

	if (jread_failed(r) || strcmp(bridge, n->instance) == 0)
		return;
	n->peer_us = clock_mono_us();
	if (is_new) {
		/* It must know of this one, too, and of what it may have just missed. */
		n->untold = n->untold ||
			    (n->skipped_us != 0 && n->peer_us - n->skipped_us < YOUNG_US);
		send_batch(n);
	}
	if (untold)
		n->reader.lost(n->reader.arg);
	for (size_t i = 0; i < json_object_array_length(list); i++)
		on_command(n, list, i);
}

static void on_message(void *arg, const char *topic, const char *payload, size_t len)
{
	struct err e = {0};
	struct json_object *doc = jread_parse(payload, len, &e);
	struct jread r;

	(void)topic;
	if (doc != NULL) {
		jread_begin(&r, doc, &e);
		hear(arg, &r);
	}
	if (e.code != ERR_OK)
		log_warn("command", "news that cannot be read: %s", e.msg);
	json_object_put(doc);
}

/* While this bridge was away from the broker, others may have told something. */
static void on_connected(void *arg)
{
	struct command_news *n = arg;

	if (n->connected_us != 0 && n->peer_us != 0)
		n->reader.lost(n->reader.arg);
	n->connected_us = clock_mono_us();
	send_batch(n);
}

static bool wants(void *arg, const char *topic)
{
	(void)arg;
	return strcmp(topic, TOPIC_COMMAND_NEWS) == 0;
}

/* ---- life -------------------------------------------------------------------------------- */

struct command_news *command_news_new(struct app *app, const struct command_news_reader *reader,
				      struct err *e)
{
	struct command_news *n = calloc(1, sizeof(*n));
	uint8_t random[INSTANCE_BYTES];

	if (n != NULL) {
		n->app = app;
		n->reader = *reader;
		n->listener = (struct broker_listener){.filter = TOPIC_COMMAND_NEWS,
						       .wants = wants,
						       .message = on_message,
						       .connected = on_connected,
						       .arg = n};
		buf_init(&n->batch, BATCH_BYTES);
		n->hello = timer_new(app->loop, on_hello, n);
		n->flush = timer_new(app->loop, on_flush, n);
	}
	if (n == NULL || n->hello == NULL || n->flush == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		command_news_free(n);
		return NULL;
	}
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(n->instance, sizeof(n->instance), random, sizeof(random));
	begin_batch(n);
	timer_every(n->hello, HELLO_MS);
	broker_listen(app->broker, &n->listener);
	return n;
}

void command_news_free(struct command_news *n)
{
	if (n == NULL)
		return;
	timer_free(n->hello);
	timer_free(n->flush);
	buf_fini(&n->batch);
	free(n);
}
