// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_worker.h"

#include "bridge/db/stmt.h"
#include "protocol/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The tags come as one text: they contain no comma. */
/* The index is forced: right after a bulk import MariaDB's statistics are stale, and 11.8 then
 * walks all current tokens for each worker, 10,000 times 10,000 rows. */
#define SELECT_WORKERS                                                                         \
	"SELECT w.id, w.name, w.status, w.revision, w.created_at, w.renewal_failure_reason, "  \
	"w.renewal_failure_at, t.expires_at, "                                                 \
	"(SELECT GROUP_CONCAT(g.tag ORDER BY g.position) FROM worker_tags g WHERE "            \
	"g.worker_id = w.id), "                                                                \
	"m.received_at, m.memory, m.cpu, m.rate, m.extra, m.last_engine_status, "              \
	"m.last_engine_status_at, w.desired_engine_status, w.desired_at "                      \
	"FROM workers w "                                                                      \
	"LEFT JOIN tokens t FORCE INDEX (tokens_by_worker) "                                   \
	"ON t.worker_id = w.id AND t.role = 'current' "                                        \
	"LEFT JOIN metrics_latest m ON m.worker_id = w.id "

static const char SQL_STATE[] = "SELECT epoch, n FROM directory_state";
static const char SQL_ALL[] = SELECT_WORKERS "ORDER BY w.created_at, w.id";
static const char SQL_GET[] = SELECT_WORKERS "WHERE w.id = ?";
static const char SQL_SINCE[] = SELECT_WORKERS "WHERE w.revision > ?"; /* workers_by_revision */
static const char SQL_REMOVED_SINCE[] = /* worker_tombstones_by_revision */
	"SELECT id, revision FROM worker_tombstones WHERE revision > ?";
static const char SQL_NEXT[] = "UPDATE directory_state SET n = LAST_INSERT_ID(n + 1)";
static const char SQL_ADD[] = "INSERT INTO workers (id, name, status, revision, created_at) "
			      "VALUES (?, ?, 'active', ?, ?)";
static const char SQL_FORGET_TOMBSTONE[] = "DELETE FROM worker_tombstones WHERE id = ?";
static const char SQL_RENAME[] =
	"UPDATE workers SET name = COALESCE(?, name), revision = ? WHERE id = ?";
static const char SQL_CLEAR_TAGS[] = "DELETE FROM worker_tags WHERE worker_id = ?";
static const char SQL_ADD_TAG[] =
	"INSERT INTO worker_tags (worker_id, position, tag) VALUES (?, ?, ?)";
static const char SQL_STATUS[] = "UPDATE workers SET status = ?, renewal_failure_reason = "
				 "NULL, renewal_failure_at = NULL, "
				 "revision = ? WHERE id = ?";
static const char SQL_DELETE[] = "DELETE FROM workers WHERE id = ?";
static const char SQL_DELETE_LATEST[] = "DELETE FROM metrics_latest WHERE worker_id = ?";
static const char SQL_TOMBSTONE[] =
	"INSERT INTO worker_tombstones (id, revision, deleted_at) VALUES (?, ?, ?) "
	"ON DUPLICATE KEY UPDATE revision = VALUES(revision), deleted_at = VALUES(deleted_at)";

void worker_rows_fini(struct worker_rows *rows)
{
	for (size_t i = 0; i < rows->records_len; i++)
		record_free(rows->records[i]);
	free(rows->records);
	free(rows->removed);
	memset(rows, 0, sizeof(*rows));
}

/* Room for one more element; NULL (and the array unchanged) when memory is short. */
static void *grow(void *array, size_t len, size_t *cap, size_t size)
{
	const size_t more = *cap == 0 ? 16 : *cap * 2;
	void *bigger;

	if (len < *cap)
		return array;
	bigger = realloc(array, more * size);
	if (bigger != NULL)
		*cap = more;
	return bigger;
}

static enum worker_status status_of(const char *text)
{
	if (strcmp(text, "revoked") == 0)
		return WORKER_REVOKED;
	return strcmp(text, "update_required") == 0 ? WORKER_UPDATE_REQUIRED : WORKER_ACTIVE;
}

