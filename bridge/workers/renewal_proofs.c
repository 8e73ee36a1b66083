// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/renewal_proofs.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/base/tally.h"
#include "bridge/mqtt/broker.h"
#include "bridge/mqtt/control.h"
#include "bridge/workers/renewal.h"
#include "bridge/workers/token_change.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 250
#define TIMEOUT_MS 5000
#define RETRY_MS 500

struct renewal_proofs {
	struct app *app;
	struct broker_listener listener;
	struct timer *retry;
	void (*read)(void *arg);
	void *arg;
	char next[WORKER_ID_MAX + 1]; /* where the list goes on; "" at its end */
	size_t open;                  /* changes of this page that are under way */
	bool listing, failed, again, whole;
};

static void list(struct renewal_proofs *p);

/* ---- one proof --------------------------------------------------------------------------- */

static enum err_code read_proof(struct json_object *doc, struct token_change *out,
				struct err *e)
{
	const char *id, *renewal_id, *by;
	struct jread r;

	*out = (struct token_change){.step = TOKEN_STEP_CONFIRM};
	jread_begin(&r, doc, e);
	id = jread_str(&r, "worker_id", 1, WORKER_ID_MAX);
	renewal_id = jread_str(&r, "renewal_id", 1, RENEWAL_ID_LEN);
	by = jread_str(&r, "by", 1, 32);
	if (jread_end(&r) != ERR_OK)
		return e->code;
	if (!worker_id_parse(id, strlen(id), &out->id))
		return err_set(e, ERR_INVALID_REQUEST, "worker_id: is not a worker id");
	snprintf(out->renewal_id, sizeof(out->renewal_id), "%s", renewal_id);
	out->proof = strcmp(by, "login") == 0 ? LIFE_LOGIN : LIFE_ACK;
	return ERR_OK;
}

/* ---- those that the plugin kept ---------------------------------------------------------- */

static void try_again(struct renewal_proofs *p)
{
	p->listing = false;
	if (broker_connected(p->app->broker))
		timer_once(p->retry, RETRY_MS);
}

static void page_done(struct renewal_proofs *p)
{
	if (p->open > 0)
		return;
	if (p->failed || p->again) {
		try_again(p);
	} else if (p->next[0] != '\0') {
		list(p);
	} else {
		p->listing = false;
		p->whole = true;
		p->read(p->arg);
	}
}

static void on_confirmed(void *arg, bool changed, struct err *e)
{
	struct renewal_proofs *p = arg;

	(void)changed;
	/* A worker that is gone needs no token. */
	if (e->code != ERR_OK && e->code != ERR_WORKER_NOT_FOUND)
		p->failed = true;
	p->open--;
	page_done(p);
}

static void take_page(struct renewal_proofs *p, struct json_object *proofs)
{
	struct token_change change;
	struct err e = {0};

	p->open = 1; /* until the page is through */
	for (size_t i = 0; i < json_object_array_length(proofs); i++) {
		if (read_proof(json_object_array_get_idx(proofs, i), &change, &e) != ERR_OK) {
			log_warn("renewal", "proof that cannot be read: %s", e.msg);
			e.code = ERR_OK;
			continue;
		}
		p->open++;
		token_change(p->app, &change, on_confirmed, p);
	}
	p->open--;
	page_done(p);
}

static void on_page(void *arg, struct json_object *data, struct err *e)
{
	struct renewal_proofs *p = arg;
	struct json_object *proofs = NULL;
	const char *next = NULL;
	struct jread r;

	if (data != NULL) {
		jread_begin(&r, data, e);
		proofs = jread_array(&r, "proofs", 0, PAGE);
		next = jread_str_or(&r, "next", 1, WORKER_ID_MAX, NULL);
	}
	if (e->code != ERR_OK || proofs == NULL) {
		try_again(p);
		return;
	}
	snprintf(p->next, sizeof(p->next), "%s", next != NULL ? next : "");
	take_page(p, proofs);
}

static void list(struct renewal_proofs *p)
{
	struct buf fields;
	struct jwrite w;

	buf_init(&fields, 512);
	jwrite_begin(&w, &fields);
	jwrite_i64(&w, "limit", PAGE);
	if (p->next[0] != '\0')
		jwrite_str(&w, "after", p->next);
	control_call(p->app->control, "listTokenProofs", &fields, TIMEOUT_MS, on_page, p);
	buf_fini(&fields);
}

