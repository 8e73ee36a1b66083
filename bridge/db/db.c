// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* One connection: open, notice that it broke, transactions. The pool is in db_pool.c. */
#include "bridge/db/db.h"

#include "bridge/base/config.h"
#include "bridge/db/db_connection.h"
#include "protocol/log.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_S 2
#define PATIENCE_S 5
#define TRANSACTION_TRIES 3

/* Names that older or newer headers of the connector lack. */
#define SERVER_CHECKREAD 1020 /* the row changed under our snapshot (MariaDB 11.6 on) */
#define SERVER_SHUTDOWN 1053
#define SERVER_READ_ONLY 1290
#define SERVER_READ_ONLY_TRX 1792
#define SERVER_CONNECTION_KILLED 1927
#define SERVER_WSREP_NOT_READY 1047
#define SERVER_STATEMENT_TIMEOUT 1969 /* max_statement_time */

static atomic_uint_fast64_t statements;

uint64_t db_statements(void)
{
	return atomic_load_explicit(&statements, memory_order_relaxed);
}

void db_count_statement(void)
{
	atomic_fetch_add_explicit(&statements, 1, memory_order_relaxed);
}

static uint64_t hash_stmt(const void *item)
{
	/* A statement's first member is the address of its SQL. */
	return htab_hash_ptr(*(const char *const *)item);
}

struct db *db_open_patient(const struct config *config, unsigned patience_s, struct err *e)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	db->config = config;
	db->patience_s = patience_s;
	htab_init(&db->stmts, hash_stmt);
	db->spare = stmt_new(db, "");
	if (db->spare == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		free(db);
		return NULL;
	}
	return db;
}

struct db *db_open(const struct config *config, struct err *e)
{
	return db_open_patient(config, PATIENCE_S, e);
}

static void disconnect(struct db *db)
{
	size_t pos = 0;
	struct stmt *q;

	while ((q = htab_next(&db->stmts, &pos)) != NULL)
		stmt_free(q);
	htab_fini(&db->stmts);
	if (db->mysql != NULL)
		mysql_close(db->mysql);
	db->mysql = NULL;
	db->broken = false;
}

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	disconnect(db);
	stmt_free(db->spare);
	free(db);
}

static bool is_away(unsigned number)
{
	switch (number) {
	case ER_CON_COUNT_ERROR:
	case ER_OUT_OF_RESOURCES:
	case ER_BAD_HOST_ERROR:
	case ER_HANDSHAKE_ERROR:
	case SERVER_SHUTDOWN:
	case SERVER_CONNECTION_KILLED:
	case SERVER_WSREP_NOT_READY:
		return true;
	default:
		/* The connector's own errors: no connection, or it was lost. */
		return number >= CR_MIN_ERROR && number <= CR_MAX_ERROR;
	}
}

/* Not the fault of what was asked: a full disk, a table that is away while a backup is put
 * back, a statement that somebody ended. In a while it may go well, so nothing is to be given
 * up. */
static bool is_trouble(unsigned number)
{
	switch (number) {
	case ER_DISK_FULL:
	case ER_ERROR_ON_WRITE:
	case ER_GET_ERRNO:
	case ER_NO_SUCH_TABLE:
	case ER_RECORD_FILE_FULL:
	case ER_LOCK_TABLE_FULL:
	case ER_QUERY_INTERRUPTED:
	case ER_TABLE_DEF_CHANGED:
	case SERVER_STATEMENT_TIMEOUT:
		return true;
	default:
		return false;
	}
}

enum err_code db_failed(struct db *db, unsigned number, const char *text, struct err *e)
{
	if (is_away(number)) {
		db->broken = true;
		return err_set(e, ERR_DATABASE_UNAVAILABLE,
			       "the database cannot be reached: %.120s", text);
	}
	if (is_trouble(number))
		return err_set(e, ERR_DATABASE_UNAVAILABLE, "database error %u: %.140s", number,
			       text);
	switch (number) {
	case SERVER_READ_ONLY:
	case SERVER_READ_ONLY_TRX:
		return err_set(e, ERR_DATABASE_UNAVAILABLE, "the database is read-only");
	case ER_LOCK_DEADLOCK:
	case ER_LOCK_WAIT_TIMEOUT:
	case SERVER_CHECKREAD:
		db->again = true;
		return err_set(e, ERR_DATABASE_UNAVAILABLE, "the database is too busy: %.120s",
			       text);
	case ER_DUP_ENTRY:
		return err_set(e, ERR_CONFLICT, NULL);
	case ER_NO_REFERENCED_ROW_2:
		return err_set(e, ERR_NOT_FOUND, "what it refers to does not exist");
	default:
		return err_set(e, ERR_INTERNAL, "database error %u: %.140s", number, text);
	}
}

static enum err_code failed(struct db *db, struct err *e)
{
	return db_failed(db, mysql_errno(db->mysql), mysql_error(db->mysql), e);
}

