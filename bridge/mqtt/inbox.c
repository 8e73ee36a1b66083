// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/mqtt/inbox.h"

#include "bridge/app.h"
#include "bridge/base/tally.h"
#include "bridge/commands/command.h"
#include "bridge/commands/engine_state.h"
#include "bridge/mqtt/broker.h"
#include "bridge/workers/renewal.h"
#include "protocol/topics.h"

#include <stdlib.h>

/* It reaches every bridge: each has a roster of its own to keep, and somebody who may be
 * waiting for that very result. Metrics come another way (metric_link.h). */
static const struct row {
	enum worker_topic topic;
	void (*receive)(struct app *app, const struct worker_id *id, const char *payload,
			size_t len);
} rows[] = {
	{WORKER_TOPIC_RESULTS,   commands_receive    },
	{WORKER_TOPIC_STATE,     engine_state_receive},
	{WORKER_TOPIC_TOKEN_ACK, renewal_ack_receive },
};

struct listener {
	struct app *app;
	const struct row *row;
	struct broker_listener broker;
	char filter[TOPIC_MAX];
};

struct inbox {
	struct listener listeners[ARRAY_LEN(rows)];
};

static bool match(const struct listener *l, const char *topic, struct worker_id *id)
{
	enum worker_topic kind;

	return topic_match_worker(l->app->config.topic_root, topic, id, &kind) &&
	       kind == l->row->topic;
}

static bool wants(void *arg, const char *topic)
{
	struct worker_id id;

	return match(arg, topic, &id);
}

static void on_message(void *arg, const char *topic, const char *payload, size_t len)
{
	struct listener *l = arg;
	struct worker_id id;

	if (match(l, topic, &id) && id.text[0] != '\0')
		l->row->receive(l->app, &id, payload, len);
	else
		tally_add(TALLY_MESSAGES_STRAY);
}

static void listen(struct listener *l, struct app *app, const struct row *row)
{
	l->app = app;
	l->row = row;
	topic_filter_all(app->config.topic_root, row->topic, l->filter);
	l->broker = (struct broker_listener){
		.filter = l->filter, .wants = wants, .message = on_message, .arg = l};
	broker_listen(app->broker, &l->broker);
}

struct inbox *inbox_new(struct app *app, struct err *e)
{
	struct inbox *inbox = calloc(1, sizeof(*inbox));

	if (inbox == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		listen(&inbox->listeners[i], app, &rows[i]);
	return inbox;
}

void inbox_free(struct inbox *inbox)
{
	free(inbox);
}