/* NULL stays NULL; *failed is set when memory is short. */
static char *copy(const char *text, bool *failed)
{
	char *made = text != NULL ? strdup(text) : NULL;

	*failed = *failed || (text != NULL && made == NULL);
	return made;
}

static bool split_tags(const char *text, struct record *r)
{
	bool failed = false;

	while (text != NULL && *text != '\0' && r->tags_len < WORKER_TAGS_MAX) {
		const size_t len = strcspn(text, ",");
		char *tag = strndup(text, len);

		if (r->tags == NULL)
			r->tags = calloc(WORKER_TAGS_MAX, sizeof(*r->tags));
		failed = failed || tag == NULL || r->tags == NULL;
		if (failed) {
			free(tag);
			break;
		}
		r->tags[r->tags_len++] = tag;
		text += len + (text[len] == ',' ? 1 : 0);
	}
	return !failed;
}

static double number_or_nan(struct stmt *q, unsigned column)
{
	return stmt_is_null(q, column) ? NAN : stmt_get_f64(q, column);
}

static void read_latest(struct stmt *q, struct metric_latest *m, bool *failed)
{
	const char *engine = stmt_get_str(q, 14);

	m->received_ms = stmt_get_time(q, 9);
	m->memory = number_or_nan(q, 10);
	m->cpu = number_or_nan(q, 11);
	m->rate = number_or_nan(q, 12);
	m->json = copy(stmt_get_str(q, 13), failed);
	if (engine != NULL) {
		snprintf(m->engine_status, sizeof(m->engine_status), "%s", engine);
		m->engine_status_ms = stmt_get_time(q, 15);
	}
}

static struct record *read_record(struct stmt *q)
{
	struct record *r = calloc(1, sizeof(*r));
	bool failed = false;

	if (r == NULL)
		return NULL;
	snprintf(r->id.text, sizeof(r->id.text), "%s", stmt_get_str(q, 0));
	r->name = copy(stmt_get_str(q, 1), &failed);
	r->status = status_of(stmt_get_str(q, 2));
	r->revision = stmt_get_i64(q, 3);
	r->created_ms = stmt_get_time(q, 4);
	r->renewal_failure_reason = copy(stmt_get_str(q, 5), &failed);
	r->renewal_failure_ms = stmt_get_time(q, 6);
	r->token_expires_ms = stmt_get_time(q, 7);
	failed = failed || !split_tags(stmt_get_str(q, 8), r);
	read_latest(q, &r->latest, &failed);
	r->desired = engine_wish(stmt_get_str(q, 16));
	r->desired_ms = stmt_get_time(q, 17);
	if (failed) {
		record_free(r);
		return NULL;
	}
	return r;
}

static enum err_code read_records(struct stmt *q, struct worker_rows *out, struct err *e)
{
	bool room = true;

	while (room && stmt_row(q)) {
		struct record **records = grow(out->records, out->records_len,
					       &out->records_cap, sizeof(*out->records));
		struct record *r = NULL;

		if (records != NULL) {
			out->records = records;
			r = read_record(q);
		}
		room = r != NULL;
		if (room)
			out->records[out->records_len++] = r;
	}
	if (stmt_end(q, e) == ERR_OK && !room)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return e->code;
}

static enum err_code read_removed(struct stmt *q, struct worker_rows *out, struct err *e)
{
	bool room = true;

	while (room && stmt_row(q)) {
		struct removed_worker *removed = grow(out->removed, out->removed_len,
						      &out->removed_cap, sizeof(*out->removed));

		room = removed != NULL;
		if (!room)
			break;
		out->removed = removed;
		removed += out->removed_len++;
		snprintf(removed->id.text, sizeof(removed->id.text), "%s", stmt_get_str(q, 0));
		removed->revision = stmt_get_i64(q, 1);
	}
	if (stmt_end(q, e) == ERR_OK && !room)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return e->code;
}

enum err_code store_worker_state(struct db *db, struct worker_rows *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_STATE);

	if (stmt_row(q)) {
		snprintf(out->epoch, sizeof(out->epoch), "%s", stmt_get_str(q, 0));
		out->n = stmt_get_i64(q, 1);
	}
	return stmt_end(q, e);
}

