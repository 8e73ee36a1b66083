// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/store/store_command_kept.h"

#include "bridge/db/stmt.h"
#include "protocol/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLAIM_S "5" /* a bridge that claimed a command and died has had this long */

static const char sql_workers[] = /* commands_kept */
	"SELECT kept_for, MIN(COALESCE(sent_generation, -1)), MAX(COALESCE(sent_generation, "
	"-1))"
	" FROM commands WHERE kept_for IS NOT NULL GROUP BY kept_for";

/* A session is told from another by being different, not by being greater: the numbers of a
 * broker that has lost its storage begin anew. Claims go by the database's clock. */
#define UNSENT                                                                                 \
	"(sent_generation IS NULL OR sent_generation <> ?) AND"                                \
	" (offered_at IS NULL OR offered_generation <> ? OR"                                   \
	" offered_at < UTC_TIMESTAMP(3) - INTERVAL " CLAIM_S " SECOND)"
#define OF_WORKER "kept_for = ? AND expires_at > ? AND " UNSENT
static const char sql_unsent[] =
	"SELECT id, type, payload, target, created_at, expires_at FROM commands"
	" WHERE " OF_WORKER " ORDER BY created_at, id FOR UPDATE";
static const char sql_claim[] =
	"UPDATE commands SET offered_generation = ?, offered_at = UTC_TIMESTAMP(3)"
	" WHERE " OF_WORKER;
enum err_code store_kept_workers(struct db *db, struct kept_summary **out, size_t *len,
				 struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_workers);
	size_t cap = 0;
	bool room = true;

	*out = NULL;
	*len = 0;
	while (room && stmt_row(q)) {
		if (*len == cap) {
			struct kept_summary *more;

			cap = cap == 0 ? 64 : cap * 2;
			more = realloc(*out, cap * sizeof(*more));
			room = more != NULL;
			if (!room)
				break;
			*out = more;
		}
		snprintf((*out)[*len].worker.text, sizeof((*out)[*len].worker.text), "%s",
			 stmt_get_str(q, 0));
		(*out)[*len].lowest = stmt_get_i64(q, 1);
		(*out)[(*len)++].highest = stmt_get_i64(q, 2);
	}
	if (stmt_end(q, e) == ERR_OK && !room)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return e->code;
}

/* NULL: out of memory. */
static struct outgoing *read_unsent(struct stmt *q, const struct worker_id *worker,
				    int64_t generation)
{
	struct command_row row = {.worker = *worker,
				  .type = stmt_get_str(q, 1),
				  .payload = stmt_get_str(q, 2),
				  .target = stmt_get_str(q, 3),
				  .created_ms = stmt_get_time(q, 4),
				  .expires_ms = stmt_get_time(q, 5),
				  .queue = true};
	struct outgoing *o;

	snprintf(row.id.text, sizeof(row.id.text), "%s", stmt_get_str(q, 0));
	o = outgoing_new(&row);
	if (o != NULL)
		o->generation = generation;
	return o;
}

/* A worker whose commands are being claimed. */
struct claim {
	const struct worker_id *worker;
	int64_t generation, now_ms;
	struct outgoing *list;
};

static void bind_claim(struct stmt *q, const struct claim *c)
{
	stmt_str(q, c->worker->text);
	stmt_time(q, c->now_ms);
	stmt_i64(q, c->generation);
	stmt_i64(q, c->generation);
}

static enum err_code find_unsent(struct db *db, struct claim *c, struct err *e)
{
	struct stmt *q = stmt_begin(db, sql_unsent);
	struct outgoing **end = &c->list;
	bool room = true;

	outgoing_free_all(&c->list); /* of an earlier try */
	bind_claim(q, c);
	while (room && stmt_row(q)) {
		*end = read_unsent(q, c->worker, c->generation);
		room = *end != NULL;
		if (room)
			end = &(*end)->next;
	}
	if (stmt_end(q, e) == ERR_OK && !room)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return e->code;
}

/* All of a worker's at once: two bridges that took turns would mix up their order. */
static enum err_code claim_in(struct db *db, void *arg, struct err *e)
{
	struct claim *c = arg;
	struct stmt *q;

	if (find_unsent(db, c, e) != ERR_OK || c->list == NULL)
		return e->code;
	q = stmt_begin(db, sql_claim);
	stmt_i64(q, c->generation);
	bind_claim(q, c);
	stmt_exec(q);
	return stmt_end(q, e);
}

enum err_code store_kept_claim(struct db *db, const struct worker_id *worker,
			       int64_t generation, struct outgoing ***end, struct err *e)
{
	struct claim c = {worker, generation, clock_unix_ms(), NULL};

	if (db_transaction(db, claim_in, &c, e) != ERR_OK)
		outgoing_free_all(&c.list);
	**end = c.list;
	while (**end != NULL)
		*end = &(**end)->next;
	return e->code;
}
