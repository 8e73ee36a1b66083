// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* token_life.h - how a worker's tokens follow each other: the pure part of renewal. No I/O, no
 * clock, no memory of its own. docs/token-life.md draws it and says why no order of events
 *locks a worker out; tests/unit/test_token_life.c tries orders at random.
 *
 *	life_begin()    a new token is pending; the plugin must know it before it is sent
 *	life_sent()     it is on its way to the sessions
 *	life_confirm()  the worker holds it: it is the current one
 *	life_refuse()   the worker says that it does not
 *	life_overdue()  nothing was heard for too long
 *
 * The caller reads a life under the lock of the worker's revision and writes what changed.
 * Times are Unix milliseconds. Thread: any. */
#pragma once

#include "bridge/workers/directory_entry.h"

#define LIFE_TOKENS_MAX 20
#define LIFE_REASON_MAX 200

/* From its beginning on a new token may be sent for so long, and no other is begun meanwhile:
 * so tokens are sent in the order in which they are made, whichever bridges do it. */
#define LIFE_SENDING_MS 10000

struct life_spans {
	int64_t window_ms;  /* before its end a token is renewed */
	int64_t overlap_ms; /* that the replaced one works on */
	int64_t timeout_ms; /* for an acknowledgement */
	int64_t retry_ms;   /* from a failed renewal to the next one */
};

struct life_token {
	char hash[TOKEN_HEX_LEN + 1];
	enum token_role role;
	bool ended; /* role says what it was */
	int64_t created_ms;
	int64_t sent_ms;      /* 0: not known to have been */
	int64_t given_up_ms;  /* PENDING: nobody waits for an acknowledgement any more; 0: one
			       * does
			       */
	int64_t confirmed_ms; /* when it became the current one by a renewal; 0: it did not */
	int64_t expires_ms;   /* 0: never */
	bool changed;         /* the caller has to write it */
};

struct life {
	enum worker_status status;
	char failure[LIFE_REASON_MAX + 1]; /* of the last renewal; "": it did not fail */
	int64_t failure_ms;
	bool changed;                              /* status or failure */
	struct life_token tokens[LIFE_TOKENS_MAX]; /* oldest first */
	size_t len;
};

/* The token of this role that has not ended (the newest, if there are several); NULL: none. */
struct life_token *life_token_of(struct life *life, enum token_role role);

/* Should a renewal be begun by itself? The worker's first session began at connected_ms. */
bool life_due(struct life *life, const struct life_spans *spans, int64_t connected_ms,
	      int64_t now_ms);

/* Another bridge may be about to send one: come back later. */
bool life_is_sending(struct life *life, int64_t now_ms);

/* Adds a pending token. False if the worker is revoked or has no token that could be renewed.
 */
bool life_begin(struct life *life, const char *hash, int64_t expires_ms,
		int64_t now_ms) MUST_CHECK;

/* The others return true if they changed something. */

/* It was sent. Pending ones that were given up end here, not before. */
bool life_sent(struct life *life, const char *hash, int64_t now_ms);

/* It certainly reached nobody: it ends. */
bool life_unsent(struct life *life, const char *hash);

/* Who says so: an acknowledgement counts only for the pending token last sent; a login shows
 * that the worker holds the token, whatever was sent since. */
enum life_proof { LIFE_ACK, LIFE_LOGIN };
bool life_confirm(struct life *life, const char *renewal_id, enum life_proof proof,
		  const struct life_spans *spans, int64_t now_ms);

/* `renewal_id` NULL: the one last sent. */
bool life_refuse(struct life *life, const char *renewal_id, const char *reason, int64_t now_ms);

bool life_overdue(struct life *life, const struct life_spans *spans, int64_t now_ms);
