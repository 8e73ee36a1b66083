// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* One renewal is a chain of steps; a worker has at most one under way in a bridge, and few run
 *at once, so that a fleet whose tokens end together does not keep the database from anything
 *else.
 *
 *	commit "pending" ─▶ push, until the plugin has it ─▶ send ─▶ commit "sent"
 *	                                  │ too late          │ nobody was there
 *	                                  └───────────────────┴────▶ commit "ended"
 *
 * What is sent has to be sent soon (LIFE_SENDING_MS), for then another bridge may begin anew.
 */
#include "bridge/workers/renewal.h"

#include "bridge/app.h"
#include "bridge/mqtt/control.h"
#include "bridge/presence/mirror.h"
#include "bridge/workers/directory.h"
#include "bridge/workers/renewal_proofs.h"
#include "bridge/workers/roster.h"
#include "bridge/workers/token_change.h"
#include "protocol/clock.h"
#include "protocol/htab.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define RUNNING_MAX 16
#define SEND_TIMEOUT_MS 2000
#define SEND_LATEST_US ((LIFE_SENDING_MS - 2 * SEND_TIMEOUT_MS) * INT64_C(1000))
#define FIELDS_MAX 1024

struct waiter {
	renewal_done_f done;
	void *arg;
	struct waiter *next;
};

struct renewal {
	struct renewals *all;
	struct worker_id id;
	bool by_hand, running;
	bool too_late;              /* the plugin did not have it in time */
	struct audit_origin origin; /* by hand */
	int64_t connected_ms;
	int64_t begun_us;
	struct token token;
	char hash[TOKEN_HEX_LEN + 1];
	struct renewal_outcome outcome;
	struct waiter *waiters;
	TAILQ_ENTRY(renewal) of_queue; /* while it does not run */
};

struct renewals {
	struct app *app;
	struct renewal_proofs *proofs;
	struct htab by_worker; /* all */
	TAILQ_HEAD(, renewal) queue;
	size_t running;
	bool stopping;
};

static void next_steps(struct renewals *all);

/* ---- the table --------------------------------------------------------------------------- */

static uint64_t hash_renewal(const void *item)
{
	return htab_hash_str(((const struct renewal *)item)->id.text);
}

static bool is_worker(const void *item, const void *id)
{
	return worker_id_equal(&((const struct renewal *)item)->id, id);
}

static struct renewal *find(const struct renewals *all, const struct worker_id *id)
{
	return htab_find(&all->by_worker, htab_hash_str(id->text), is_worker, id);
}

static struct renewal *add(struct renewals *all, const struct worker_id *id)
{
	struct renewal *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->all = all;
	r->id = *id;
	if (!htab_add(&all->by_worker, r)) {
		free(r);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&all->queue, r, of_queue);
	return r;
}

static void free_renewal(struct renewal *r)
{
	sodium_memzero(&r->token, sizeof(r->token));
	free(r);
}

/* The end of it, whichever way. */
static void finish(struct renewal *r, struct err *e)
{
	struct renewals *all = r->all;
	struct waiter *w;

	htab_remove(&all->by_worker, r);
	all->running--;
	while ((w = r->waiters) != NULL) {
		r->waiters = w->next;
		w->done(w->arg, &r->outcome, e);
		free(w);
	}
	if (e->code != ERR_OK)
		log_debug("renewal", "worker=%s %s", r->id.text, e->msg);
	free_renewal(r);
	next_steps(all);
}

/* ---- commit "sent" or "ended" ------------------------------------------------------------ */

static void on_sent_noted(void *arg, bool changed, struct err *e)
{
	struct renewal *r = arg;

	(void)changed;
	/* It was sent, whether or not the database could take a note of it: then whoever looks
	 * next will send another one. */
	e->code = ERR_OK;
	log_info("renewal", "worker=%s renewal=%s sent to sessions=%lld", r->id.text,
		 r->outcome.renewal_id, (long long)r->outcome.sessions);
	finish(r, e);
}

static void on_unsent_noted(void *arg, bool changed, struct err *e)
{
	struct renewal *r = arg;

	(void)changed;
	err_set(e, r->too_late ? ERR_BROKER_UNAVAILABLE : ERR_WORKER_NOT_CONNECTED, NULL);
	finish(r, e);
}

