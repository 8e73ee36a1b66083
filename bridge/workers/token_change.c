// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/token_change.h"

#include "bridge/app.h"
#include "bridge/db/db.h"
#include "bridge/store/store_life.h"
#include "bridge/store/store_worker.h"
#include "bridge/workers/directory.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"

#include <stdlib.h>
#include <string.h>

#define DETAIL_MAX 2048

struct attempt {
	struct app *app;
	struct token_change change;
	int64_t now_ms;
	bool changed;
	struct life life; /* the database thread's */
	int64_t revision;
	struct record *record; /* as committed, on its way to the roster */
	token_changed_f done;
	void *arg;
};

struct life_spans token_life_spans(const struct config *c)
{
	return (struct life_spans){.window_ms = c->renewal_window_s * 1000,
				   .overlap_ms = c->renewal_overlap_s * 1000,
				   .timeout_ms = c->renewal_timeout_s * 1000,
				   .retry_ms = c->renewal_retry_s * 1000};
}

/* ---- steps ------------------------------------------------------------------------------- */

static bool begin(struct attempt *a, const struct life_spans *spans, struct err *e)
{
	const struct token_change *c = &a->change;
	struct life *life = &a->life;

	if (!c->by_hand && !life_due(life, spans, c->connected_ms, a->now_ms))
		return false;
	if (life_is_sending(life, a->now_ms))
		err_set(e, ERR_CONFLICT, "another renewal is being sent at this moment");
	else if (life->status == WORKER_REVOKED)
		err_set(e, ERR_WORKER_REVOKED, NULL);
	else if (!life_begin(life, c->hash, c->expires_ms, a->now_ms))
		err_set(e, ERR_CONFLICT, "the worker has no token that could be renewed");
	return e->code == ERR_OK;
}

static bool take_step(struct attempt *a, struct err *e)
{
	const struct life_spans spans = token_life_spans(&a->app->config);
	const struct token_change *c = &a->change;
	struct life *life = &a->life;

	switch (c->step) {
	case TOKEN_STEP_BEGIN:
		return begin(a, &spans, e);
	case TOKEN_STEP_SENT:
		return life_sent(life, c->hash, a->now_ms);
	case TOKEN_STEP_UNSENT:
		return life_unsent(life, c->hash);
	case TOKEN_STEP_CONFIRM:
		return life_confirm(life, c->renewal_id, c->proof, &spans, a->now_ms);
	case TOKEN_STEP_REFUSE:
		return life_refuse(life, c->renewal_id[0] != '\0' ? c->renewal_id : NULL,
				   c->reason, a->now_ms);
	case TOKEN_STEP_OVERDUE:
		return life_overdue(life, &spans, a->now_ms);
	}
	return false;
}

/* ---- the transaction --------------------------------------------------------------------- */

/* What the audit trail says of a step; NULL: nothing. */
static const char *event_of(const struct attempt *a)
{
	switch (a->change.step) {
	case TOKEN_STEP_BEGIN:
		return "renewal_started";
	case TOKEN_STEP_CONFIRM:
		return "renewed";
	case TOKEN_STEP_REFUSE:
	case TOKEN_STEP_OVERDUE:
		/* Given up without a failure where another token was taken meanwhile. */
		return a->life.failure_ms == a->now_ms ? "renewal_failed" : NULL;
	case TOKEN_STEP_SENT:
	case TOKEN_STEP_UNSENT:
		break;
	}
	return NULL;
}

static void write_detail(const struct attempt *a, struct buf *out)
{
	const struct token_change *c = &a->change;
	struct jwrite w;

	jwrite_begin(&w, out);
	jwrite_object(&w, NULL);
	if (c->renewal_id[0] != '\0')
		jwrite_str(&w, "renewal_id", c->renewal_id);
	if (c->step == TOKEN_STEP_CONFIRM)
		jwrite_str(&w, "by", c->proof == LIFE_LOGIN ? "login" : "acknowledgement");
	if (c->step == TOKEN_STEP_REFUSE || c->step == TOKEN_STEP_OVERDUE)
		jwrite_str(&w, "reason", a->life.failure);
	jwrite_object_end(&w);
}

