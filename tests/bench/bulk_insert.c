// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* bulk_insert SOCKET DATABASE USER SECONDS - how many rows a second a plain program puts into a
 * table of the shape of `metrics`: one connection, array binding, batches of 1,000, a commit
 * for each. The password is in the environment (BULK_INSERT_PASSWORD). Prints one JSON object.
 *
 * It is what the metrics pipeline is measured against. */
#include "protocol/clock.h"

#include <mysql.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 1000
#define WORKERS 1000
#define COLUMNS 9
#define ID_BYTES 24

static const char sql_table[] = "CREATE OR REPLACE TABLE bulk_insert LIKE metrics";
static const char sql_drop[] = "DROP TABLE bulk_insert";
static const char sql_insert[] =
	"INSERT INTO bulk_insert (worker_id, at, ref, received_at, memory, cpu, rate, "
	"engine_status, extra) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

static struct {
	char ids[BATCH][ID_BYTES];
	char *id[BATCH], *status[BATCH], *extra[BATCH];
	unsigned long id_len[BATCH], status_len[BATCH], extra_len[BATCH];
	MYSQL_TIME times[BATCH], *time[BATCH];
	long long ref[BATCH];
	double number[BATCH];
} rows;

static _Noreturn void die(const char *why)
{
	fprintf(stderr, "bulk_insert: %s\n", why);
	exit(EXIT_FAILURE);
}

static MYSQL *connect_to(char **argv)
{
	MYSQL *db = mysql_init(NULL);

	if (db == NULL || mysql_real_connect(db, NULL, argv[3], getenv("BULK_INSERT_PASSWORD"),
					     argv[2], 0, argv[1], 0) == NULL)
		die(db != NULL ? mysql_error(db) : "out of memory");
	if (mysql_query(db, "SET time_zone = '+00:00'") != 0 ||
	    mysql_query(db, sql_table) != 0 || mysql_autocommit(db, 0) != 0)
		die(mysql_error(db));
	return db;
}

static void prepare_rows(void)
{
	static char status[] = "running", extra[] = "{\"queue\":7}";

	for (int i = 0; i < BATCH; i++) {
		rows.id[i] = rows.ids[i];
		rows.time[i] = &rows.times[i];
		rows.status[i] = status;
		rows.status_len[i] = sizeof(status) - 1;
		rows.extra[i] = extra;
		rows.extra_len[i] = sizeof(extra) - 1;
		rows.number[i] = 512.5;
	}
}

/* A report of each worker, at this moment. */
static void fill_rows(long long batch)
{
	const int64_t now_ms = clock_unix_ms();
	const time_t now = (time_t)(now_ms / 1000);
	struct tm tm;

	gmtime_r(&now, &tm);
	for (int i = 0; i < BATCH; i++) {
		rows.id_len[i] = (unsigned long)snprintf(rows.ids[i], ID_BYTES, "wrk_%016d",
							 i % WORKERS);
		rows.times[i] = (MYSQL_TIME){
			.year = (unsigned)tm.tm_year + 1900,
			.month = (unsigned)tm.tm_mon + 1,
			.day = (unsigned)tm.tm_mday,
			.hour = (unsigned)tm.tm_hour,
			.minute = (unsigned)tm.tm_min,
			.second = (unsigned)tm.tm_sec,
			.second_part = (unsigned long)(now_ms % 1000) * 1000,
			.time_type = MYSQL_TIMESTAMP_DATETIME,
		};
		rows.ref[i] = batch;
	}
}

static void bind(MYSQL_BIND *b, enum enum_field_types type, void *buffer,
		 unsigned long *lengths)
{
	*b = (MYSQL_BIND){.buffer_type = type, .buffer = buffer, .length = lengths};
}

static MYSQL_STMT *prepare(MYSQL *db)
{
	MYSQL_STMT *stmt = mysql_stmt_init(db);
	MYSQL_BIND binds[COLUMNS];
	unsigned n = BATCH;

	if (stmt == NULL || mysql_stmt_prepare(stmt, sql_insert, sizeof(sql_insert) - 1) != 0)
		die(mysql_error(db));
	bind(&binds[0], MYSQL_TYPE_STRING, rows.id, rows.id_len);
	bind(&binds[1], MYSQL_TYPE_DATETIME, rows.time, NULL);
	bind(&binds[2], MYSQL_TYPE_LONGLONG, rows.ref, NULL);
	bind(&binds[3], MYSQL_TYPE_DATETIME, rows.time, NULL);
	for (int i = 4; i < 7; i++)
		bind(&binds[i], MYSQL_TYPE_DOUBLE, rows.number, NULL);
	bind(&binds[7], MYSQL_TYPE_STRING, rows.status, rows.status_len);
	bind(&binds[8], MYSQL_TYPE_STRING, rows.extra, rows.extra_len);
	if (mysql_stmt_attr_set(stmt, STMT_ATTR_ARRAY_SIZE, &n) != 0 ||
	    mysql_stmt_bind_param(stmt, binds) != 0)
		die(mysql_stmt_error(stmt));
	return stmt;
}

int main(int argc, char **argv)
{
	int64_t begin_us, end_us;
	long long batches = 0;
	MYSQL_STMT *stmt;
	MYSQL *db;

	if (argc != 5)
		die("usage: bulk_insert SOCKET DATABASE USER SECONDS");
	db = connect_to(argv);
	prepare_rows();
	stmt = prepare(db);
	begin_us = clock_mono_us();
	end_us = begin_us + (int64_t)(strtod(argv[4], NULL) * 1e6);
	while (clock_mono_us() < end_us) {
		fill_rows(batches++);
		if (mysql_stmt_execute(stmt) != 0 || mysql_commit(db) != 0)
			die(mysql_stmt_error(stmt));
	}
	printf("{\"rows_per_s\":%.1f}\n",
	       (double)(batches * BATCH) * 1e6 / (double)(clock_mono_us() - begin_us));
	mysql_stmt_close(stmt);
	if (mysql_query(db, sql_drop) != 0)
		die(mysql_error(db));
	mysql_close(db);
	return EXIT_SUCCESS;
}
