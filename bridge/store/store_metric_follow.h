// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_metric_follow.h - the latest values that other bridges have written. Thread: database.
 */
#pragma once

#include "bridge/db/db.h"
#include "bridge/metrics/metric_news.h"

#define METRIC_WRITERS_MAX 64 /* bridges of the last day, restarts counted */

/* How far the other bridges' batches have been read. All zero: not at all. */
struct metric_followed {
	struct {
		int64_t writer, batch;
	} rows[METRIC_WRITERS_MAX];
	size_t len;
};

/* Reads what others than `self` have written since, and moves *followed on. One small query
 * where nothing was. */
enum err_code store_metrics_follow(struct db *db, int64_t self,
				   struct metric_followed *followed, struct metric_news *news,
				   struct err *e) MUST_CHECK;

/* Forgets bridges that have written nothing since limit_ms; *n: how many. */
enum err_code store_metric_writers_forget(struct db *db, int64_t limit_ms, int64_t *n,
					  struct err *e) MUST_CHECK;
