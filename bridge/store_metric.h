// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_metric.h - metric reports in the database. Thread: database, or the writer. */
#pragma once

#include "bridge/db.h"
#include "bridge/metric_report.h"

/* Stores a list in one transaction of its own and sets the outcome of each. A report that is
 * there already (same worker, at and seq) counts as stored; one of a worker that the database
 * does not know does not hold up the others. */
enum err_code store_metrics_write(struct db *db, struct metric_report *list,
				  struct err *e) MUST_CHECK;

/* A worker's newest report by time of receipt; ERR_NOT_FOUND if it has none. out->extra is the
 * caller's to free. */
enum err_code store_metrics_latest(struct db *db, const struct worker_id *id,
				   struct metric_report *out, struct err *e) MUST_CHECK;