static void note(struct renewal *r, enum token_step step, token_changed_f done)
{
	struct token_change c = {.id = r->id, .step = step};

	memcpy(c.hash, r->hash, sizeof(c.hash));
	token_change(r->all->app, &c, done, r);
}

/* ---- send -------------------------------------------------------------------------------- */

static void on_sent(void *arg, struct json_object *data, struct err *e)
{
	struct renewal *r = arg;
	struct jread in;

	if (data != NULL) {
		jread_begin(&in, data, e);
		r->outcome.sessions = jread_i64_or(&in, "sessions", 0, 0, INT64_MAX);
	}
	if (e->code == ERR_NOT_CONNECTED || e->code == ERR_WORKER_NOT_FOUND)
		note(r, TOKEN_STEP_UNSENT, on_unsent_noted);
	else if (e->code != ERR_OK)
		finish(r, e); /* perhaps it was, perhaps not: it stays good */
	else
		note(r, TOKEN_STEP_SENT, on_sent_noted);
}

static void send(struct renewal *r)
{
	struct buf fields;
	struct jwrite w;

	buf_init(&fields, FIELDS_MAX);
	jwrite_begin(&w, &fields);
	jwrite_str(&w, "worker_id", r->id.text);
	jwrite_str(&w, "topic", worker_topic_name(WORKER_TOPIC_TOKEN));
	jwrite_str(&w, "target", "all");
	jwrite_object(&w, "payload");
	jwrite_str(&w, "type", "token_renewal");
	jwrite_str(&w, "renewal_id", r->outcome.renewal_id);
	jwrite_str(&w, "new_token", r->token.text);
	jwrite_time(&w, "expires_at", r->outcome.expires_ms);
	jwrite_object_end(&w);
	control_call(r->all->app->control, "send", &fields, SEND_TIMEOUT_MS, on_sent, r);
	if (fields.data != NULL)
		sodium_memzero(fields.data, fields.len);
	buf_fini(&fields);
	sodium_memzero(&r->token, sizeof(r->token));
}

/* ---- commit "pending", push -------------------------------------------------------------- */

static void push(struct renewal *r);

static void on_pushed(void *arg, bool enforced)
{
	struct renewal *r = arg;
	struct err e;

	if (r->all->stopping) {
		err_set(&e, ERR_BROKER_UNAVAILABLE, NULL);
		finish(r, &e);
	} else if (clock_mono_us() - r->begun_us > SEND_LATEST_US) {
		r->too_late = true;
		note(r, TOKEN_STEP_UNSENT, on_unsent_noted);
	} else if (enforced) {
		send(r);
	} else {
		push(r);
	}
}

static void push(struct renewal *r)
{
	directory_push(r->all->app->directory, &r->id, on_pushed, r);
}

static void on_begun(void *arg, bool changed, struct err *e)
{
	struct renewal *r = arg;

	if (e->code == ERR_OK && changed)
		push(r);
	else if (e->code == ERR_OK && r->waiters != NULL && !r->by_hand) {
		/* It was not due by itself, but meanwhile somebody has asked for it. */
		r->by_hand = true;
		r->running = false;
		r->all->running--;
		TAILQ_INSERT_HEAD(&r->all->queue, r, of_queue);
		next_steps(r->all);
	} else {
		finish(r, e);
	}
}

static void begin(struct renewal *r)
{
	struct app *app = r->all->app;
	const int64_t now_ms = clock_unix_ms();
	struct token_change c = {.id = r->id, .step = TOKEN_STEP_BEGIN};
	struct token_hash hash;

	token_generate(&r->token);
	token_hash(r->token.text, strlen(r->token.text), &hash);
	token_hash_print(&hash, r->hash);
	renewal_id_of(&hash, r->outcome.renewal_id);
	r->outcome.expires_ms = now_ms + app->config.token_life_s * 1000;
	r->begun_us = clock_mono_us();
	memcpy(c.hash, r->hash, sizeof(c.hash));
	memcpy(c.renewal_id, r->outcome.renewal_id, sizeof(c.renewal_id));
	c.expires_ms = r->outcome.expires_ms;
	c.connected_ms = r->connected_ms;
	c.by_hand = r->by_hand;
	c.origin = r->origin;
	token_change(app, &c, on_begun, r);
}

/* A bridge that has not heard yet what was acknowledged while it was away would send another
 * token on top of one that the worker has taken. */