enum err_code store_worker_all(struct db *db, struct worker_rows *out, struct err *e)
{
	worker_rows_fini(out);
	if (store_worker_state(db, out, e) != ERR_OK)
		return e->code;
	return read_records(stmt_begin(db, SQL_ALL), out, e);
}

enum err_code store_worker_since(struct db *db, int64_t n, struct worker_rows *out,
				 struct err *e)
{
	struct stmt *q;

	worker_rows_fini(out);
	if (store_worker_state(db, out, e) != ERR_OK)
		return e->code;
	q = stmt_begin(db, SQL_SINCE);
	stmt_i64(q, n);
	if (read_records(q, out, e) != ERR_OK)
		return e->code;
	q = stmt_begin(db, SQL_REMOVED_SINCE);
	stmt_i64(q, n);
	return read_removed(q, out, e);
}

enum err_code store_worker_get(struct db *db, const struct worker_id *id, struct record **out,
			       struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_GET);
	bool found;

	*out = NULL;
	stmt_str(q, id->text);
	found = stmt_row(q);
	if (found)
		*out = read_record(q);
	if (stmt_end(q, e) != ERR_OK) {
		record_free(*out);
		*out = NULL;
	} else if (!found) {
		err_set(e, ERR_WORKER_NOT_FOUND, NULL);
	} else if (*out == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	return e->code;
}

enum err_code store_revision_next(struct db *db, int64_t *n, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_NEXT);

	stmt_exec(q);
	*n = stmt_insert_id(q);
	return stmt_end(q, e);
}

/* Ends a change of the worker's row, which has to be there. */
static enum err_code end_change(struct stmt *q, struct err *e)
{
	const uint64_t rows = stmt_exec(q);

	if (stmt_end(q, e) == ERR_OK && rows == 0)
		err_set(e, ERR_WORKER_NOT_FOUND, NULL);
	return e->code;
}

/* One that names the worker and nothing else, and may change nothing. */
static enum err_code exec_id(struct db *db, const char *sql, const struct worker_id *id,
			     struct err *e)
{
	struct stmt *q = stmt_begin(db, sql);

	stmt_str(q, id->text);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_worker_add(struct db *db, const struct worker_id *id, const char *name,
			       int64_t created_ms, int64_t n, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_ADD);

	stmt_str(q, id->text);
	stmt_str(q, name);
	stmt_i64(q, n);
	stmt_time(q, created_ms);
	stmt_exec(q);
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	return exec_id(db, SQL_FORGET_TOMBSTONE, id, e);
}

enum err_code store_worker_rename(struct db *db, const struct worker_id *id, const char *name,
				  int64_t n, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_RENAME);

	stmt_str(q, name);
	stmt_i64(q, n);
	stmt_str(q, id->text);
	return end_change(q, e);
}

enum err_code store_worker_set_tags(struct db *db, const struct worker_id *id,
				    char *const tags[], size_t len, struct err *e)
{
	if (exec_id(db, SQL_CLEAR_TAGS, id, e) != ERR_OK)
		return e->code;
	for (size_t i = 0; i < len; i++) {
		struct stmt *q = stmt_begin(db, SQL_ADD_TAG);

		stmt_str(q, id->text);
		stmt_i64(q, (int64_t)i);
		stmt_str(q, tags[i]);
		stmt_exec(q);
		if (stmt_end(q, e) != ERR_OK)
			return e->code;
	}
	return ERR_OK;
}

enum err_code store_worker_set_status(struct db *db, const struct worker_id *id,
				      enum worker_status status, int64_t n, struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_STATUS);

	stmt_str(q, worker_status_name(status));
	stmt_i64(q, n);
	stmt_str(q, id->text);
	return end_change(q, e);
}

enum err_code store_worker_delete(struct db *db, const struct worker_id *id, int64_t n,
				  struct err *e)
{
	struct stmt *q = stmt_begin(db, SQL_DELETE); /* tags and tokens go with it */

	stmt_str(q, id->text);
	if (end_change(q, e) != ERR_OK || exec_id(db, SQL_DELETE_LATEST, id, e) != ERR_OK)
		return e->code;
	q = stmt_begin(db, SQL_TOMBSTONE);
	stmt_str(q, id->text);
	stmt_i64(q, n);
	stmt_time(q, clock_unix_ms());
	stmt_exec(q);
	return stmt_end(q, e);
}
