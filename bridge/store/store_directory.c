// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_directory.h"

#include "bridge/db/stmt.h"
#include "bridge/store/store_audit.h"
#include "bridge/workers/epoch.h"
#include "protocol/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sql_state[] = "SELECT epoch, n FROM directory_state WHERE id = 1";
static const char sql_state_locked[] =
	"SELECT epoch, n FROM directory_state WHERE id = 1 FOR UPDATE";

/* Both in order of an index of theirs, so that they are merged while they are read. */
static const char sql_workers[] = "SELECT id, status, revision FROM workers ORDER BY id";
static const char sql_tokens[] =
	"SELECT worker_id, hash, role, expires_at FROM tokens"
	" WHERE role IN ('current', 'pending', 'previous') ORDER BY worker_id";

static const char sql_worker[] = "SELECT id, status, revision FROM workers WHERE id = ?";
static const char sql_worker_tokens[] =
	"SELECT worker_id, hash, role, expires_at FROM tokens"
	" WHERE worker_id = ? AND role IN ('current', 'pending', 'previous')";
static const char sql_tombstone[] = "SELECT revision FROM worker_tombstones WHERE id = ?";

static const char sql_tombstones[] =
	"SELECT id, revision FROM worker_tombstones WHERE id > ? ORDER BY id LIMIT ?";

static const char sql_delete[] = "DELETE FROM workers WHERE id = ?";
static const char sql_bury[] =
	"REPLACE INTO worker_tombstones (id, revision, deleted_at) VALUES (?, ?, ?)";
static const char sql_unbury[] = "DELETE FROM worker_tombstones WHERE id = ?";
/* A worker that was made after the backup has no name any more but its id. */
static const char sql_put_worker[] =
	"INSERT INTO workers (id, name, status, revision, created_at) VALUES (?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE status = VALUES(status), revision = VALUES(revision)";
static const char sql_end_tokens[] = "UPDATE tokens SET role = 'ended', ended_at = ? WHERE "
				     "worker_id = ? AND role <> 'ended'";
static const char sql_put_token[] =
	"INSERT INTO tokens (worker_id, hash, role, created_at, expires_at) VALUES (?, ?, ?, "
	"?, ?)"
	" ON DUPLICATE KEY UPDATE role = VALUES(role), expires_at = VALUES(expires_at),"
	" ended_at = NULL";
static const char sql_new_epoch[] = "UPDATE directory_state SET epoch = ?, n = ? WHERE id = 1";

void directory_snapshot_fini(struct directory_snapshot *s)
{
	free(s->entries);
	*s = (struct directory_snapshot){0};
}

/* ---- reading ----------------------------------------------------------------------------- */

static enum err_code read_state(struct db *db, const char *sql, struct directory_state *out,
				struct err *e)
{
	struct stmt *q = stmt_begin(db, sql);
	bool found = stmt_row(q);

	if (found) {
		snprintf(out->epoch, sizeof(out->epoch), "%s", stmt_get_str(q, 0));
		out->n = stmt_get_i64(q, 1);
	}
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	/* Not yet, or not any more: either way nothing can be said about the directory now. */
	return found ? ERR_OK
		     : err_set(e, ERR_DATABASE_UNAVAILABLE, "it has no directory state");
}

enum err_code store_directory_state(struct db *db, struct directory_state *out, struct err *e)
{
	return read_state(db, sql_state, out, e);
}

static struct directory_entry *add_entry(struct directory_snapshot *s, struct err *e)
{
	struct directory_entry *grown;
	size_t cap = s->cap > 0 ? s->cap * 2 : 256;

	if (s->len == s->cap) {
		grown = reallocarray(s->entries, cap, sizeof(*grown));
		if (grown == NULL) {
			err_set(e, ERR_OUT_OF_MEMORY, NULL);
			return NULL;
		}
		s->entries = grown;
		s->cap = cap;
	}
	s->entries[s->len] = (struct directory_entry){0};
	return &s->entries[s->len++];
}

