// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/events/event_log.h"

#include "protocol/util.h"

#include <stdlib.h>
#include <string.h>

struct event_log {
	struct event *ring; /* event n stands at n % size */
	size_t size, max_bytes;
	size_t bytes; /* of the texts */
	uint64_t oldest, newest;
};

static const char *const names[] = {
#define X(name, text) text,
	EVENT_TYPE_LIST(X)
#undef X
};

const char *event_type_name(enum event_type type)
{
	return names[type];
}

bool event_type_parse(const char *text, size_t len, enum event_type *out)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0) {
			*out = (enum event_type)i;
			return true;
		}
	return false;
}

struct event_log *event_log_new(size_t max_events, size_t max_bytes)
{
	struct event_log *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return NULL;
	log->ring = calloc(max_events, sizeof(*log->ring));
	if (log->ring == NULL) {
		free(log);
		return NULL;
	}
	log->size = max_events;
	log->max_bytes = max_bytes;
	log->oldest = 1;
	return log;
}

static struct event *slot(const struct event_log *log, uint64_t n)
{
	return &log->ring[n % log->size];
}

static void drop_oldest(struct event_log *log)
{
	struct event *event = slot(log, log->oldest);

	log->bytes -= event->len;
	free(event->json);
	event->json = NULL;
	event->len = 0;
	log->oldest++;
}

void event_log_free(struct event_log *log)
{
	if (log == NULL)
		return;
	while (log->oldest <= log->newest)
		drop_oldest(log);
	free(log->ring);
	free(log);
}

static bool is_full(const struct event_log *log)
{
	return log->newest - log->oldest + 1 > log->size - 1 || log->bytes > log->max_bytes;
}

uint64_t event_log_add(struct event_log *log, enum event_type type,
		       const struct worker_id *worker, char *json, size_t len)
{
	struct event *event;

	while (log->oldest <= log->newest && is_full(log))
		drop_oldest(log);
	event = slot(log, ++log->newest);
	*event = (struct event){.type = type, .json = json, .len = json != NULL ? len : 0};
	if (worker != NULL)
		event->worker = *worker;
	log->bytes += event->len;
	return log->newest;
}

void event_log_set(struct event_log *log, uint64_t n, char *json, size_t len)
{
	struct event *event = slot(log, n);

	if (n < log->oldest || n > log->newest || event->json != NULL) {
		free(json);
		return;
	}
	event->json = json;
	event->len = len;
	log->bytes += len;
}

uint64_t event_log_oldest(const struct event_log *log)
{
	return log->oldest;
}

uint64_t event_log_newest(const struct event_log *log)
{
	return log->newest;
}

const struct event *event_log_at(const struct event_log *log, uint64_t n)
{
	return n < log->oldest || n > log->newest ? NULL : slot(log, n);
}
