// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* db_connection.h - the inside of a connection, for db.c, stmt.c and migrate.c alone. */
#pragma once

#include "bridge/db/db.h"
#include "protocol/htab.h"

#include <mysql.h>

struct stmt;

struct db {
	const struct config *config;
	MYSQL *mysql;        /* NULL: not connected */
	struct htab stmts;   /* struct stmt, by the address of their SQL */
	struct stmt *spare;  /* what stmt_begin() hands out when memory is short */
	unsigned patience_s; /* for one statement's answer */
	bool broken;         /* what is open must not be used any more */
	bool again; /* the last failure was a deadlock or the like: the transaction may be rerun
		     */
};

/* A connection whose statements may take as long as patience_s (migrations). */
struct db *db_open_patient(const struct config *config, unsigned patience_s,
			   struct err *e) MUST_CHECK;

/* For db_run(): a file of statements. Off on other connections, where it would only make an
 * injection worse. */
enum err_code db_allow_many_statements(struct db *db, struct err *e) MUST_CHECK;

/* Translates an error of the connector, and notes what it means for the connection. */
enum err_code db_failed(struct db *db, unsigned number, const char *text, struct err *e);

void db_count_statement(void);
struct stmt *stmt_new(struct db *db, const char *sql); /* NULL: out of memory */
void stmt_free(struct stmt *q); /* closes the prepared statement; NULL is fine */
