// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_metric_days.h - the partitions of the table of reports, made ahead and dropped when
 * they are too old. Thread: the connection's. */
#pragma once

#include "bridge/db/db.h"

/* Makes the days that will soon be needed, and drops those that hold nothing but reports from
 * before oldest_ms. May be broken off and done again. *handled: partitions made and dropped. */
enum err_code store_metric_days(struct db *db, int64_t now_ms, int64_t oldest_ms,
				int64_t *handled, struct err *e) MUST_CHECK;
