// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/db/stmt.h"

#include "bridge/db/stmt_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool match_sql(const void *item, const void *sql)
{
	return ((const struct stmt *)item)->sql == sql;
}

bool stmt_failed(const struct stmt *q)
{
	return q->err.code != ERR_OK;
}

void stmt_fail(struct stmt *q, const char *what)
{
	if (!stmt_failed(q))
		err_set(&q->err, ERR_INTERNAL, "%s: %.100s", what, q->sql);
}

void stmt_fail_handle(struct stmt *q)
{
	if (!stmt_failed(q))
		db_failed(q->db, mysql_stmt_errno(q->handle), mysql_stmt_error(q->handle),
			  &q->err);
}

static void prepare(struct stmt *q)
{
	q->handle = mysql_stmt_init(q->db->mysql);
	if (q->handle == NULL) {
		err_set(&q->err, ERR_OUT_OF_MEMORY, NULL);
		return;
	}
	db_count_statement();
	if (mysql_stmt_prepare(q->handle, q->sql, strlen(q->sql)) != 0) {
		stmt_fail_handle(q);
		mysql_stmt_close(q->handle);
		q->handle = NULL; /* tried afresh the next time */
		return;
	}
	q->params_want = (unsigned)mysql_stmt_param_count(q->handle);
	q->columns_len = mysql_stmt_field_count(q->handle);
	if (q->params_want > STMT_MAX_PARAMS || q->columns_len > STMT_MAX_COLUMNS)
		stmt_fail(q, "too many parameters or columns");
}

void stmt_free(struct stmt *q)
{
	if (q == NULL)
		return;
	if (q->handle != NULL)
		mysql_stmt_close(q->handle);
	free(q->text);
	free(q);
}

struct stmt *stmt_new(struct db *db, const char *sql)
{
	struct stmt *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->sql = sql;
	q->db = db;
	return q;
}

/* The connection's statement for this SQL; the spare one, failed, when memory is short. */
static struct stmt *statement_of(struct db *db, const char *sql)
{
	struct stmt *q = htab_find(&db->stmts, htab_hash_ptr(sql), match_sql, sql);

	if (q != NULL)
		return q;
	q = stmt_new(db, sql);
	if (q != NULL && htab_add(&db->stmts, q))
		return q;
	free(q);
	return db->spare;
}

struct stmt *stmt_begin(struct db *db, const char *sql)
{
	struct stmt *q = statement_of(db, sql);

	if (q->open) {
		stmt_fail(q, "statement begun twice");
		return q;
	}
	q->open = true;
	q->executed = false;
	q->params_len = 0;
	q->err.code = ERR_OK;
	if (q == db->spare)
		err_set(&q->err, ERR_OUT_OF_MEMORY, NULL);
	else if (db->mysql == NULL || db->broken)
		err_set(&q->err, ERR_DATABASE_UNAVAILABLE, NULL);
	else if (q->handle == NULL)
		prepare(q);
	return q;
}

/* ---- parameters ---------------------------------------------------------------------------
 */

/* The next parameter to fill, NULL after an error. */
static MYSQL_BIND *next_param(struct stmt *q, enum enum_field_types type)
{
	MYSQL_BIND *bind;

	if (stmt_failed(q))
		return NULL;
	if (q->params_len == q->params_want) {
		stmt_fail(q, "more values than parameters");
		return NULL;
	}
	bind = &q->params[q->params_len];
	*bind = (MYSQL_BIND){.buffer_type = type, .buffer = &q->param_cells[q->params_len]};
	q->params_len++;
	return bind;
}

void stmt_bytes(struct stmt *q, const void *value, size_t len)
{
	MYSQL_BIND *bind = next_param(q, MYSQL_TYPE_STRING);

	if (bind == NULL)
		return;
	/* The connector reads it only, but its struct has no const. */
	memcpy(&bind->buffer, &value, sizeof(bind->buffer));
	bind->buffer_length = len;
}

void stmt_str(struct stmt *q, const char *value)
{
	if (value == NULL)
		stmt_null(q);
	else
		stmt_bytes(q, value, strlen(value));
}

void stmt_i64(struct stmt *q, int64_t value)
{
	MYSQL_BIND *bind = next_param(q, MYSQL_TYPE_LONGLONG);

	if (bind != NULL)
		((union stmt_cell *)bind->buffer)->i64 = value;
}