/* An id that no worker can log in with (an older database may hold such) is left out. */
static bool read_worker(struct stmt *q, struct directory_entry *out)
{
	const char *id = stmt_get_str(q, 0), *status = stmt_get_str(q, 1);

	out->n = stmt_get_i64(q, 2);
	return id != NULL && worker_id_parse(id, strlen(id), &out->worker) && status != NULL &&
	       worker_status_parse(status, &out->status);
}

static void read_token(struct stmt *q, struct directory_entry *out)
{
	struct directory_token *token = &out->tokens[out->tokens_len];
	const char *role = stmt_get_str(q, 2);

	if (out->tokens_len == DIRECTORY_TOKENS_MAX || role == NULL ||
	    !token_role_parse(role, &token->role))
		return;
	snprintf(token->hash, sizeof(token->hash), "%s", stmt_get_str(q, 1));
	token->expires_ms = stmt_get_time(q, 3);
	out->tokens_len++;
}

static enum err_code read_workers(struct db *db, struct directory_snapshot *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_workers);
	struct err full = {0};

	while (full.code == ERR_OK && stmt_row(q)) {
		struct directory_entry *entry = add_entry(out, &full);

		if (entry != NULL && !read_worker(q, entry))
			out->len--;
	}
	if (stmt_end(q, e) == ERR_OK && full.code != ERR_OK)
		*e = full;
	return e->code;
}

static enum err_code read_tokens(struct db *db, struct directory_snapshot *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_tokens);
	size_t i = 0;

	while (stmt_row(q)) {
		const char *id = stmt_get_str(q, 0);

		while (i < out->len && strcmp(out->entries[i].worker.text, id) < 0)
			i++;
		if (i < out->len && strcmp(out->entries[i].worker.text, id) == 0)
			read_token(q, &out->entries[i]);
	}
	return stmt_end(q, e);
}

enum err_code store_directory_read(struct db *db, struct directory_snapshot *out, struct err *e)
{
	out->len = 0;
	if (read_state(db, sql_state, &out->state, e) == ERR_OK &&
	    read_workers(db, out, e) == ERR_OK)
		read_tokens(db, out, e);
	return e->code;
}

static enum err_code read_tombstone(struct db *db, const struct directory_state *state,
				    struct directory_entry *entry, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_tombstone);

	stmt_str(q, entry->worker.text);
	entry->deleted = true;
	/* Without a tombstone it never was: whatever the plugin has is older than now. */
	entry->n = stmt_row(q) ? stmt_get_i64(q, 0) : state->n;
	return stmt_end(q, e);
}

enum err_code store_directory_entry(struct db *db, const struct worker_id *id,
				    struct directory_entry *entry,
				    struct directory_state *state, struct err *e)
{
	struct stmt *q;
	bool found;

	*entry = (struct directory_entry){.worker = *id};
	if (read_state(db, sql_state, state, e) != ERR_OK)
		return e->code;
	q = stmt_begin(db, sql_worker);
	stmt_str(q, id->text);
	found = stmt_row(q) && read_worker(q, entry);
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	if (!found)
		return read_tombstone(db, state, entry, e);
	q = stmt_begin(db, sql_worker_tokens);
	stmt_str(q, id->text);
	while (stmt_row(q))
		read_token(q, entry);
	return stmt_end(q, e);
}

enum err_code store_directory_tombstones(struct db *db, const struct worker_id *after,
					 size_t limit, struct directory_snapshot *out,
					 struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_tombstones);
	struct err full = {0};

	out->len = 0;
	stmt_str(q, after->text);
	stmt_i64(q, (int64_t)limit);
	while (full.code == ERR_OK && stmt_row(q)) {
		struct directory_entry *entry = add_entry(out, &full);

		if (entry == NULL)
			break;
		/* Whatever its form, so that the page tells where the next one begins. */
		snprintf(entry->worker.text, sizeof(entry->worker.text), "%s",
			 stmt_get_str(q, 0));
		entry->deleted = true;
		entry->n = stmt_get_i64(q, 1);
	}
	if (stmt_end(q, e) == ERR_OK && full.code != ERR_OK)
		*e = full;
	return e->code;
}

