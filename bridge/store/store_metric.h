// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_metric.h - metric reports on their way into the database. Thread: the writer's. */
#pragma once

#include "bridge/db/db.h"
#include "bridge/metrics/metric_report.h"

#define STORE_METRICS_MAX 8000 /* reports in one transaction */

/* The arrays from which rows are sent; made once and used again. */
struct metric_store;

/* `writer` names this bridge among those that share the database. */
struct metric_store *metric_store_new(int64_t writer, struct err *e) MUST_CHECK;
void metric_store_free(struct metric_store *s); /* NULL is fine */

/* Stores a list, grouped by worker and each worker's in order of receipt, at most
 * STORE_METRICS_MAX, in one transaction of its own and sets the outcome of each. A report that
 * is there already (same worker, at and ref) counts as stored, so the same list may be given
 * again when the outcome of the commit is unknown; one of a worker that the database does not
 * know does not hold up the others. */
enum err_code store_metrics_write(struct db *db, struct metric_store *s,
				  struct metric_report *list, struct err *e) MUST_CHECK;
