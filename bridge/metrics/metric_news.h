// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric_news.h - what a batch of reports changes in the latest values: at most one entry for a
 * worker. Made by one thread and handed to the loop. */
#pragma once

#include "bridge/metrics/metric_report.h"
#include "protocol/ident.h"

struct metric_entry {
	struct worker_id worker;
	int64_t received_ms;
	double memory, cpu, rate; /* NaN: not reported */
	char *extra;              /* further keys as a JSON object; NULL: none; owned */
	/* The newest status and when it came, which need not be the newest report's; "": none
	 */
	char engine_status[ENGINE_STATUS_MAX + 1];
	int64_t engine_status_ms;
};

struct metric_news {
	struct metric_entry *entries;
	size_t len, cap;
};

/* An entry to be filled, all zero; NULL: out of memory. */
struct metric_entry *metric_news_add(struct metric_news *n);

/* Adds what is stored of one worker's reports, the last one being the newest. Out of memory:
 * left out, and the worker's next report makes up for it. */
void metric_news_add_stored(struct metric_news *n, const struct metric_report *list);

void metric_news_fini(struct metric_news *n);
