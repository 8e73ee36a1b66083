// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metrics/metric_news.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 16

struct metric_entry *metric_news_add(struct metric_news *n)
{
	struct metric_entry *entries;

	if (n->len == n->cap) {
		const size_t cap = n->cap > 0 ? n->cap * 2 : FIRST_CAP;

		entries = realloc(n->entries, cap * sizeof(*entries));
		if (entries == NULL)
			return NULL;
		n->entries = entries;
		n->cap = cap;
	}
	memset(&n->entries[n->len], 0, sizeof(n->entries[0]));
	return &n->entries[n->len++];
}

static void fill(struct metric_entry *e, const struct metric_report *r)
{
	e->worker = r->worker;
	e->received_ms = r->received_ms;
	e->memory = r->memory;
	e->cpu = r->cpu;
	e->rate = r->rate;
	e->extra = r->extra != NULL ? strdup(r->extra) : NULL;
}

void metric_news_add_stored(struct metric_news *n, const struct metric_report *list)
{
	const struct metric_report *newest = NULL, *status = NULL;
	struct metric_entry *e;

	for (; list != NULL; list = list->next) {
		if (list->outcome != METRIC_STORED)
			continue;
		newest = list;
		if (list->engine_status[0] != '\0')
			status = list;
	}
	if (newest == NULL)
		return;
	e = metric_news_add(n);
	if (e == NULL)
		return;
	fill(e, newest);
	if (status != NULL) {
		memcpy(e->engine_status, status->engine_status, sizeof(e->engine_status));
		e->engine_status_ms = status->received_ms;
	}
}

void metric_news_fini(struct metric_news *n)
{
	for (size_t i = 0; i < n->len; i++)
		free(n->entries[i].extra);
	free(n->entries);
	*n = (struct metric_news){0};
}
