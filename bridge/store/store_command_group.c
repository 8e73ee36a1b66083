// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A group is written on the assumption that each of its proofs advances its command: one
 * conditional UPDATE for many, which tells how many rows it changed, not which. Where it is
 * fewer, some proof was late, repeated or another's: the transaction is taken back, and each
 * has the statements of store_command.c to itself, in one transaction again unless one of them
 * fails that, too. */
#include "bridge/store/store_command_group.h"

#include "bridge/db/stmt_bulk.h"
#include "bridge/store/store_audit.h"
#include "bridge/store/store_command_bulk.h"
#include "protocol/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETAIL_BYTES 80

/* A proof, and another one of the same command that it takes with it. */
struct proof {
	struct command_write *write;
	const struct command_write
		*sent; /* of a result: that it was sent; NULL: written before */
};

struct proofs {
	struct proof list[COMMAND_GROUP_MAX];
	size_t len;
};

struct group {
	int64_t now_ms;
	const struct command_row *added[COMMAND_GROUP_MAX];
	size_t added_len;
	struct proofs sent, accepted, ended;
};

static const char sql_sent[] =
	"UPDATE commands SET state = 'sent', sent_at = ?, sent_generation = ?"
	" WHERE id = ? AND worker_id = ? AND state = 'queued'";
static const enum bulk_type sent_types[] = {BULK_TIME, BULK_I64, BULK_TEXT, BULK_TEXT};

static const char sql_accepted[] =
	"UPDATE commands SET state = 'accepted', accepted_at = ?, kept_for = NULL,"
	" sent_at = COALESCE(sent_at, ?), sent_generation = COALESCE(?, sent_generation)"
	" WHERE id = ? AND worker_id = ? AND state IN ('queued', 'sent')";
static const enum bulk_type accepted_types[] = {BULK_TIME, BULK_TIME, BULK_I64, BULK_TEXT,
						BULK_TEXT};

static const char sql_ended[] =
	"UPDATE commands SET state = ?, done_at = ?, failed_at = ?, result = ?, error = ?,"
	" kept_for = NULL, sent_at = COALESCE(sent_at, ?),"
	" sent_generation = COALESCE(?, sent_generation)"
	" WHERE id = ? AND worker_id = ? AND " COMMAND_MAY_END;
static const enum bulk_type ended_types[] = {BULK_TEXT, BULK_TIME, BULK_TIME,
					     BULK_TEXT, BULK_TEXT, BULK_TIME,
					     BULK_I64,  BULK_TEXT, BULK_TEXT};

/* ---- sorting ----------------------------------------------------------------------------- */

static const struct command_id *id_of(const struct command_write *w)
{
	return w->kind == COMMAND_WRITE_RESULT ? &w->result->command : &w->row->id;
}

bool command_write_same(const struct command_write *a, const struct command_write *b)
{
	return memcmp(id_of(a)->text, id_of(b)->text, COMMAND_ID_LEN) == 0;
}

static struct proof *find(struct proofs *p, const struct command_write *w)
{
	for (size_t i = 0; i < p->len; i++)
		if (command_write_same(p->list[i].write, w))
			return &p->list[i];
	return NULL;
}

static void add_proof(struct proofs *p, struct command_write *w)
{
	p->list[p->len++] = (struct proof){.write = w};
}

/* That it was sent goes into the row together with what came next. */
static void take_sent(struct group *g, struct proof *by)
{
	struct proof *sent = find(&g->sent, by->write);

	if (sent == NULL)
		return;
	by->sent = sent->write;
	*sent = g->sent.list[--g->sent.len];
}

/* False: the group is not of the simple kind, in which a command is accepted at most once, and
 * after that ends at most once. */
static bool sort_result(struct group *g, struct command_write *w)
{
	struct proofs *to = w->result->status == COMMAND_ACCEPTED ? &g->accepted : &g->ended;

	if (find(&g->ended, w) != NULL || find(to, w) != NULL)
		return false;
	add_proof(to, w);
	take_sent(g, &to->list[to->len - 1]);
	return true;
}

