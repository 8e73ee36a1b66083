// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_command_read.h"

#include "bridge/db/stmt.h"

#define FOREVER_MS INT64_C(253402300799999) /* the year 9999 */

#define SELECT_COMMANDS                                                                        \
	"SELECT id, worker_id, type, payload, target, idempotency_key, batch_id, created_by,"  \
	" state, queue, created_at, expires_at, sent_at, accepted_at, done_at, failed_at,"     \
	" expired_at, cancelled_at, result, error FROM commands "

/* commands_by_worker ends with (created_at, id): read from the newest on until the page is
 * full. */
static const char sql_list[] =
	SELECT_COMMANDS "WHERE worker_id = ? AND created_at <= ? AND (created_at < ? OR id < ?)"
			" AND (? IS NULL OR FIND_IN_SET(state, ?))"
			" AND (? IS NULL OR BINARY type = ?)"
			" ORDER BY created_at DESC, id DESC LIMIT ?";
static const char sql_get[] = SELECT_COMMANDS "WHERE id = ? AND worker_id = ?";

static void read_times(struct stmt *q, struct command_entry *out)
{
	static const unsigned columns[COMMAND_STATES] = {
		[COMMAND_QUEUED] = 10,   [COMMAND_SENT] = 12,   [COMMAND_ACCEPTED] = 13,
		[COMMAND_DONE] = 14,     [COMMAND_FAILED] = 15, [COMMAND_EXPIRED] = 16,
		[COMMAND_CANCELLED] = 17};

	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		out->at_ms[i] = stmt_get_time(q, columns[i]);
}

static bool read_entry(struct stmt *q, struct command_entry *out)
{
	if (!stmt_row(q))
		return false;
	*out = (struct command_entry){
		.id = stmt_get_str(q, 0),
		.worker = stmt_get_str(q, 1),
		.type = stmt_get_str(q, 2),
		.payload = stmt_get_str(q, 3),
		.target = stmt_get_str(q, 4),
		.key = stmt_get_str(q, 5),
		.batch = stmt_get_str(q, 6),
		.actor = stmt_get_str(q, 7),
		.queue = stmt_get_i64(q, 9) != 0,
		.created_ms = stmt_get_time(q, 10),
		.expires_ms = stmt_get_time(q, 11),
		.result = stmt_get_str(q, 18),
		.error = stmt_get_str(q, 19),
	};
	read_times(q, out);
	return command_state_parse(stmt_get_str(q, 8), &out->state);
}

enum err_code store_command_list(struct db *db, const struct command_query *query,
				 command_take_f take, void *arg, struct err *e)
{
	const struct command_cursor *c = &query->cursor;
	const int64_t before_ms = c->created_ms < FOREVER_MS ? c->created_ms : FOREVER_MS;
	struct stmt *q = stmt_begin(db, sql_list);
	struct command_entry entry;

	stmt_str(q, query->worker);
	stmt_time(q, before_ms);
	stmt_time(q, before_ms);
	stmt_str(q, c->id.text);
	stmt_str(q, query->states);
	stmt_str(q, query->states);
	stmt_str(q, query->type);
	stmt_str(q, query->type);
	stmt_i64(q, query->limit);
	while (read_entry(q, &entry))
		take(arg, &entry);
	return stmt_end(q, e);
}

enum err_code store_command_get(struct db *db, const struct worker_id *worker,
				const struct command_id *id, command_take_f take, void *arg,
				struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_get);
	struct command_entry entry;
	bool found;

	stmt_str(q, id->text);
	stmt_str(q, worker->text);
	found = read_entry(q, &entry);
	if (found)
		take(arg, &entry);
	if (stmt_end(q, e) == ERR_OK && !found)
		err_set(e, ERR_NOT_FOUND, "this worker has no such command");
	return e->code;
}