static void next_steps(struct renewals *all)
{
	struct renewal *r;

	while (!all->stopping && all->running < RUNNING_MAX &&
	       renewal_proofs_read(all->proofs) && (r = TAILQ_FIRST(&all->queue)) != NULL) {
		TAILQ_REMOVE(&all->queue, r, of_queue);
		r->running = true;
		all->running++;
		begin(r);
	}
}

static void on_proofs_read(void *arg)
{
	next_steps(arg);
}

/* ---- for the rest of the bridge ---------------------------------------------------------- */

/* Since when the worker has a session; 0: it has none, or nobody knows. */
static int64_t connected_since(const struct app *app, const struct worker_id *id)
{
	struct presence p;

	mirror_get(app->mirror, id, &p);
	return p.state == PRESENCE_ONLINE ? p.connected_since_ms : 0;
}

static void fail_at_once(renewal_done_f done, void *arg, enum err_code code)
{
	const struct renewal_outcome nothing = {0};
	struct err e;

	err_set(&e, code, NULL);
	done(arg, &nothing, &e);
}

void renewal_by_hand(struct renewals *all, const struct worker_id *id,
		     const struct audit_origin *origin, renewal_done_f done, void *arg)
{
	struct waiter *w = calloc(1, sizeof(*w));
	struct renewal *r = find(all, id);

	if (!mirror_hears(all->app->mirror) || connected_since(all->app, id) == 0) {
		free(w);
		fail_at_once(done, arg,
			     mirror_hears(all->app->mirror) ? ERR_WORKER_NOT_CONNECTED
							    : ERR_BROKER_UNAVAILABLE);
		return;
	}
	if (w != NULL && r == NULL)
		r = add(all, id);
	if (w == NULL || r == NULL) {
		free(w);
		fail_at_once(done, arg, ERR_OUT_OF_MEMORY);
		return;
	}
	*w = (struct waiter){done, arg, r->waiters};
	r->waiters = w;
	r->origin = *origin;
	r->by_hand = r->by_hand || !r->running;
	next_steps(all);
}

void renewal_consider(struct renewals *all, const struct life_candidate *candidate)
{
	const struct token_change overdue = {.id = candidate->id, .step = TOKEN_STEP_OVERDUE};
	int64_t since_ms = connected_since(all->app, &candidate->id);
	struct renewal *r;

	/* Not before it is known that no acknowledgement has come. */
	if (candidate->overdue && renewal_proofs_read(all->proofs))
		token_change(all->app, &overdue, NULL, NULL);
	if (candidate->overdue || since_ms == 0 || candidate->told_ms >= since_ms ||
	    find(all, &candidate->id) != NULL)
		return;
	r = add(all, &candidate->id);
	if (r == NULL)
		return; /* the next look finds it again */
	r->connected_ms = since_ms;
	next_steps(all);
}

void renewal_presence(struct renewals *all, const struct presence *p)
{
	const struct app *app = all->app;
	const struct life_candidate candidate = {.id = p->worker};
	const struct record *record;

	if (p->state != PRESENCE_ONLINE)
		return;
	record = roster_find(app->roster, &p->worker);
	if (record != NULL && record->token_expires_ms != 0 &&
	    record->token_expires_ms - clock_unix_ms() <= app->config.renewal_window_s * 1000)
		renewal_consider(all, &candidate);
}

struct renewals *renewals_new(struct app *app, struct err *e)
{
	struct renewals *all = calloc(1, sizeof(*all));

	if (all == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	all->app = app;
	htab_init(&all->by_worker, hash_renewal);
	TAILQ_INIT(&all->queue);
	all->proofs = renewal_proofs_new(app, on_proofs_read, all, e);
	if (all->proofs != NULL)
		return all;
	renewals_free(all);
	return NULL;
}

void renewals_stop(struct renewals *all)
{
	all->stopping = true;
}

void renewals_free(struct renewals *all)
{
	struct renewal *r;
	size_t pos = 0;

	if (all == NULL)
		return;
	while ((r = htab_next(&all->by_worker, &pos)) != NULL) {
		for (struct waiter *w = r->waiters, *next; w != NULL; w = next) {
			next = w->next;
			free(w);
		}
		free_renewal(r);
	}
	htab_fini(&all->by_worker);
	renewal_proofs_free(all->proofs);
	free(all);
}
