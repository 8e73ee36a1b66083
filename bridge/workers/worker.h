// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* worker.h - changes of a worker, from the request to the plugin: commit with the next revision
 * and an audit row, apply to the roster, push to the plugin where it has to enforce the change.
 *
 * Thread: loop. */
#pragma once

#include "bridge/store/store_batch.h"
#include "bridge/workers/roster.h"

enum worker_verb {
	WORKER_CREATE, /* wants name; makes id and token */
	WORKER_CHANGE, /* name, tags; what is not given stays */
	WORKER_ROTATE, /* makes a new token, ends all others; WORKER_REVOKED refuses */
	WORKER_REVOKE, /* wants reason; keeps the current token, of no use until reinstated */
	WORKER_REINSTATE, /* active again; nothing changes for one that was not revoked */
	WORKER_DELETE,
};

/* One change. The caller fills the first part, and frees all with worker_change_free(). */
struct worker_change {
	struct worker_id id;
	char *name;  /* owned; NULL: stays */
	char **tags; /* owned, tags_len of them; NULL: stay */
	size_t tags_len;
	char *reason; /* owned; NULL: none given */
	char actor[65], address[64], request_id[33];

	/* The outcome. */
	enum worker_status status; /* as committed */
	struct token token;        /* of CREATE and ROTATE */
	int64_t token_expires_ms;
	int64_t revision;
	bool enforced; /* durable in the plugin */

	/* worker.c's. */
	struct record *record;         /* as committed, on its way to the roster */
	struct batch_taken_list taken; /* commands that a deletion has taken back */
	struct app *app;
	enum worker_verb verb;
	int64_t now_ms;
	void (*done)(void *arg, struct worker_change *change, struct err *e);
	void *arg;
};

/* Calls `done` once, later. */
void worker_apply(struct app *app, enum worker_verb verb, struct worker_change *change,
		  void (*done)(void *arg, struct worker_change *change, struct err *e),
		  void *arg);

void worker_change_free(struct worker_change *change); /* wipes the token; NULL is fine */
