// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_command.h"

#include "bridge/db/stmt.h"
#include "bridge/store/store_audit.h"
#include "protocol/buf.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

static const char sql_add[] =
	"INSERT INTO commands (id, worker_id, type, payload, target, state, created_by,"
	" idempotency_key, created_at, expires_at, queue, kept_for, offered_generation,"
	" offered_at, batch_id) VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?,"
	" IF(? > 0, UTC_TIMESTAMP(3), NULL), ?)";
static const char sql_count_kept[] = "SELECT COUNT(*) FROM commands WHERE kept_for = ?";
static const char sql_desire[] =
	"UPDATE workers SET desired_engine_status = ?, desired_at = UTC_TIMESTAMP(3),"
	" desired_command = ?,"
	" reconciled_at = NULL, reconcile_command = NULL WHERE id = ?";
static const char sql_undesire[] =
	"UPDATE workers SET desired_engine_status = NULL, desired_at = UTC_TIMESTAMP(3),"
	" desired_command = NULL WHERE id = ? AND desired_command = ?";

static const char sql_sent[] =
	"UPDATE commands SET state = 'sent', sent_at = ?, sent_generation = ?"
	" WHERE id = ? AND worker_id = ? AND state = 'queued'";
/* A result was quicker than the plugin's answer: the time is noted all the same. */
static const char sql_sent_late[] =
	"UPDATE commands SET sent_at = ?, sent_generation = ?"
	" WHERE id = ? AND worker_id = ? AND sent_at IS NULL AND state <> 'cancelled'";
static const char sql_sent_again[] = "UPDATE commands SET sent_generation = ?"
				     " WHERE id = ? AND state NOT IN ('cancelled', 'expired')";
static const char sql_undelivered[] =
	"UPDATE commands SET state = 'failed', failed_at = ?, error = ?"
	" WHERE id = ? AND worker_id = ? AND state = 'queued'";

static const char sql_accepted[] =
	"UPDATE commands SET state = 'accepted', accepted_at = ?, kept_for = NULL"
	" WHERE id = ? AND worker_id = ? AND state IN ('queued', 'sent')";
static const char sql_done[] =
	"UPDATE commands SET state = 'done', done_at = ?, result = ?, error = ?,"
	" kept_for = NULL WHERE id = ? AND worker_id = ? AND " COMMAND_MAY_END;
static const char sql_failed[] =
	"UPDATE commands SET state = 'failed', failed_at = ?, result = ?, error = ?,"
	" kept_for = NULL WHERE id = ? AND worker_id = ? AND " COMMAND_MAY_END;
static const char sql_cancel[] =
	"UPDATE commands SET state = 'cancelled', cancelled_at = ?, kept_for = NULL"
	" WHERE id = ? AND worker_id = ? AND state IN ('queued', 'sent')";

/* Locked, to see what is committed now, not what was when the transaction began. */
static const char sql_standing[] =
	"SELECT state, result, error, created_at, expires_at FROM commands "
	"WHERE id = ? AND worker_id = ? FOR UPDATE";
static const char sql_existing[] =
	"SELECT state, result, error, created_at, expires_at, id, type, payload, target, queue"
	" FROM commands WHERE worker_id = ? AND idempotency_key = ?";

void command_standing_fini(struct command_standing *s)
{
	free(s->result);
	free(s->error);
	s->result = s->error = NULL;
}

bool command_row_copy(struct command_row *row, char *texts[COMMAND_ROW_TEXTS])
{
	const char **const fields[COMMAND_ROW_TEXTS] = {
		&row->type,    &row->payload, &row->target,  &row->key,       &row->batch,
		&row->desired, &row->actor,   &row->address, &row->request_id};

	for (size_t i = 0; i < COMMAND_ROW_TEXTS; i++) {
		if (*fields[i] == NULL)
			continue;
		texts[i] = strdup(*fields[i]);
		if (texts[i] == NULL)
			return false;
		*fields[i] = texts[i];
	}
	return true;
}

static char *copy_or_null(const char *text)
{
	return text != NULL ? strdup(text) : NULL;
}

/* False: there is no row. */
static bool take_standing(struct stmt *q, struct command_standing *out)
{
	command_standing_fini(out); /* of an earlier try */
	out->found = stmt_row(q) && command_state_parse(stmt_get_str(q, 0), &out->state);
	if (!out->found)
		return false;
	out->result = copy_or_null(stmt_get_str(q, 1));
	out->error = copy_or_null(stmt_get_str(q, 2));
	out->created_ms = stmt_get_time(q, 3);
	out->expires_ms = stmt_get_time(q, 4);
	return true;
}

