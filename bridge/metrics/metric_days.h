// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric_days.h - which partitions the table of reports should have: one for each day that has
 * begun or soon will, none whose last moment is too old. Pure; store_metric_days.c does it.
 *
 * A partition is known by its bound: the midnight (Unix ms, UTC) that its reports are before.
 */
#pragma once

#include "protocol/buf.h"

#include <stddef.h>
#include <stdint.h>

#define METRIC_DAY_MS INT64_C(86400000)
/* After today: a bridge that is away for a weekend does no harm. */
#define METRIC_DAYS_AHEAD 3
#define METRIC_DAYS_MAX 8000 /* MariaDB lets a table have 8,192 partitions */

/* Writes the statement that makes the days which are missing after `last` (the highest bound,
 * 0: none); empty: nothing is missing. After a long absence the first of them holds all days
 * since then. *made: how many. */
void metric_days_make_sql(int64_t last_ms, int64_t now_ms, struct buf *out, size_t *made);

/* Writes the statement that drops those of the n bounds whose reports are all from before
 * `oldest_ms`; empty: none is. Bounds are in ascending order. *dropped: how many. */
void metric_days_drop_sql(const int64_t *bounds_ms, size_t n, int64_t oldest_ms,
			  struct buf *out, size_t *dropped);
