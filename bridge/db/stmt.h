// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* stmt.h - one prepared statement, read top to bottom, with a sticky error.
 *
 *	q = stmt_begin(db, SQL_WORKER_GET);
 *	stmt_str(q, id->text);
 *	if (stmt_row(q))			executes at the first call
 *		name = stmt_get_str(q, 0);
 *	return stmt_end(q, e);			first error wins; always resets
 *
 * `sql` must be a constant: its address is the key under which the connection keeps the
 * prepared statement. Parameters are bound in order. Thread: the connection's.
 */
#pragma once

#include "bridge/db/db.h"

#include <stddef.h>

#define STMT_MAX_PARAMS 24
#define STMT_MAX_COLUMNS 24

struct stmt; /* belongs to the connection */

struct stmt *stmt_begin(struct db *db, const char *sql);

void stmt_str(struct stmt *q,
	      const char *value); /* NULL: SQL NULL. Must live until stmt_end() */
void stmt_bytes(struct stmt *q, const void *value, size_t len);
void stmt_i64(struct stmt *q, int64_t value);
void stmt_f64(struct stmt *q, double value);
void stmt_null(struct stmt *q);
void stmt_time(struct stmt *q, int64_t unix_ms); /* to DATETIME(3) UTC; 0: SQL NULL */

/* Executes (once) and fetches the next row. False: no more rows, or failed. */
bool stmt_row(struct stmt *q);

/* Columns of the current row, valid until the next stmt_row() or stmt_end(). */
bool stmt_is_null(struct stmt *q, unsigned column);
const char *stmt_get_str(struct stmt *q,
			 unsigned column); /* NULL for SQL NULL; NUL-terminated */
const char *stmt_get_bytes(struct stmt *q, unsigned column, size_t *len);
int64_t stmt_get_i64(struct stmt *q, unsigned column); /* SQL NULL: 0 */
double stmt_get_f64(struct stmt *q, unsigned column);
int64_t stmt_get_time(struct stmt *q, unsigned column); /* Unix ms; SQL NULL: 0 */

/* For INSERT, UPDATE, DELETE: executes and returns the rows it changed; 0 when it failed. */
uint64_t stmt_exec(struct stmt *q);

/* After stmt_exec(): the AUTO_INCREMENT or LAST_INSERT_ID(expr) of the statement. */
int64_t stmt_insert_id(struct stmt *q);

/* Frees the use of the statement and reports the first error: ERR_DATABASE_UNAVAILABLE when the
 * server is away or read-only, ERR_CONFLICT for a duplicate key, ERR_NOT_FOUND for a foreign
 * key to nothing, else ERR_INTERNAL. */
enum err_code stmt_end(struct stmt *q, struct err *e) MUST_CHECK;