void stmt_f64(struct stmt *q, double value)
{
	MYSQL_BIND *bind = next_param(q, MYSQL_TYPE_DOUBLE);

	if (bind != NULL)
		((union stmt_cell *)bind->buffer)->f64 = value;
}

void stmt_null(struct stmt *q)
{
	next_param(q, MYSQL_TYPE_NULL);
}

void stmt_time_of(int64_t unix_ms, MYSQL_TIME *out)
{
	time_t s = (time_t)(unix_ms / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	*out = (MYSQL_TIME){
		.year = (unsigned)tm.tm_year + 1900,
		.month = (unsigned)tm.tm_mon + 1,
		.day = (unsigned)tm.tm_mday,
		.hour = (unsigned)tm.tm_hour,
		.minute = (unsigned)tm.tm_min,
		.second = (unsigned)tm.tm_sec,
		.second_part = (unsigned long)(unix_ms % 1000) * 1000,
		.time_type = MYSQL_TIMESTAMP_DATETIME,
	};
}

void stmt_time(struct stmt *q, int64_t unix_ms)
{
	MYSQL_BIND *bind;

	if (unix_ms == 0) {
		stmt_null(q);
		return;
	}
	bind = next_param(q, MYSQL_TYPE_DATETIME);
	if (bind != NULL)
		stmt_time_of(unix_ms, &((union stmt_cell *)bind->buffer)->time);
}

/* ---- execution ----------------------------------------------------------------------------
 */

static void execute(struct stmt *q)
{
	q->executed = true;
	if (!stmt_failed(q) && q->params_len < q->params_want)
		stmt_fail(q, "fewer values than parameters");
	if (stmt_failed(q))
		return;
	db_count_statement();
	if (mysql_stmt_bind_param(q->handle, q->params) != 0 ||
	    mysql_stmt_execute(q->handle) != 0)
		stmt_fail_handle(q);
}

static bool is_integer(enum enum_field_types type)
{
	return type == MYSQL_TYPE_TINY || type == MYSQL_TYPE_SHORT ||
	       type == MYSQL_TYPE_INT24 || type == MYSQL_TYPE_LONG ||
	       type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_YEAR;
}

static bool is_real(enum enum_field_types type)
{
	return type == MYSQL_TYPE_FLOAT || type == MYSQL_TYPE_DOUBLE ||
	       type == MYSQL_TYPE_DECIMAL || type == MYSQL_TYPE_NEWDECIMAL;
}

static bool is_time(enum enum_field_types type)
{
	return type == MYSQL_TYPE_DATETIME || type == MYSQL_TYPE_TIMESTAMP ||
	       type == MYSQL_TYPE_DATE;
}

/* Says how the column is to arrive; returns the room that a text needs. */
static size_t bind_column(struct stmt *q, unsigned i, const MYSQL_FIELD *field)
{
	MYSQL_BIND *bind = &q->columns[i];

	*bind = (MYSQL_BIND){
		.buffer = &q->column_cells[i],
		.length = &q->lengths[i],
		.is_null = &q->nulls[i],
	};
	if (is_integer(field->type)) {
		bind->buffer_type = MYSQL_TYPE_LONGLONG;
		return 0;
	}
	if (is_real(field->type)) {
		bind->buffer_type = MYSQL_TYPE_DOUBLE;
		return 0;
	}
	if (is_time(field->type)) {
		bind->buffer_type = MYSQL_TYPE_DATETIME;
		return 0;
	}
	bind->buffer_type = MYSQL_TYPE_STRING;
	bind->buffer_length = field->max_length + 1;
	return bind->buffer_length;
}

/* The whole result is with us before the first row is read, so the longest text of each column
 * is known and one allocation serves all rows. */
static void bind_result(struct stmt *q)
{
	const my_bool yes = 1;
	MYSQL_RES *meta;
	size_t room = 0, at = 0;

	if (stmt_failed(q) || q->columns_len == 0)
		return;
	mysql_stmt_attr_set(q->handle, STMT_ATTR_UPDATE_MAX_LENGTH, &yes);
	if (mysql_stmt_store_result(q->handle) != 0) {
		stmt_fail_handle(q);
		return;
	}
	meta = mysql_stmt_result_metadata(q->handle);
	if (meta == NULL) {
		err_set(&q->err, ERR_OUT_OF_MEMORY, NULL);
		return;
	}
	for (unsigned i = 0; i < q->columns_len; i++)
		room += bind_column(q, i, mysql_fetch_field_direct(meta, i));
	mysql_free_result(meta);
	free(q->text);
	q->text = malloc(room + 1);
	if (q->text == NULL) {
		err_set(&q->err, ERR_OUT_OF_MEMORY, NULL);
		return;
	}
	for (unsigned i = 0; i < q->columns_len; i++)
		if (q->columns[i].buffer_type == MYSQL_TYPE_STRING) {
			q->columns[i].buffer = q->text + at;
			at += q->columns[i].buffer_length;
		}
	if (mysql_stmt_bind_result(q->handle, q->columns) != 0)
		stmt_fail_handle(q);
}

bool stmt_row(struct stmt *q)
{
	int rc;

	if (!q->executed) {
		execute(q);
		bind_result(q);
	}
	if (stmt_failed(q) || q->columns_len == 0)
		return false;
	rc = mysql_stmt_fetch(q->handle);
	if (rc == 1)
		stmt_fail_handle(q);
	return rc == 0 || rc == MYSQL_DATA_TRUNCATED;
}

uint64_t stmt_exec(struct stmt *q)
{
	if (!q->executed)
		execute(q);
	return stmt_failed(q) ? 0 : mysql_stmt_affected_rows(q->handle);
}

int64_t stmt_insert_id(struct stmt *q)
{
	return stmt_failed(q) ? 0 : (int64_t)mysql_stmt_insert_id(q->handle);
}

enum err_code stmt_end(struct stmt *q, struct err *e)
{
	if (q->executed && q->handle != NULL && q->columns_len > 0)
		mysql_stmt_free_result(q->handle);
	q->open = q->executed = false;
	if (stmt_failed(q))
		*e = q->err;
	return q->err.code;
}

/* ---- columns ------------------------------------------------------------------------------
 */

static bool has(const struct stmt *q, unsigned column)
{
	return !stmt_failed(q) && column < q->columns_len && !q->nulls[column];
}

bool stmt_is_null(struct stmt *q, unsigned column)
{
	return !has(q, column);
}

const char *stmt_get_bytes(struct stmt *q, unsigned column, size_t *len)
{
	*len = 0;
	if (!has(q, column))
		return NULL;
	if (q->columns[column].buffer_type != MYSQL_TYPE_STRING) {
		stmt_fail(q, "not a text column");
		return NULL;
	}
	*len = q->lengths[column];
	return q->columns[column].buffer;
}

const char *stmt_get_str(struct stmt *q, unsigned column)
{
	size_t len;
	const char *text = stmt_get_bytes(q, column, &len);

	if (text != NULL)
		q->text[text - q->text + (ptrdiff_t)len] = '\0';
	return text;
}

int64_t stmt_get_i64(struct stmt *q, unsigned column)
{
	if (!has(q, column))
		return 0;
	switch ((int)q->columns[column].buffer_type) {
	case MYSQL_TYPE_LONGLONG:
		return q->column_cells[column].i64;
	case MYSQL_TYPE_DOUBLE:
		return (int64_t)q->column_cells[column].f64;
	default:
		stmt_fail(q, "not a number column");
		return 0;
	}
}

double stmt_get_f64(struct stmt *q, unsigned column)
{
	if (!has(q, column))
		return 0;
	if (q->columns[column].buffer_type == MYSQL_TYPE_DOUBLE)
		return q->column_cells[column].f64;
	return (double)stmt_get_i64(q, column);
}

int64_t stmt_get_time(struct stmt *q, unsigned column)
{
	const MYSQL_TIME *t;
	struct tm tm;

	if (!has(q, column))
		return 0;
	if (q->columns[column].buffer_type != MYSQL_TYPE_DATETIME) {
		stmt_fail(q, "not a time column");
		return 0;
	}
	t = &q->column_cells[column].time;
	tm = (struct tm){
		.tm_year = (int)t->year - 1900,
		.tm_mon = (int)t->month - 1,
		.tm_mday = (int)t->day,
		.tm_hour = (int)t->hour,
		.tm_min = (int)t->minute,
		.tm_sec = (int)t->second,
	};
	return (int64_t)timegm(&tm) * 1000 + (int64_t)(t->second_part / 1000);
}
