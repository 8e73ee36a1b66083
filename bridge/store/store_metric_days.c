// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_metric_days.h"

#include "bridge/db/stmt.h"
#include "bridge/metrics/metric_days.h"
#include "protocol/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define SQL_BYTES ((size_t)256 * 1024)

/* The bound is text between quotes, or MAXVALUE. */
static const char sql_bounds[] =
	"SELECT partition_description FROM information_schema.partitions"
	" WHERE table_schema = DATABASE() AND table_name = 'metrics'"
	" AND partition_description <> 'MAXVALUE' ORDER BY partition_ordinal_position";

static enum err_code read_bounds(struct db *db, int64_t *bounds, size_t *n, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_bounds);
	char text[CLOCK_TEXT_SIZE];

	*n = 0;
	while (*n < METRIC_DAYS_MAX && stmt_row(q)) {
		const char *bound = stmt_get_str(q, 0);

		snprintf(text, sizeof(text), "%.10sT00:00:00Z", bound != NULL ? bound + 1 : "");
		if (clock_parse(text, 20, &bounds[*n]))
			++*n;
	}
	return stmt_end(q, e);
}

static enum err_code run(struct db *db, const struct buf *sql, struct err *e)
{
	if (sql->failed)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return sql->len > 0 ? db_run(db, sql->data, sql->len, e) : ERR_OK;
}

static enum err_code keep_up(struct db *db, const int64_t *bounds, size_t n, int64_t now_ms,
			     int64_t oldest_ms, int64_t *handled, struct err *e)
{
	size_t made, dropped;
	struct buf sql;

	buf_init(&sql, SQL_BYTES);
	metric_days_make_sql(n > 0 ? bounds[n - 1] : 0, now_ms, &sql, &made);
	if (run(db, &sql, e) == ERR_OK) {
		*handled += (int64_t)made;
		buf_reset(&sql);
		metric_days_drop_sql(bounds, n, oldest_ms, &sql, &dropped);
		if (run(db, &sql, e) == ERR_OK)
			*handled += (int64_t)dropped;
	}
	buf_fini(&sql);
	return e->code;
}

enum err_code store_metric_days(struct db *db, int64_t now_ms, int64_t oldest_ms,
				int64_t *handled, struct err *e)
{
	int64_t *bounds = calloc(METRIC_DAYS_MAX, sizeof(*bounds));
	size_t n;

	if (bounds == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (read_bounds(db, bounds, &n, e) == ERR_OK)
		keep_up(db, bounds, n, now_ms, oldest_ms, handled, e);
	free(bounds);
	return e->code;
}
