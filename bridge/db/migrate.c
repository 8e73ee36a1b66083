// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/db/migrate.h"

#include "bridge/db/db_connection.h"
#include "bridge/db/schema.h"
#include "bridge/db/stmt.h"
#include "bridge/workers/epoch.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_S 3600 /* a statement that rewrites a large table */

static const char SQL_LOCK[] = "SELECT GET_LOCK(CONCAT('rollcall_migrate_', DATABASE()), 30)";
static const char SQL_UNLOCK[] = "SELECT RELEASE_LOCK(CONCAT('rollcall_migrate_', DATABASE()))";
static const char SQL_TABLE[] =
	"CREATE TABLE IF NOT EXISTS schema_migrations ("
	" name VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,"
	" checksum CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,"
	" applied_at DATETIME(3) NOT NULL) ENGINE=InnoDB";
static const char SQL_CHECKSUM[] = "SELECT checksum FROM schema_migrations WHERE name = ?";
static const char SQL_APPLIED[] =
	"INSERT INTO schema_migrations (name, checksum, applied_at) VALUES (?, ?, ?)";
static const char SQL_EPOCH[] =
	"INSERT IGNORE INTO directory_state (id, epoch, n) VALUES (1, ?, 0)";

static enum err_code select_one(struct db *db, const char *sql, int64_t *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql);

	*out = stmt_row(q) ? stmt_get_i64(q, 0) : 0;
	return stmt_end(q, e);
}

static void checksum_of(const struct schema_file *file, char hex[65])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, file->sql, file->len);
	sodium_bin2hex(hex, 65, hash, sizeof(hash));
}

/* "" if the file was not applied yet. */
static enum err_code applied_checksum(struct db *db, const char *name, char out[65],
				      struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_CHECKSUM);

	stmt_str(q, name);
	snprintf(out, 65, "%s", stmt_row(q) ? stmt_get_str(q, 0) : "");
	return stmt_end(q, e);
}

static enum err_code note(struct db *db, const char *name, const char *checksum, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_APPLIED);

	stmt_str(q, name);
	stmt_str(q, checksum);
	stmt_time(q, clock_unix_ms());
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code apply(struct db *db, const struct schema_file *file, struct err *e)
{
	char want[65], have[65];

	checksum_of(file, want);
	if (applied_checksum(db, file->name, have, e) != ERR_OK)
		return e->code;
	if (*have != '\0') {
		if (strcmp(have, want) == 0)
			return ERR_OK;
		return err_set(
			e, ERR_INTERNAL,
			"migration %s was changed after it had been applied to this database "
			"(checksum %.8s..., was %.8s...)",
			file->name, want, have);
	}
	log_info("migrate", "applying %s", file->name);
	/* MariaDB commits each DDL statement by itself; what is interrupted here is run again
	 * from the file's first statement, which every file allows. */
	if (db_run(db, (const char *)file->sql, file->len, e) != ERR_OK) {
		struct err cause = *e;

		return err_set(e, cause.code, "migration %s: %s", file->name, cause.msg);
	}
	return note(db, file->name, want, e);
}

static enum err_code make_epoch(struct db *db, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_EPOCH);
	char epoch[EPOCH_TEXT_LEN + 1];

	epoch_new(epoch);
	stmt_str(q, epoch);
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code apply_all(struct db *db, struct err *e)
{
	if (db_run(db, SQL_TABLE, strlen(SQL_TABLE), e) != ERR_OK)
		return e->code;
	for (size_t i = 0; i < schema_files_len; i++)
		if (apply(db, &schema_files[i], e) != ERR_OK)
			return e->code;
	return make_epoch(db, e);
}

static enum err_code migrate_on(struct db *db, struct err *e)
{
	struct err ignored;
	int64_t got;

	if (db_ensure(db, e) != ERR_OK || db_allow_many_statements(db, e) != ERR_OK ||
	    select_one(db, SQL_LOCK, &got, e) != ERR_OK)
		return e->code;
	if (got != 1)
		return err_set(e, ERR_DATABASE_UNAVAILABLE,
			       "another bridge is migrating the database");
	apply_all(db, e);
	if (select_one(db, SQL_UNLOCK, &got, &ignored) != ERR_OK)
		log_debug("migrate", "%s",
			  ignored.msg); /* closing the connection unlocks, too */
	return e->code;
}

enum err_code migrate(const struct config *config, struct err *e)
{
	struct db *db = db_open_patient(config, PATIENCE_S, e);

	if (db == NULL)
		return e->code;
	e->code = ERR_OK;
	migrate_on(db, e);
	db_close(db);
	return e->code;
}