static bool sort_one(struct group *g, struct command_write *w)
{
	switch (w->kind) {
	case COMMAND_WRITE_ADD:
		g->added[g->added_len++] = w->row;
		return true;
	case COMMAND_WRITE_RESULT:
		return sort_result(g, w);
	case COMMAND_WRITE_SENT:
	default:
		if (find(&g->accepted, w) != NULL || find(&g->ended, w) != NULL)
			return false; /* the worker was quicker */
		add_proof(&g->sent, w);
		return true;
	}
}

static bool sort(struct group *g, struct command_write *list)
{
	for (struct command_write *w = list; w != NULL; w = w->next)
		if (!sort_one(g, w))
			return false;
	return true;
}

/* ---- in one transaction ------------------------------------------------------------------ */

static void add_time_if(struct bulk *b, bool given, int64_t unix_ms)
{
	if (given)
		bulk_time(b, unix_ms);
	else
		bulk_null(b);
}

static void add_sent_if(struct bulk *b, const struct command_write *sent, int64_t now_ms)
{
	add_time_if(b, sent != NULL, now_ms);
	if (sent != NULL)
		bulk_i64(b, sent->generation);
	else
		bulk_null(b);
}

static void bind_sent(struct bulk *b, const struct proof *p, int64_t now_ms)
{
	add_sent_if(b, p->write, now_ms);
	bulk_str(b, p->write->row->id.text);
	bulk_str(b, p->write->row->worker.text);
}

static void bind_accepted(struct bulk *b, const struct proof *p, int64_t now_ms)
{
	bulk_time(b, now_ms);
	add_sent_if(b, p->sent, now_ms);
	bulk_str(b, p->write->result->command.text);
	bulk_str(b, p->write->result->worker.text);
}

static void bind_ended(struct bulk *b, const struct proof *p, int64_t now_ms)
{
	const struct command_result *r = p->write->result;

	bulk_str(b, command_state_name(r->status));
	add_time_if(b, r->status == COMMAND_DONE, now_ms);
	add_time_if(b, r->status == COMMAND_FAILED, now_ms);
	bulk_str(b, r->result);
	bulk_str(b, r->error);
	add_sent_if(b, p->sent, now_ms);
	bulk_str(b, r->command.text);
	bulk_str(b, r->worker.text);
}

/* A kind of proof, and how it gets into its rows. */
struct advance {
	const char *sql;
	const enum bulk_type *types;
	unsigned columns;
	void (*bind)(struct bulk *b, const struct proof *p, int64_t now_ms);
};

static const struct advance advance_sent = {sql_sent, sent_types, ARRAY_LEN(sent_types),
					    bind_sent};
static const struct advance advance_accepted = {sql_accepted, accepted_types,
						ARRAY_LEN(accepted_types), bind_accepted};
static const struct advance advance_ended = {sql_ended, ended_types, ARRAY_LEN(ended_types),
					     bind_ended};

