// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* renewal.h - new tokens for workers, over their live sessions (docs/token-life.md).
 *
 *	renewal_begin()   by hand, or because the token's time is running out: the new token is
 *			  committed as pending, made known to the plugin, sent to all sessions,
 *			  and noted as sent
 *	renewal_heard()   the worker's answer, or what the plugin says it has shown
 *
 * The token is in memory from its making until it is sent, and nowhere else: where the bridge
 * dies between, another one is made. Thread: loop. */
#pragma once

#include "bridge/store/store_audit.h"
#include "bridge/store/store_life.h"
#include "protocol/presence.h"

struct app;
struct renewals;

struct renewals *renewals_new(struct app *app, struct err *e) MUST_CHECK;
void renewals_free(struct renewals *r); /* NULL is fine */

/* The bridge is being stopped: what is under way is left as it is, which any bridge can go on
 * from. */
void renewals_stop(struct renewals *r);

/* What became of a renewal by hand. */
struct renewal_outcome {
	char renewal_id[RENEWAL_ID_LEN + 1];
	int64_t expires_ms; /* of the new token */
	int64_t sessions;   /* that it was sent to */
};
typedef void (*renewal_done_f)(void *arg, const struct renewal_outcome *outcome, struct err *e);

/* Renews now. `done` is called once, later: with ERR_WORKER_NOT_CONNECTED, ERR_WORKER_REVOKED,
 * ERR_CONFLICT (another bridge is at it) or what else went wrong. Who asks while a renewal of
 * this worker is being sent shares its outcome. */
void renewal_by_hand(struct renewals *r, const struct worker_id *id,
		     const struct audit_origin *origin, renewal_done_f done, void *arg);

/* One that may be due: renewed if its worker is connected and the rules say so. */
void renewal_consider(struct renewals *r, const struct life_candidate *candidate);

/* A worker's event: one that has just come may be due. */
void renewal_presence(struct renewals *r, const struct presence *p);

/* A message on `workers/{id}/token/ack`. */
void renewal_ack_receive(struct app *app, const struct worker_id *id, const char *payload,
			 size_t len);