enum err_code store_command_standing(struct db *db, const struct command_id *id,
				     const struct worker_id *worker,
				     struct command_standing *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_standing);

	out->id = *id;
	stmt_str(q, id->text);
	stmt_str(q, worker->text);
	take_standing(q, out);
	return stmt_end(q, e);
}

enum err_code store_command_audit(struct db *db, const struct worker_id *worker,
				  const struct command_id *id, const char *event,
				  const char *type, const struct command_row *asked,
				  struct err *e)
{
	struct audit_row row = {.worker_id = worker->text, .event = event};
	enum err_code code;
	struct buf detail;
	struct jwrite w;

	buf_init(&detail, 1024);
	jwrite_begin(&w, &detail);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "command_id", id->text);
	if (type != NULL)
		jwrite_str(&w, "type", type);
	jwrite_object_end(&w);
	row.detail = detail.data;
	if (asked != NULL) {
		row.actor = asked->actor;
		row.address = asked->address;
		row.request_id = asked->request_id;
	}
	code = detail.failed ? err_set(e, ERR_OUT_OF_MEMORY, NULL)
			     : store_audit_add(db, &row, e);
	buf_fini(&detail);
	return code;
}

/* ---- adding ------------------------------------------------------------------------------ */

static enum err_code insert(struct db *db, const struct command_row *row, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_add);

	stmt_str(q, row->id.text);
	stmt_str(q, row->worker.text);
	stmt_str(q, row->type);
	stmt_str(q, row->payload);
	stmt_str(q, row->target);
	stmt_str(q, row->actor);
	stmt_str(q, row->key);
	stmt_time(q, row->created_ms);
	stmt_time(q, row->expires_ms);
	stmt_i64(q, row->queue);
	stmt_str(q, row->queue ? row->worker.text : NULL);
	if (row->offered_generation > 0)
		stmt_i64(q, row->offered_generation);
	else
		stmt_null(q);
	stmt_i64(q, row->offered_generation);
	stmt_str(q, row->batch);
	stmt_exec(q);
	return stmt_end(q, e);
}

static enum err_code check_room(struct db *db, const struct command_row *row, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_count_kept);
	int64_t kept;

	stmt_str(q, row->worker.text);
	kept = stmt_row(q) ? stmt_get_i64(q, 0) : 0;
	if (stmt_end(q, e) == ERR_OK && kept >= COMMANDS_KEPT_MAX)
		err_set(e, ERR_COMMAND_QUEUE_FULL,
			"%d commands wait for this worker, which is the limit",
			COMMANDS_KEPT_MAX);
	return e->code;
}

static enum err_code desire(struct db *db, const struct command_row *row, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_desire);

	stmt_str(q, row->desired);
	stmt_str(q, row->id.text);
	stmt_str(q, row->worker.text);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_command_add(struct db *db, const struct command_row *row, struct err *e)
{
	if ((row->queue && check_room(db, row, e) != ERR_OK) || insert(db, row, e) != ERR_OK ||
	    (row->desired != NULL && desire(db, row, e) != ERR_OK))
		return e->code;
	return store_command_audit(db, &row->worker, &row->id, "command", row->type, row, e);
}

/* Objects are the same whatever the order of their members. */
static bool same_json(const char *a, const char *b)
{
	struct json_object *x = a != NULL ? json_tokener_parse(a) : NULL;
	struct json_object *y = b != NULL ? json_tokener_parse(b) : NULL;
	const bool same = json_object_equal(x, y);

	json_object_put(x);
	json_object_put(y);
	return same;
}

static bool same_text(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

enum err_code store_command_existing(struct db *db, const struct command_row *row,
				     struct command_standing *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_existing);
	bool same = true;

	stmt_str(q, row->worker.text);
	stmt_str(q, row->key);
	out->existing = take_standing(q, out);
	if (out->existing) {
		const char *id = stmt_get_str(q, 5);

		memcpy(out->id.text, id, strnlen(id, COMMAND_ID_LEN) + 1);
		same = same_text(stmt_get_str(q, 6), row->type) &&
		       same_json(stmt_get_str(q, 7), row->payload) &&
		       same_text(stmt_get_str(q, 8), row->target) &&
		       stmt_get_i64(q, 9) == row->queue &&
		       out->expires_ms - out->created_ms == row->expires_ms - row->created_ms;
	}
	if (stmt_end(q, e) == ERR_OK && !same)
		err_set(e, ERR_IDEMPOTENCY_CONFLICT,
			"command %s has this idempotency key, and other contents",
			out->id.text);
	return e->code;
}

/* ---- what became of it ------------------------------------------------------------------- */

static enum err_code exec_sent(struct db *db, const char *sql, const struct command_row *row,
			       int64_t generation, bool *changed, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql);

	stmt_time(q, clock_unix_ms());
	stmt_i64(q, generation);
	stmt_str(q, row->id.text);
	stmt_str(q, row->worker.text);
	*changed = stmt_exec(q) > 0;
	return stmt_end(q, e);
}

