// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric_report.h - what a worker says on `workers/{id}/metrics`, taken apart. Pure. */
#pragma once

#include "protocol/err.h"
#include "protocol/ident.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRIC_PAYLOAD_MAX ((size_t)64 * 1024)
#define METRIC_REPORTS_MAX 500
/* A message above the limits is still read up to these, so that its reports are rejected by seq
 * instead of being sent again for ever. */
#define METRIC_READ_MAX ((size_t)256 * 1024)
#define METRIC_REJECTIONS_MAX 1000
#define METRIC_KEYS_MAX 64
#define ENGINE_STATUS_MAX 32 /* bytes */

enum metric_outcome {
	METRIC_PENDING,
	METRIC_STORED,
	METRIC_UNKNOWN_WORKER,
	METRIC_UNSTORABLE, /* the database would never take it */
};

struct metric_report {
	struct worker_id worker;
	int64_t received_ms;
	int64_t at_ms; /* when it was measured; time of receipt if the worker did not say */
	int64_t seq;   /* -1: none, so it is not acknowledged */
	double memory, cpu, rate;                  /* NaN: not reported */
	char engine_status[ENGINE_STATUS_MAX + 1]; /* "": not reported */
	char *extra; /* its further keys as a JSON object; NULL: none; owned */
	enum metric_outcome outcome;
	struct metric_report *next;
};

/* A report with a seq that can never be stored. */
struct metric_rejection {
	int64_t seq;
	char message[120];
	struct metric_rejection *next;
};

/* What became of one message. Lists in the order of the message. */
struct metric_message {
	struct metric_report *reports;
	struct metric_rejection *rejections;
	size_t refused; /* reports (or the message) that were no good and had no seq to say it
			   by */
};

/* Never fails: what cannot be used is in `rejections` or counted. */
void metric_message_parse(const struct worker_id *worker, const char *payload, size_t len,
			  int64_t received_ms, struct metric_message *out);

/* Frees what is still in the lists. */
void metric_message_fini(struct metric_message *m);

void metric_report_free_list(struct metric_report *list); /* NULL is fine */
