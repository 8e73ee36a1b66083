// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/db/stmt_bulk.h"

#include "bridge/db/stmt_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A column is an array of values, as the connector wants it: texts and times by pointer,
 * numbers one behind the other. */
struct bulk_column {
	enum bulk_type type;
	union {
		const char **text;
		MYSQL_TIME **time;
		long long *i64;
		double *f64;
		void *any;
	} values;
	unsigned long *lengths; /* of texts */
	MYSQL_TIME *times;      /* what values.time points to */
	char *indicators;
};

struct bulk {
	unsigned columns_len, rows_max;
	unsigned row, column; /* where the next value goes */
	struct bulk_column columns[STMT_MAX_PARAMS];
	int64_t second; /* the last time that was broken down */
	MYSQL_TIME broken_down;
};

static bool column_init(struct bulk_column *c, enum bulk_type type, unsigned rows)
{
	*c = (struct bulk_column){.type = type};
	c->values.any = calloc(rows, sizeof(c->values.i64[0]));
	c->indicators = calloc(rows, 1);
	if (c->values.any == NULL || c->indicators == NULL)
		return false;
	if (type == BULK_TEXT) {
		c->lengths = calloc(rows, sizeof(c->lengths[0]));
		return c->lengths != NULL;
	}
	if (type != BULK_TIME)
		return true;
	c->times = calloc(rows, sizeof(c->times[0]));
	for (unsigned i = 0; c->times != NULL && i < rows; i++)
		c->values.time[i] = &c->times[i];
	return c->times != NULL;
}

struct bulk *bulk_new(const enum bulk_type *types, unsigned columns, unsigned rows_max)
{
	struct bulk *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->rows_max = rows_max;
	b->second = -1;
	for (; b->columns_len < columns; b->columns_len++)
		if (!column_init(&b->columns[b->columns_len], types[b->columns_len],
				 rows_max)) {
			b->columns_len++; /* half made, and to be freed */
			bulk_free(b);
			return NULL;
		}
	return b;
}

void bulk_free(struct bulk *b)
{
	if (b == NULL)
		return;
	for (unsigned i = 0; i < b->columns_len; i++) {
		free(b->columns[i].values.any);
		free(b->columns[i].lengths);
		free(b->columns[i].times);
		free(b->columns[i].indicators);
	}
	free(b);
}

void bulk_reset(struct bulk *b)
{
	b->row = b->column = 0;
}

unsigned bulk_rows(const struct bulk *b)
{
	return b->row;
}

/* The column that the next value belongs to, and its row; NULL when there is no room. */
static struct bulk_column *next_cell(struct bulk *b, unsigned *row, bool null)
{
	struct bulk_column *c = &b->columns[b->column];

	if (b->row == b->rows_max)
		return NULL;
	*row = b->row;
	c->indicators[b->row] = null ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
	if (++b->column == b->columns_len) {
		b->column = 0;
		b->row++;
	}
	return c;
}

void bulk_text(struct bulk *b, const char *value, size_t len)
{
	unsigned row;
	struct bulk_column *c = next_cell(b, &row, value == NULL);

	if (c == NULL)
		return;
	c->values.text[row] = value != NULL ? value : "";
	c->lengths[row] = value != NULL ? len : 0;
}

void bulk_str(struct bulk *b, const char *value)
{
	bulk_text(b, value, value != NULL ? strlen(value) : 0);
}

void bulk_i64(struct bulk *b, int64_t value)
{
	unsigned row;
	struct bulk_column *c = next_cell(b, &row, false);

	if (c != NULL)
		c->values.i64[row] = value;
}

void bulk_f64(struct bulk *b, double value)
{
	unsigned row;
	struct bulk_column *c = next_cell(b, &row, isnan(value));

	if (c != NULL)
		c->values.f64[row] = value;
}

void bulk_time(struct bulk *b, int64_t unix_ms)
{
	unsigned row;
	struct bulk_column *c = next_cell(b, &row, false);

	if (c == NULL)
		return;
	if (unix_ms / 1000 != b->second) { /* neighbours mostly are of the same second */
		b->second = unix_ms / 1000;
		stmt_time_of(unix_ms, &b->broken_down);
	}
	c->times[row] = b->broken_down;
	c->times[row].second_part = (unsigned long)(unix_ms % 1000) * 1000;
}

void bulk_null(struct bulk *b)
{
	unsigned row;
	struct bulk_column *c = next_cell(b, &row, true);

	if (c != NULL && c->type == BULK_TEXT) {
		c->values.text[row] = "";
		c->lengths[row] = 0;
	}
}

static void bind_column(const struct bulk_column *c, MYSQL_BIND *bind)
{
	static const enum enum_field_types types[] = {
		[BULK_TEXT] = MYSQL_TYPE_STRING,
		[BULK_I64] = MYSQL_TYPE_LONGLONG,
		[BULK_F64] = MYSQL_TYPE_DOUBLE,
		[BULK_TIME] = MYSQL_TYPE_DATETIME,
	};

	*bind = (MYSQL_BIND){
		.buffer_type = types[c->type], .buffer = c->values.any, .length = c->lengths};
	bind->u.indicator = c->indicators;
}

void stmt_bulk(struct stmt *q, struct bulk *b)
{
	unsigned rows = b->row;

	if (!stmt_failed(q) && b->columns_len != q->params_want)
		stmt_fail(q, "values and parameters differ in number");
	if (stmt_failed(q) || rows == 0)
		return;
	for (unsigned i = 0; i < b->columns_len; i++)
		bind_column(&b->columns[i], &q->params[i]);
	q->executed = true;
	db_count_statement();
	if (mysql_stmt_attr_set(q->handle, STMT_ATTR_ARRAY_SIZE, &rows) != 0 ||
	    mysql_stmt_bind_param(q->handle, q->params) != 0 ||
	    mysql_stmt_execute(q->handle) != 0)
		stmt_fail_handle(q);
}
