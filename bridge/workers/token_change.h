// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* token_change.h - one step in the life of a worker's tokens: read it, let token_life.c decide,
 * write what changed with the next revision and an audit row, apply it to the roster, push it
 * to the plugin. Several bridges may try the same step: the one that changes something writes.
 *
 * Thread: loop. */
#pragma once

#include "bridge/store/store_audit.h"
#include "bridge/workers/token_life.h"

struct app;
struct config;

enum token_step {
	TOKEN_STEP_BEGIN,   /* hash, expires_ms, connected_ms, by_hand */
	TOKEN_STEP_SENT,    /* hash */
	TOKEN_STEP_UNSENT,  /* hash */
	TOKEN_STEP_CONFIRM, /* renewal_id, proof */
	TOKEN_STEP_REFUSE,  /* renewal_id ("": the last one sent), reason */
	TOKEN_STEP_OVERDUE,
};

struct token_change {
	struct worker_id id;
	enum token_step step;
	char hash[TOKEN_HEX_LEN + 1];
	int64_t expires_ms;
	int64_t connected_ms; /* since when the worker has a session */
	bool by_hand;         /* somebody asked for it, so it need not be due */
	char renewal_id[RENEWAL_ID_LEN + 1];
	enum life_proof proof;
	char reason[LIFE_REASON_MAX + 1];
	struct audit_origin origin; /* of BEGIN by hand; empty: the system, or the worker */
};

/* `changed` is false where the step was not (any more) to be made, which is no error. */
typedef void (*token_changed_f)(void *arg, bool changed, struct err *e);

/* Copies the change. `done` is called once, later: when it is committed (the push is then under
 * way, which BEGIN leaves to the caller). May be NULL. */
void token_change(struct app *app, const struct token_change *change, token_changed_f done,
		  void *arg);

struct life_spans token_life_spans(const struct config *config);