static enum err_code advance(struct db *db, const struct advance *how, const struct proofs *p,
			     int64_t now_ms, struct err *e)
{
	struct bulk *b;
	struct stmt *q;
	uint64_t changed;

	if (p->len == 0)
		return ERR_OK;
	b = bulk_new(how->types, how->columns, (unsigned)p->len);
	if (b == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	for (size_t i = 0; i < p->len; i++)
		how->bind(b, &p->list[i], now_ms);
	q = stmt_begin(db, how->sql);
	stmt_bulk(q, b);
	changed = stmt_exec(q);
	bulk_free(b);
	if (stmt_end(q, e) == ERR_OK && changed != p->len)
		err_set(e, ERR_CONFLICT, "some commands stand elsewhere");
	return e->code;
}

static enum err_code audit_results(struct db *db, const struct group *g, struct err *e)
{
	const struct proofs *const both[] = {&g->accepted, &g->ended};
	const struct audit_row *pointers[COMMAND_GROUP_MAX];
	struct audit_row rows[COMMAND_GROUP_MAX];
	char details[COMMAND_GROUP_MAX][DETAIL_BYTES];
	size_t len = 0;

	for (size_t k = 0; k < ARRAY_LEN(both); k++)
		for (size_t i = 0; i < both[k]->len; i++, len++) {
			const struct command_result *r = both[k]->list[i].write->result;

			snprintf(details[len], DETAIL_BYTES, "{\"command_id\":\"%s\"}",
				 r->command.text);
			rows[len] = (struct audit_row){.worker_id = r->worker.text,
						       .event = command_event(r->status),
						       .detail = details[len],
						       .at_ms = g->now_ms,
						       .count = 1};
			pointers[len] = &rows[len];
		}
	return len > 0 ? store_audit_add_all(db, pointers, len, e) : ERR_OK;
}

static enum err_code write_group(struct db *db, void *arg, struct err *e)
{
	const struct group *g = arg;

	if (store_command_add_all(db, g->added, g->added_len, e) != ERR_OK ||
	    advance(db, &advance_sent, &g->sent, g->now_ms, e) != ERR_OK ||
	    advance(db, &advance_accepted, &g->accepted, g->now_ms, e) != ERR_OK ||
	    advance(db, &advance_ended, &g->ended, g->now_ms, e) != ERR_OK)
		return e->code;
	return audit_results(db, g, e);
}

static char *copy_or_null(const char *text)
{
	return text != NULL ? strdup(text) : NULL;
}

static void set_standing(struct command_write *w)
{
	const bool reported = w->kind == COMMAND_WRITE_RESULT;

	if (w->kind == COMMAND_WRITE_ADD)
		return;
	command_standing_fini(w->standing);
	*w->standing = (struct command_standing){
		.id = *id_of(w),
		.found = true,
		.changed = true,
		.state = reported ? w->result->status : COMMAND_SENT,
		.created_ms =
			reported ? command_id_ms(&w->result->command) : w->row->created_ms,
		.expires_ms = reported ? 0 : w->row->expires_ms,
		.result = reported ? copy_or_null(w->result->result) : NULL,
		.error = reported ? copy_or_null(w->result->error) : NULL,
	};
}

/* ---- one after the other
 * ---------------------------------------------------------------------- */

static enum err_code write_one(struct db *db, void *arg, struct err *e)
{
	struct command_write *w = arg;

	switch (w->kind) {
	case COMMAND_WRITE_ADD:
		return store_command_add(db, w->row, e);
	case COMMAND_WRITE_SENT:
		return store_command_sent(db, w->row, w->generation, w->standing, e);
	case COMMAND_WRITE_RESULT:
	default:
		return store_command_result(db, w->result, w->standing, e);
	}
}

static enum err_code write_all(struct db *db, void *arg, struct err *e)
{
	for (struct command_write *w = arg; w != NULL; w = w->next)
		if (write_one(db, w, e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

/* After a failure that is the database's, the others need not be tried. */
static void write_each(struct db *db, struct command_write *list)
{
	struct err away = {0};

	for (struct command_write *w = list; w != NULL; w = w->next) {
		w->e = away;
		if (away.code == ERR_OK &&
		    db_transaction(db, write_one, w, &w->e) == ERR_DATABASE_UNAVAILABLE)
			away = w->e;
	}
}

static bool is_away(const struct err *e)
{
	return e->code == ERR_DATABASE_UNAVAILABLE || e->code == ERR_OUT_OF_MEMORY;
}

static void write_slowly(struct db *db, struct command_write *list, struct err *e)
{
	e->code = ERR_OK;
	if (db_transaction(db, write_all, list, e) == ERR_OK || is_away(e))
		for (struct command_write *w = list; w != NULL; w = w->next)
			w->e = *e;
	else
		write_each(db, list);
}

void store_command_group(struct db *db, struct command_write *list)
{
	struct group g = {.now_ms = clock_unix_ms()};
	struct err e = {0};

	if ((!sort(&g, list) || db_transaction(db, write_group, &g, &e) != ERR_OK) &&
	    !is_away(&e)) {
		write_slowly(db, list, &e);
		return;
	}
	for (struct command_write *w = list; w != NULL; w = w->next) {
		w->e = e;
		if (e.code == ERR_OK)
			set_standing(w);
	}
}
