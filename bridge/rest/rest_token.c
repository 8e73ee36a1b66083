// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Who gets in: POST /workers/{id}/token, /renew, /revoke, /reinstate. */
#include "bridge/rest/rest_worker.h"

#include "bridge/app.h"
#include "bridge/http/routes.h"
#include "bridge/identity/auth.h"
#include "bridge/workers/renewal.h"
#include "bridge/workers/roster.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"

#include <string.h>

#define REASON_MAX 200
#define ANSWER_MAX 1024

static void answer_rotate(struct request *rq, const struct worker_change *c)
{
	change_respond(rq, 200, c, change_write_token);
}

static void write_status(struct jwrite *w, const struct request *rq,
			 const struct worker_change *c)
{
	(void)rq;
	jwrite_str(w, "status", worker_status_name(c->status));
}

static void answer_status(struct request *rq, const struct worker_change *c)
{
	change_respond(rq, 200, c, write_status);
}

/* No body, or an object with these keys at most. */
static enum err_code read_optional(struct request *rq, const char *const keys[],
				   struct worker_change *c, struct err *e)
{
	const char *reason;
	struct jread r;

	if (rq->body == NULL)
		return ERR_OK;
	request_read(rq, &r, e);
	jread_only(&r, keys);
	reason = jread_str_or(&r, "reason", 0, REASON_MAX, NULL);
	if (reason != NULL) {
		c->reason = strdup(reason);
		if (c->reason == NULL)
			err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	return jread_end(&r);
}

static enum err_code change(struct request *rq, enum worker_verb verb, const char *const keys[],
			    void (*answer)(struct request *rq, const struct worker_change *c),
			    struct err *e)
{
	struct worker_change *c = change_of_request(rq);

	if (c == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (read_optional(rq, keys, c, e) != ERR_OK) {
		worker_change_free(c);
		return e->code;
	}
	change_apply(rq, verb, c, answer);
	return ERR_OK;
}

static const char *const no_keys[] = {NULL};
static const char *const reason_key[] = {"reason", NULL};

enum err_code rest_token_rotate(struct request *rq, struct err *e)
{
	return change(rq, WORKER_ROTATE, no_keys, answer_rotate, e);
}

enum err_code rest_worker_revoke(struct request *rq, struct err *e)
{
	return change(rq, WORKER_REVOKE, reason_key, answer_status, e);
}

enum err_code rest_worker_reinstate(struct request *rq, struct err *e)
{
	return change(rq, WORKER_REINSTATE, no_keys, answer_status, e);
}

/* ---- POST /workers/{id}/renew ------------------------------------------------------------ */

static void on_renewed(void *arg, const struct renewal_outcome *outcome, struct err *e)
{
	struct request *rq = arg;
	struct jwrite w;
	struct buf body;

	if (e->code != ERR_OK) {
		respond_error(rq, e);
		return;
	}
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "worker_id", rq->worker.text);
	jwrite_str(&w, "renewal_id", outcome->renewal_id);
	jwrite_time(&w, "token_expires_at", outcome->expires_ms);
	jwrite_i64(&w, "sessions", outcome->sessions);
	jwrite_bool(&w, "enforced", true); /* it is sent only when the plugin knows it */
	jwrite_object_end(&w);
	respond_json(rq, 202, &body);
}

enum err_code rest_token_renew(struct request *rq, struct err *e)
{
	const struct record *record = roster_get(rq->app->roster, &rq->worker, e);
	const struct audit_origin origin = auth_origin(rq);
	struct jread r;

	if (record == NULL)
		return e->code;
	if (record->status == WORKER_REVOKED)
		return err_set(e, ERR_WORKER_REVOKED, NULL);
	if (rq->body != NULL) {
		request_read(rq, &r, e);
		jread_only(&r, no_keys);
		if (jread_end(&r) != ERR_OK)
			return e->code;
	}
	renewal_by_hand(rq->app->renewals, &rq->worker, &origin, on_renewed, rq);
	return ERR_OK;
}