/* ---- taking back what a restored database forgot ------------------------------------------
 */

static enum err_code bury(struct db *db, const struct directory_entry *entry, int64_t n,
			  int64_t now_ms, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_delete);

	stmt_str(q, entry->worker.text);
	stmt_exec(q);
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	q = stmt_begin(db, sql_bury);
	stmt_str(q, entry->worker.text);
	stmt_i64(q, n);
	stmt_time(q, now_ms);
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code put_worker(struct db *db, const struct directory_entry *entry, int64_t n,
				int64_t now_ms, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_unbury);

	stmt_str(q, entry->worker.text);
	stmt_exec(q);
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	q = stmt_begin(db, sql_put_worker);
	stmt_str(q, entry->worker.text);
	stmt_str(q, entry->worker.text);
	stmt_str(q, worker_status_name(entry->status));
	stmt_i64(q, n);
	stmt_time(q, now_ms);
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code put_tokens(struct db *db, const struct directory_entry *entry,
				int64_t now_ms, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_end_tokens);

	stmt_time(q, now_ms);
	stmt_str(q, entry->worker.text);
	stmt_exec(q);
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	for (size_t i = 0; i < entry->tokens_len; i++) {
		const struct directory_token *token = &entry->tokens[i];

		q = stmt_begin(db, sql_put_token);
		stmt_str(q, entry->worker.text);
		stmt_str(q, token->hash);
		stmt_str(q, token_role_name(token->role));
		stmt_time(q, now_ms);
		stmt_time(q, token->expires_ms);
		stmt_exec(q);
		if (stmt_end(q, e) != ERR_OK)
			return e->code;
	}
	return ERR_OK;
}

static enum err_code recover_entry(struct db *db, const struct directory_entry *entry,
				   int64_t n, struct err *e)
{
	const int64_t now_ms = clock_unix_ms();
	const struct audit_row row = {
		.worker_id = entry->worker.text,
		.event = "recovered",
		.code = entry->deleted ? "DELETED" : NULL,
		.detail = "{\"reason\":\"the database was older than the broker's directory\"}",
	};

	if (entry->deleted)
		bury(db, entry, n, now_ms, e);
	else if (put_worker(db, entry, n, now_ms, e) == ERR_OK)
		put_tokens(db, entry, now_ms, e);
	return e->code == ERR_OK ? store_audit_add(db, &row, e) : e->code;
}

static enum err_code write_epoch(struct db *db, const char *epoch, int64_t n, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_new_epoch);

	stmt_str(q, epoch);
	stmt_i64(q, n);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_directory_recover(struct db *db, const char *epoch,
				      const struct directory_snapshot *known, size_t *taken,
				      struct err *e)
{
	struct directory_state state = {0};
	char next[EPOCH_TEXT_LEN + 1];
	bool same;
	int64_t n;

	*taken = 0;
	if (read_state(db, sql_state_locked, &state, e) != ERR_OK)
		return e->code;
	same = strcmp(state.epoch, known->state.epoch) == 0;
	if (strcmp(state.epoch, epoch) != 0 || (same && state.n >= known->state.n))
		return ERR_OK;
	/* Past everything that any bridge has seen, so that their rosters follow. */
	n = (known->state.n > state.n ? known->state.n : state.n) + 1;
	for (size_t i = 0; i < known->len && e->code == ERR_OK; i++)
		if (!same || known->entries[i].n > state.n) {
			recover_entry(db, &known->entries[i], n, e);
			(*taken)++;
		}
	epoch_next(known->state.epoch, next);
	return e->code == ERR_OK ? write_epoch(db, next, n, e) : e->code;
}
