// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* stmt_state.h - the inside of a statement, for stmt.c and stmt_bulk.c alone. */
#pragma once

#include "bridge/db/db_connection.h"
#include "bridge/db/stmt.h"

/* Where a parameter or a column keeps its value. */
union stmt_cell {
	long long i64;
	double f64;
	MYSQL_TIME time;
};

struct stmt {
	const char *sql; /* first: the key of the connection's table */
	struct db *db;
	MYSQL_STMT *handle;
	struct err err;
	bool open, executed;

	unsigned params_len, params_want;
	MYSQL_BIND params[STMT_MAX_PARAMS];
	union stmt_cell param_cells[STMT_MAX_PARAMS];

	unsigned columns_len;
	MYSQL_BIND columns[STMT_MAX_COLUMNS];
	union stmt_cell column_cells[STMT_MAX_COLUMNS];
	unsigned long lengths[STMT_MAX_COLUMNS];
	my_bool nulls[STMT_MAX_COLUMNS];
	char *text; /* room for the text columns of one row */
};

/* The first error of the statement's use is kept. */
bool stmt_failed(const struct stmt *q);
void stmt_fail(struct stmt *q, const char *what);
void stmt_fail_handle(struct stmt *q);

/* A time as the connector has it. */
void stmt_time_of(int64_t unix_ms, MYSQL_TIME *out);