/* Strict, so that what does not fit is an error instead of something else; UTC, because every
 * time that we store is. */
static const char session[] =
	"SET time_zone = '+00:00', innodb_lock_wait_timeout = 3, "
	"sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'";

/* Over TCP, and where a CA is given: encrypted or not at all, with the server's name checked.
 */
static void use_tls(struct db *db)
{
	const struct config *c = db->config;
	const my_bool yes = 1;

	if (*c->db_tls_ca == '\0' || *c->db_socket != '\0')
		return;
	mysql_options(db->mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
	mysql_options(db->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
	mysql_options(db->mysql, MYSQL_OPT_SSL_CA, c->db_tls_ca);
	if (*c->db_tls_cert != '\0') {
		mysql_options(db->mysql, MYSQL_OPT_SSL_CERT, c->db_tls_cert);
		mysql_options(db->mysql, MYSQL_OPT_SSL_KEY, c->db_tls_key);
	}
}

static enum err_code connect_now(struct db *db, struct err *e)
{
	const struct config *c = db->config;
	const bool local = *c->db_socket != '\0';
	const unsigned connect_s = CONNECT_TIMEOUT_S;

	db->mysql = mysql_init(NULL);
	if (db->mysql == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	mysql_options(db->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	mysql_options(db->mysql, MYSQL_OPT_READ_TIMEOUT, &db->patience_s);
	mysql_options(db->mysql, MYSQL_OPT_WRITE_TIMEOUT, &db->patience_s);
	mysql_options(db->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(db->mysql, MYSQL_INIT_COMMAND, session);
	use_tls(db);
	if (mysql_real_connect(db->mysql, local ? NULL : c->db_host, c->db_user, c->db_password,
			       c->db_name, local ? 0 : (unsigned)c->db_port,
			       local ? c->db_socket : NULL, 0) != NULL)
		return ERR_OK;
	/* Whatever the reason (wrong password and unknown database included), it may be another
	 * one in a second: a peer that is not as it should be is a peer that is away. */
	err_set(e, ERR_DATABASE_UNAVAILABLE, "cannot connect to the database: %.140s",
		mysql_error(db->mysql));
	disconnect(db);
	return e->code;
}

/* A server that went away has closed its end: that shows without asking it anything. */
static bool is_dead(const struct db *db)
{
	struct pollfd p = {.fd = mysql_get_socket(db->mysql), .events = POLLIN};

	return poll(&p, 1, 0) != 0;
}

enum err_code db_ensure(struct db *db, struct err *e)
{
	if (db->mysql != NULL && (db->broken || is_dead(db)))
		disconnect(db);
	return db->mysql != NULL ? ERR_OK : connect_now(db, e);
}

static enum err_code drop_results(struct db *db, struct err *e)
{
	int more;

	do {
		MYSQL_RES *result = mysql_store_result(db->mysql);

		if (result != NULL)
			mysql_free_result(result);
		more = mysql_next_result(db->mysql);
	} while (more == 0);
	return more > 0 ? failed(db, e) : ERR_OK;
}

enum err_code db_run(struct db *db, const char *sql, size_t len, struct err *e)
{
	db_count_statement();
	if (mysql_real_query(db->mysql, sql, len) != 0)
		return failed(db, e);
	return drop_results(db, e);
}

enum err_code db_allow_many_statements(struct db *db, struct err *e)
{
	if (mysql_set_server_option(db->mysql, MYSQL_OPTION_MULTI_STATEMENTS_ON) != 0)
		return failed(db, e);
	return ERR_OK;
}

static enum err_code run(struct db *db, const char *sql, struct err *e)
{
	return db_run(db, sql, strlen(sql), e);
}

static void roll_back(struct db *db)
{
	struct err ignored;

	/* Where even that fails, closing the connection rolls back. */
	if (!db->broken && run(db, "ROLLBACK", &ignored) != ERR_OK)
		db->broken = true;
}

static enum err_code commit(struct db *db, struct err *e)
{
	if (run(db, "COMMIT", e) != ERR_OK && db->broken)
		err_set(e, ERR_DATABASE_UNAVAILABLE,
			"the database went away during the change: whether it was made is not "
			"known");
	return e->code;
}

static enum err_code transaction_once(struct db *db, db_work_f work, void *arg, struct err *e)
{
	e->code = ERR_OK;
	db->again = false;
	if (db_ensure(db, e) != ERR_OK || run(db, "START TRANSACTION", e) != ERR_OK)
		return e->code;
	if (work(db, arg, e) == ERR_OK && commit(db, e) == ERR_OK)
		return ERR_OK;
	roll_back(db);
	return e->code;
}

enum err_code db_transaction(struct db *db, db_work_f work, void *arg, struct err *e)
{
	for (int try = 0; try < TRANSACTION_TRIES; try++) {
		transaction_once(db, work, arg, e);
		if (e->code == ERR_OK || !db->again)
			break;
		log_debug("db", "transaction again: %s", e->msg);
	}
	return e->code;
}
