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
	struct metric_report *next;
	struct worker_id worker;
	enum metric_outcome outcome;
	int64_t received_ms;
	int64_t at_ms; /* when it was measured; time of receipt if the worker did not say */
	int64_t seq;   /* -1: none, so it is not acknowledged */
	int64_t ref;   /* what tells it from others of the worker and moment: seq, or below 0 */
	double memory, cpu, rate;                  /* NaN: not reported */
	char engine_status[ENGINE_STATUS_MAX + 1]; /* "": not reported */
	const char *extra; /* its further keys as a JSON object, behind this struct and part of
			      it; NULL: none */
	size_t extra_len;
};

/* A report with a seq that can never be stored. */
struct metric_rejection {
	int64_t seq;
	const char *code; /* static */
	char message[120];
	struct metric_rejection *next;
};

/* Who sent a message, when it came, and the span in which `at` is taken. */
struct metric_source {
	struct worker_id worker;
	int64_t received_ms;
	int64_t oldest_ms, newest_ms;
};

/* What became of one message. Lists in the order of the message. */
struct metric_message {
	struct metric_report *reports;
	struct metric_rejection *rejections;
	size_t refused; /* reports (or the message) that were no good and had no seq to say it
			   by */
};

/* Never fails: what cannot be used is in `rejections` or counted. */
void metric_message_parse(const struct metric_source *from, const char *payload, size_t len,
			  struct metric_message *out);

/* Frees what is still in the lists. */
void metric_message_fini(struct metric_message *m);

/* An empty report of the source, with a copy of `extra` (len 0: none). NULL: out of memory. */
struct metric_report *metric_report_new(const struct metric_source *from, const char *extra,
					size_t len);
void metric_report_free_list(struct metric_report *list); /* NULL is fine */
