// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* proof.h - workers that have shown to hold their pending token: by a login with it, or by
 * acknowledging it. The bridge makes it the current one; until it has, the proof is kept, so
 * that it outlives a bridge that is away and a broker that dies (docs/token-life.md).
 *
 * Thread: the broker's. */
#pragma once

#include "plugin/directory.h"
#include "plugin/publish.h"

enum proof_how { PROOF_LOGIN, PROOF_ACK };

struct proof {
	struct worker_id id;
	struct token_hash hash;
	enum proof_how how;
	int64_t at_ms;
};

const char *proof_how_name(enum proof_how how); /* "login", "acknowledgement" */

/* Stores the proof in place of an older one, and tells it on TOPIC_TOKEN. */
void proof_note(struct store *s, struct publish *p, const struct worker_id *id,
		const struct token_hash *hash, enum proof_how how);

/* The entry is new: a proof of what is no pending token (any more) goes. */
void proof_settle(struct store *s, const struct dir_entry *entry);

/* False if the stored record is damaged. */
bool proof_decode(const char *key, size_t key_len, struct slice value, struct proof *out);

/* The pending token that this payload of `workers/{id}/token/ack` says was saved; NULL if it
 * says something else. */
const struct dir_token *proof_acknowledged(const struct dir_entry *entry, const char *payload,
					   size_t len);
