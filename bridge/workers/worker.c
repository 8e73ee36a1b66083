// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/worker.h"

#include "bridge/app.h"
#include "bridge/commands/command_batch.h"
#include "bridge/db/db.h"
#include "bridge/store/store_audit.h"
#include "bridge/store/store_command_deleted.h"
#include "bridge/store/store_token.h"
#include "bridge/store/store_worker.h"
#include "bridge/workers/directory.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define DETAIL_MAX 4096

/* ---- what each verb does, within the transaction -------------------------------------------
 */

static enum err_code add_token(struct db *db, struct worker_change *c, struct err *e)
{
	struct token_hash hash;

	token_hash(c->token.text, strlen(c->token.text), &hash);
	return store_token_add(db, &c->id, &hash, c->token_expires_ms, e);
}

static enum err_code create(struct db *db, struct worker_change *c, struct err *e)
{
	if (store_worker_add(db, &c->id, c->name, c->now_ms, c->revision, e) != ERR_OK)
		return e->code;
	if (c->tags != NULL &&
	    store_worker_set_tags(db, &c->id, c->tags, c->tags_len, e) != ERR_OK)
		return e->code;
	return add_token(db, c, e);
}

static enum err_code change(struct db *db, struct worker_change *c, struct err *e)
{
	if (store_worker_rename(db, &c->id, c->name, c->revision, e) != ERR_OK ||
	    c->tags == NULL)
		return e->code;
	return store_worker_set_tags(db, &c->id, c->tags, c->tags_len, e);
}

/* The worker's status, locked by the revision that the transaction took first. */
static enum err_code get_status(struct db *db, const struct worker_change *c,
				enum worker_status *out, struct err *e)
{
	struct record *record;

	if (store_worker_get(db, &c->id, &record, e) != ERR_OK)
		return e->code;
	*out = record->status;
	record_free(record);
	return ERR_OK;
}

static enum err_code rotate(struct db *db, struct worker_change *c, struct err *e)
{
	enum worker_status status = WORKER_ACTIVE;

	if (get_status(db, c, &status, e) != ERR_OK)
		return e->code;
	if (status == WORKER_REVOKED)
		return err_set(e, ERR_WORKER_REVOKED, NULL);
	if (store_worker_set_status(db, &c->id, WORKER_ACTIVE, c->revision, e) != ERR_OK ||
	    store_token_end_all(db, &c->id, e) != ERR_OK)
		return e->code;
	return add_token(db, c, e);
}

static enum err_code revoke(struct db *db, struct worker_change *c, struct err *e)
{
	if (store_worker_set_status(db, &c->id, WORKER_REVOKED, c->revision, e) != ERR_OK)
		return e->code;
	return store_token_end_previous(db, &c->id, e);
}

static enum err_code reinstate(struct db *db, struct worker_change *c, struct err *e)
{
	enum worker_status status = WORKER_ACTIVE;

	if (get_status(db, c, &status, e) != ERR_OK)
		return e->code;
	if (status == WORKER_REVOKED)
		return store_worker_set_status(db, &c->id, WORKER_ACTIVE, c->revision, e);
	return store_worker_rename(db, &c->id, NULL, c->revision, e);
}

static enum err_code delete (struct db *db, struct worker_change *c, struct err *e) {
	const struct command_row asked = {.worker = c->id,
					  .actor = c->actor,
					  .address = c->address,
					  .request_id = c->request_id}
             ;

	if (store_command_take_back_all(db, &asked, &c->taken, e) != ERR_OK) return e->code;
	return store_worker_delete(db, &c->id, c->revision, e);
}

static const struct {
	enum err_code (*work)(struct db *db, struct worker_change *c, struct err *e);
	const char *event; /* of the audit trail */
	bool makes_token;
	bool enforced; /* the plugin must know */
} verbs[] = {
	[WORKER_CREATE] = {create,    "created",       true,  true },
	[WORKER_CHANGE] = {change,    "changed",       false, false},
	[WORKER_ROTATE] = {rotate,    "token_rotated", true,  true },
	[WORKER_REVOKE] = {revoke,    "revoked",       false, true },
	[WORKER_REINSTATE] = {reinstate, "reinstated",    false, true },
	[WORKER_DELETE] = {delete,    "deleted",       false, true },
};

/* ---- the line that all of them go along ----------------------------------------------------
 */