static enum err_code audit(struct db *db, const struct attempt *a, struct err *e)
{
	const struct audit_origin *o = &a->change.origin;
	struct audit_row row = {.worker_id = a->change.id.text,
				.event = event_of(a),
				.actor = o->actor[0] != '\0' ? o->actor : NULL,
				.address = o->address[0] != '\0' ? o->address : NULL,
				.request_id = o->request_id[0] != '\0' ? o->request_id : NULL,
				.at_ms = a->now_ms};
	struct buf detail;
	enum err_code code;

	if (row.event == NULL)
		return ERR_OK;
	buf_init(&detail, DETAIL_MAX);
	write_detail(a, &detail);
	row.detail = detail.failed ? NULL : detail.data;
	code = store_audit_add(db, &row, e);
	buf_fini(&detail);
	return code;
}

static enum err_code transact(struct db *db, void *arg, struct err *e)
{
	struct attempt *a = arg;

	record_free(a->record); /* of an earlier try */
	a->record = NULL;
	if (store_revision_next(db, &a->revision, e) != ERR_OK ||
	    store_life_read(db, &a->change.id, &a->life, e) != ERR_OK)
		return e->code;
	a->changed = take_step(a, e);
	/* Any error rolls back, and with it the revision that nothing has used. */
	if (!a->changed && e->code == ERR_OK)
		return err_set(e, ERR_CONFLICT, "nothing to be done");
	if (e->code != ERR_OK ||
	    store_life_write(db, &a->change.id, &a->life, a->revision, e) != ERR_OK ||
	    audit(db, a, e) != ERR_OK)
		return e->code;
	return store_worker_get(db, &a->change.id, &a->record, e);
}

/* Most of what several bridges hear is news to one of them alone, and most acknowledgements
 * that come again are known: a look without the lock that all changes share finds out. */
static enum err_code work(struct db *db, void *arg, struct err *e)
{
	struct attempt *a = arg;

	a->changed = false;
	if (store_life_read(db, &a->change.id, &a->life, e) != ERR_OK || !take_step(a, e))
		return e->code;
	(void)(db_transaction(db, transact, a, e) == ERR_OK);
	if (e->code == ERR_CONFLICT && !a->changed && !a->change.by_hand)
		e->code = ERR_OK; /* somebody else was quicker */
	return e->code;
}

/* ---- and what follows -------------------------------------------------------------------- */

static void nobody_waits(void *arg, bool enforced)
{
	(void)arg;
	(void)enforced;
}

static void apply(struct attempt *a, struct err *e)
{
	const struct worker_id *id = &a->change.id;
	const char *event = event_of(a);
	struct record *record = a->record;

	a->record = NULL;
	if (event != NULL)
		log_info("token", "worker=%s %s%s%s", id->text, event,
			 a->change.reason[0] != '\0' ? ": " : "", a->change.reason);
	if (roster_put(a->app->roster, &record, e) != ERR_OK)
		return;
	if (a->change.step != TOKEN_STEP_BEGIN)
		directory_push(a->app->directory, id, nobody_waits, NULL);
}

static void committed(void *arg, struct err *e)
{
	struct attempt *a = arg;

	a->changed = a->changed && e->code == ERR_OK;
	if (a->changed)
		apply(a, e);
	else if (e->code != ERR_OK)
		log_debug("token", "worker=%s step %d: %s", a->change.id.text, a->change.step,
			  e->msg);
	if (a->done != NULL)
		a->done(a->arg, a->changed, e);
	record_free(a->record);
	free(a);
}

void token_change(struct app *app, const struct token_change *change, token_changed_f done,
		  void *arg)
{
	struct attempt *a = calloc(1, sizeof(*a));
	struct err e;

	if (a == NULL) {
		err_set(&e, ERR_OUT_OF_MEMORY, NULL);
		if (done != NULL)
			done(arg, false, &e);
		return;
	}
	*a = (struct attempt){.app = app,
			      .change = *change,
			      .now_ms = clock_unix_ms(),
			      .done = done,
			      .arg = arg};
	db_submit(app->db, work, committed, a);
}
