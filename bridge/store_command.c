// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store_command.h"

#include "bridge/stmt.h"
#include "bridge/store_audit.h"
#include "protocol/buf.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"

#include <stdlib.h>
#include <string.h>

static const char sql_add[] = "INSERT INTO commands (id, worker_id, type, payload, target, "
			      "state, created_by, created_at,"
			      " expires_at) VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?)";

/* A result may have been quicker than the plugin's answer: the time is noted all the same. */
static const char sql_sent[] =
	"UPDATE commands SET sent_at = ?, state = IF(state = 'queued', 'sent', state)"
	" WHERE id = ? AND worker_id = ? AND sent_at IS NULL";
static const char sql_undelivered[] =
	"UPDATE commands SET state = 'failed', failed_at = ?, error = ?"
	" WHERE id = ? AND worker_id = ? AND state = 'queued'";

static const char sql_accepted[] =
	"UPDATE commands SET state = 'accepted', accepted_at = ?"
	" WHERE id = ? AND worker_id = ? AND state IN ('queued', 'sent')";
static const char sql_done[] =
	"UPDATE commands SET state = 'done', done_at = ?, result = ?, error = ?"
	" WHERE id = ? AND worker_id = ? AND state IN ('queued', 'sent', 'accepted')";
static const char sql_failed[] =
	"UPDATE commands SET state = 'failed', failed_at = ?, result = ?, error = ?"
	" WHERE id = ? AND worker_id = ? AND state IN ('queued', 'sent', 'accepted')";

/* Locked, to see what is committed now, not what was when the transaction began. */
static const char sql_standing[] = "SELECT state, result, error, created_at FROM commands "
				   "WHERE id = ? AND worker_id = ? FOR UPDATE";

void command_standing_fini(struct command_standing *s)
{
	free(s->result);
	free(s->error);
	s->result = s->error = NULL;
}

static char *copy_or_null(const char *text)
{
	return text != NULL ? strdup(text) : NULL;
}

static enum err_code read_standing(struct db *db, const struct command_id *id,
				   const struct worker_id *worker, struct command_standing *out,
				   struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_standing);

	command_standing_fini(out); /* of an earlier try */
	stmt_str(q, id->text);
	stmt_str(q, worker->text);
	out->found = stmt_row(q) && command_state_parse(stmt_get_str(q, 0), &out->state);
	if (out->found) {
		out->result = copy_or_null(stmt_get_str(q, 1));
		out->error = copy_or_null(stmt_get_str(q, 2));
		out->created_ms = stmt_get_time(q, 3);
	}
	return stmt_end(q, e);
}

static enum err_code audit(struct db *db, const struct worker_id *worker,
			   const struct command_id *id, const char *event, const char *type,
			   const struct command_row *asked, struct err *e)
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

enum err_code store_command_add(struct db *db, const struct command_row *row, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_add);

	stmt_str(q, row->id.text);
	stmt_str(q, row->worker.text);
	stmt_str(q, row->type);
	stmt_str(q, row->payload);
	stmt_str(q, row->target);
	stmt_str(q, row->actor);
	stmt_time(q, row->created_ms);
	stmt_time(q, row->expires_ms);
	stmt_exec(q);
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	return audit(db, &row->worker, &row->id, "command", row->type, row, e);
}

enum err_code store_command_sent(struct db *db, const struct command_row *row,
				 struct command_standing *out, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_sent);

	stmt_time(q, clock_unix_ms());
	stmt_str(q, row->id.text);
	stmt_str(q, row->worker.text);
	out->changed = stmt_exec(q) > 0;
	if (stmt_end(q, e) != ERR_OK)
		return e->code;
	return read_standing(db, &row->id, &row->worker, out, e);
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
	if (out->changed &&
	    audit(db, &row->worker, &row->id, "command_failed", row->type, NULL, e) != ERR_OK)
		return e->code;
	return read_standing(db, &row->id, &row->worker, out, e);
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
	static const char *const events[] = {[COMMAND_ACCEPTED] = "command_accepted",
					     [COMMAND_DONE] = "command_done",
					     [COMMAND_FAILED] = "command_failed"};

	if (apply_result(db, r, &out->changed, e) != ERR_OK)
		return e->code;
	if (out->changed &&
	    audit(db, &r->worker, &r->command, events[r->status], NULL, NULL, e) != ERR_OK)
		return e->code;
	return read_standing(db, &r->command, &r->worker, out, e);
}