static void write_detail(const struct worker_change *c, struct buf *out)
{
	struct jwrite w;

	jwrite_begin(&w, out);
	jwrite_object(&w, NULL);
	if (c->name != NULL)
		jwrite_str(&w, "name", c->name);
	if (c->tags != NULL) {
		jwrite_array(&w, "tags");
		for (size_t i = 0; i < c->tags_len; i++)
			jwrite_str(&w, NULL, c->tags[i]);
		jwrite_array_end(&w);
	}
	if (c->reason != NULL)
		jwrite_str(&w, "reason", c->reason);
	jwrite_object_end(&w);
}

static enum err_code audit(struct db *db, const struct worker_change *c, struct err *e)
{
	struct audit_row row = {
		.worker_id = c->id.text,
		.event = verbs[c->verb].event,
		.actor = c->actor,
		.address = c->address,
		.request_id = c->request_id,
		.at_ms = c->now_ms,
	};
	struct buf detail;
	enum err_code code;

	buf_init(&detail, DETAIL_MAX);
	write_detail(c, &detail);
	row.detail = detail.failed ? NULL : detail.data;
	code = store_audit_add(db, &row, e);
	buf_fini(&detail);
	return code;
}

static enum err_code transact(struct db *db, void *arg, struct err *e)
{
	struct worker_change *c = arg;

	record_free(c->record); /* of an earlier try */
	c->record = NULL;
	if (store_revision_next(db, &c->revision, e) != ERR_OK ||
	    verbs[c->verb].work(db, c, e) != ERR_OK || audit(db, c, e) != ERR_OK ||
	    c->verb == WORKER_DELETE)
		return e->code;
	return store_worker_get(db, &c->id, &c->record, e);
}

static enum err_code work(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, transact, arg, e);
}

static void pushed(void *arg, bool enforced)
{
	struct worker_change *c = arg;
	struct err e = {0};

	c->enforced = enforced;
	c->done(c->arg, c, &e);
}

static enum err_code apply(struct worker_change *c, struct err *e)
{
	struct record *record = c->record;

	c->record = NULL;
	if (c->verb == WORKER_DELETE) {
		roster_remove(c->app->roster, &c->id, c->revision);
		return ERR_OK;
	}
	c->status = record->status;
	return roster_put(c->app->roster, &record, e);
}

static void nobody_waits(void *arg, bool enforced)
{
	(void)arg;
	(void)enforced;
}

/* The connection broke when the transaction had begun, so the change may be committed after
 * all: then the plugin must hear of it as soon as the database says so. A worker whose token
 * nobody was told can wait for the next synchronisation. */
static void settle_unknown(const struct worker_change *c, const struct err *e)
{
	if (e->code == ERR_DATABASE_UNAVAILABLE && c->revision > 0 && verbs[c->verb].enforced &&
	    c->verb != WORKER_CREATE)
		directory_push(c->app->directory, &c->id, nobody_waits, NULL);
}

static void committed(void *arg, struct err *e)
{
	struct worker_change *c = arg;

	settle_unknown(c, e);
	if (e->code == ERR_OK)
		command_batch_tell(c->app, &c->taken);
	if (e->code != ERR_OK || apply(c, e) != ERR_OK) {
		c->done(c->arg, c, e);
		return;
	}
	log_info("worker", "worker=%s %s by=%s", c->id.text, verbs[c->verb].event, c->actor);
	if (verbs[c->verb].enforced)
		directory_push(c->app->directory, &c->id, pushed, c);
	else
		c->done(c->arg, c, e);
}

void worker_apply(struct app *app, enum worker_verb verb, struct worker_change *change,
		  void (*done)(void *arg, struct worker_change *change, struct err *e),
		  void *arg)
{
	change->app = app;
	change->verb = verb;
	change->now_ms = clock_unix_ms();
	change->done = done;
	change->arg = arg;
	if (verb == WORKER_CREATE)
		worker_id_generate(&change->id);
	if (verbs[verb].makes_token) {
		token_generate(&change->token);
		change->token_expires_ms = change->now_ms + app->config.token_life_s * 1000;
	}
	db_submit(app->db, work, committed, change);
}

void worker_change_free(struct worker_change *change)
{
	if (change == NULL)
		return;
	for (size_t i = 0; i < change->tags_len; i++)
		free(change->tags[i]);
	free(change->tags);
	free(change->name);
	free(change->reason);
	free(change->taken.list);
	record_free(change->record);
	sodium_memzero(&change->token, sizeof(change->token));
	free(change);
}