enum err_code store_command_sent(struct db *db, const struct command_row *row,
				 int64_t generation, struct command_standing *out,
				 struct err *e)
{
	bool noted;

	if (exec_sent(db, sql_sent, row, generation, &out->changed, e) != ERR_OK)
		return e->code;
	out->id = row->id;
	out->found = true;
	out->state = COMMAND_SENT;
	out->created_ms = row->created_ms;
	out->expires_ms = row->expires_ms;
	if (out->changed || exec_sent(db, sql_sent_late, row, generation, &noted, e) != ERR_OK)
		return e->code;
	return store_command_standing(db, &row->id, &row->worker, out, e);
}

enum err_code store_command_sent_again(struct db *db, const struct command_row *row,
				       int64_t generation, struct command_standing *out,
				       struct err *e)
{
	struct stmt *q;

	if (store_command_sent(db, row, generation, out, e) != ERR_OK || out->changed)
		return e->code;
	q = stmt_begin(db, sql_sent_again);
	stmt_i64(q, generation);
	stmt_str(q, row->id.text);
	stmt_exec(q);
	return stmt_end(q, e);
}

/* What was asked for came to nothing, and so did the wish. */
static enum err_code undesire(struct db *db, const struct command_row *row, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_undesire);

	stmt_str(q, row->worker.text);
	stmt_str(q, row->id.text);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_command_undelivered(struct db *db, const struct command_row *row,
					const char *error, struct command_standing *out,
					struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_undelivered);

	stmt_time(q, clock_unix_ms());
	stmt_str(q, error);
	stmt_str(q, row->id.text);
	stmt_str(q, row->worker.text);
	out->changed = stmt_exec(q) > 0;
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	if (out->changed && ((row->desired != NULL && undesire(db, row, e) != ERR_OK) ||
			     store_command_audit(db, &row->worker, &row->id, "command_failed",
						 row->type, NULL, e) != ERR_OK))
		return e->code;
	if (!out->changed)
		return store_command_standing(db, &row->id, &row->worker, out, e);
	command_standing_fini(out); /* of an earlier try */
	out->id = row->id;
	out->found = true;
	out->state = COMMAND_FAILED;
	out->created_ms = row->created_ms;
	out->expires_ms = row->expires_ms;
	out->error = strdup(error);
	return ERR_OK;
}

enum err_code store_command_cancel(struct db *db, const struct command_row *row,
				   struct command_standing *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_cancel);

	stmt_time(q, clock_unix_ms());
	stmt_str(q, row->id.text);
	stmt_str(q, row->worker.text);
	out->changed = stmt_exec(q) > 0;
	if (stmt_end(q, e) != ERR_OK ||
	    (out->changed &&
	     store_command_audit(db, &row->worker, &row->id, "command_cancelled", NULL, row,
				 e) != ERR_OK) ||
	    store_command_standing(db, &row->id, &row->worker, out, e) != ERR_OK)
		return e->code;
	if (!out->found)
		return err_set(e, ERR_NOT_FOUND, "this worker has no such command");
	if (out->state != COMMAND_CANCELLED)
		return err_set(e, ERR_COMMAND_NOT_CANCELLABLE, "the command is %s",
			       command_state_name(out->state));
	return ERR_OK;
}

const char *command_event(enum command_state state)
{
	static const char *const events[] = {[COMMAND_ACCEPTED] = "command_accepted",
					     [COMMAND_DONE] = "command_done",
					     [COMMAND_FAILED] = "command_failed"};

	return events[state];
}

static enum err_code apply_result(struct db *db, const struct command_result *r, bool *changed,
				  struct err *e)
{
	struct stmt *q = stmt_begin(db, r->status == COMMAND_ACCEPTED ? sql_accepted
					: r->status == COMMAND_DONE   ? sql_done
								      : sql_failed);

	stmt_time(q, clock_unix_ms());
	if (r->status != COMMAND_ACCEPTED) {
		stmt_str(q, r->result);
		stmt_str(q, r->error);
	}
	stmt_str(q, r->command.text);
	stmt_str(q, r->worker.text);
	*changed = stmt_exec(q) > 0;
	return stmt_end(q, e);
}

enum err_code store_command_result(struct db *db, const struct command_result *r,
				   struct command_standing *out, struct err *e)
{
	if (apply_result(db, r, &out->changed, e) != ERR_OK)
		return e->code;
	if (out->changed &&
	    store_command_audit(db, &r->worker, &r->command, command_event(r->status), NULL,
				NULL, e) != ERR_OK)
		return e->code;
	return store_command_standing(db, &r->command, &r->worker, out, e);
}
