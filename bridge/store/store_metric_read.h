// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_metric_read.h - metric reports out of the database. Thread: database. */
#pragma once

#include "bridge/db/db.h"
#include "bridge/metrics/metric_report.h"
#include "protocol/buf.h"

/* A report as it is stored. */
struct metric_row {
	int64_t at_ms, received_ms;
	int64_t seq;                               /* -1: none */
	double memory, cpu, rate;                  /* NaN: not reported */
	char engine_status[ENGINE_STATUS_MAX + 1]; /* "": not reported */
	char *extra; /* further keys as a JSON object; NULL: none; owned */
};

struct metric_rows {
	struct metric_row *rows; /* owned */
	size_t len;
};

/* A worker's newest report by time of receipt; ERR_NOT_FOUND if it has none. */
enum err_code store_metrics_latest(struct db *db, const struct worker_id *id,
				   struct metric_row *out, struct err *e) MUST_CHECK;

/* What is asked of a worker's history: reports measured from from_ms to to_ms, both included.
 */
struct metric_span {
	struct worker_id worker;
	int64_t from_ms, to_ms;
	size_t limit;
};

/* Newest first, at most span->limit. */
enum err_code store_metrics_history(struct db *db, const struct metric_span *span,
				    struct metric_rows *out, struct err *e) MUST_CHECK;

/* The reports of a span of time, averaged. */
struct metric_bucket {
	int64_t at_ms;            /* its beginning, a multiple of the resolution */
	int64_t reports;          /* how many */
	double memory, cpu, rate; /* NaN: none of them has it */
	struct buf
		further; /* members of a JSON object: averages of further keys with numbers */
};

struct metric_buckets {
	struct metric_bucket *buckets; /* owned */
	size_t len;
};

/* Buckets of `resolution_s` in which there are reports, newest first, at most span->limit.
 * `further`: a JSON array of the further keys to be averaged, "[]" for all that are numbers,
 * NULL for none. ERR_DATABASE_UNAVAILABLE where there are so many reports that it takes too
 * long. */
enum err_code store_metrics_buckets(struct db *db, const struct metric_span *span,
				    int64_t resolution_s, const char *further,
				    struct metric_buckets *out, struct err *e) MUST_CHECK;

void metric_buckets_fini(struct metric_buckets *buckets);
void metric_row_fini(struct metric_row *row);
void metric_rows_fini(struct metric_rows *rows);
