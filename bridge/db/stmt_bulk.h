// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* stmt_bulk.h - one INSERT or UPDATE for many rows, sent as arrays: one round
 * trip and one parse however many rows there are (MariaDB's bulk protocol).
 *
 *	bulk_reset(rows);
 *	for each row: bulk_text(rows, …); bulk_i64(rows, …); …	a value for each parameter
 *	q = stmt_begin(db, SQL);
 *	stmt_bulk(q, rows);
 *	return stmt_end(q, e);
 *
 * Values are not copied: texts must live until stmt_bulk() has returned. Thread: one at a time.
 */
#pragma once

#include "bridge/db/stmt.h"

enum bulk_type { BULK_TEXT, BULK_I64, BULK_F64, BULK_TIME };

struct bulk;

/* `types` has one element for each of the statement's `columns` parameters. NULL: out of
 * memory. bulk_free(NULL) is fine. */
struct bulk *bulk_new(const enum bulk_type *types, unsigned columns, unsigned rows_max);
void bulk_free(struct bulk *b);

void bulk_reset(struct bulk *b);          /* no rows */
unsigned bulk_rows(const struct bulk *b); /* complete ones */

/* The next value of the row, in the order of the parameters; after the last one the next row
 * begins. What is beyond rows_max is left out: ask bulk_rows() first. */
void bulk_text(struct bulk *b, const char *value, size_t len); /* value NULL: SQL NULL */
void bulk_str(struct bulk *b, const char *value);              /* the same, NUL-terminated */
void bulk_i64(struct bulk *b, int64_t value);
void bulk_f64(struct bulk *b, double value);     /* NaN: SQL NULL */
void bulk_time(struct bulk *b, int64_t unix_ms); /* to DATETIME(3) UTC */
void bulk_null(struct bulk *b);

/* Executes the statement for all rows. Nothing is done where there is none. Which row was wrong
 * when it fails cannot be told. */
void stmt_bulk(struct stmt *q, struct bulk *b);