static void start(void *arg)
{
	struct renewal_proofs *p = arg;

	if (p->listing || !broker_connected(p->app->broker))
		return;
	p->listing = true;
	p->failed = p->again = false;
	p->next[0] = '\0';
	list(p);
}

/* ---- those that come --------------------------------------------------------------------- */

static void on_told(void *arg, bool changed, struct err *e)
{
	struct renewal_proofs *p = arg;

	(void)changed;
	/* The plugin keeps it: read again what it has. */
	if (e->code != ERR_OK && e->code != ERR_WORKER_NOT_FOUND) {
		p->again = true;
		p->whole = false;
		timer_once(p->retry, RETRY_MS);
	}
}

static void on_message(void *arg, const char *topic, const char *payload, size_t len)
{
	struct renewal_proofs *p = arg;
	struct token_change change;
	struct err e = {0};
	struct json_object *doc = jread_parse(payload, len, &e);

	(void)topic;
	if (doc != NULL && read_proof(doc, &change, &e) == ERR_OK)
		token_change(p->app, &change, on_told, p);
	else
		log_warn("renewal", "proof that cannot be read: %s", e.msg);
	json_object_put(doc);
}

static enum err_code read_ack(struct json_object *doc, struct token_change *out, bool *success,
			      struct err *e)
{
	const char *renewal_id, *error;
	struct jread r;

	jread_begin(&r, doc, e);
	*success = jread_bool_or(&r, "success", false);
	if (jread_any(&r, "success") == NULL)
		jread_fail(&r, "success", "is required");
	renewal_id = jread_str_or(&r, "renewal_id", 0, RENEWAL_ID_LEN, "");
	error = jread_str_or(&r, "error", 0, LIFE_REASON_MAX, "");
	if (jread_end(&r) != ERR_OK)
		return e->code;
	snprintf(out->renewal_id, sizeof(out->renewal_id), "%s", renewal_id);
	snprintf(out->reason, sizeof(out->reason), "%s",
		 *error != '\0' ? error : "the worker refused its new token");
	return ERR_OK;
}

/* What the worker says by itself. An acceptance also comes as the plugin's proof, which is kept
 * where no bridge hears this one; a refusal that is not heard is a renewal that is not
 * acknowledged in time. */
void renewal_ack_receive(struct app *app, const struct worker_id *id, const char *payload,
			 size_t len)
{
	struct token_change change = {.id = *id};
	struct err e = {0};
	struct json_object *doc = jread_parse(payload, len, &e);
	bool success = false;

	if (doc == NULL || read_ack(doc, &change, &success, &e) != ERR_OK) {
		tally_add(TALLY_MESSAGES_STRAY);
		log_debug("renewal", "worker=%s acknowledgement left out: %s", id->text, e.msg);
	} else if (!success) {
		change.step = TOKEN_STEP_REFUSE;
		token_change(app, &change, NULL, NULL);
	}
	json_object_put(doc);
}

/* ---- life -------------------------------------------------------------------------------- */

static bool wants(void *arg, const char *topic)
{
	(void)arg;
	return strcmp(topic, TOPIC_TOKEN) == 0;
}

static void on_connected(void *arg)
{
	struct renewal_proofs *p = arg;

	/* A list that was under way is answered with an error, and begins anew. */
	p->again = true;
	timer_once(p->retry, 0);
}

static void on_disconnected(void *arg)
{
	((struct renewal_proofs *)arg)->whole = false;
}

bool renewal_proofs_read(const struct renewal_proofs *p)
{
	return p->whole;
}

struct renewal_proofs *renewal_proofs_new(struct app *app, void (*read)(void *arg), void *arg,
					  struct err *e)
{
	struct renewal_proofs *p = calloc(1, sizeof(*p));

	if (p != NULL) {
		*p = (struct renewal_proofs){.app = app, .read = read, .arg = arg};
		p->retry = timer_new(app->loop, start, p);
	}
	if (p == NULL || p->retry == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		free(p);
		return NULL;
	}
	p->listener = (struct broker_listener){.filter = TOPIC_TOKEN,
					       .wants = wants,
					       .message = on_message,
					       .connected = on_connected,
					       .disconnected = on_disconnected,
					       .arg = p};
	broker_listen(app->broker, &p->listener);
	return p;
}

void renewal_proofs_free(struct renewal_proofs *p)
{
	if (p == NULL)
		return;
	timer_free(p->retry);
	free(p);
}
