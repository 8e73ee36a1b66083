// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* mirror_table.h - the mirror's entries: the last event of each connection object, by worker
 * id. Newer wins by (boot, seq); what all of them add up to is kept beside them. Pure but for
 * memory. Thread: loop. */
#pragma once

#include "protocol/digest.h"
#include "protocol/htab.h"

struct mirror_table {
	struct htab entries;
	struct digest digest;              /* of all entries */
	size_t by_state[PRESENCE_UNKNOWN]; /* entries in that state */
	int64_t sessions;
	size_t deleted; /* entries whose worker is */
};

void mirror_table_init(struct mirror_table *t);

/* Forgets all entries. The table may be used again. */
void mirror_table_clear(struct mirror_table *t);

/* NULL: none, or its worker is deleted. Borrowed until the next change. */
const struct presence *mirror_table_find(const struct mirror_table *t,
					 const struct worker_id *id);

/* Takes an event or a listed object, whichever is newer. `listing`: pages that are older than
 * this may still come, so what is known of a deleted worker stays, out of sight. False: out of
 * memory, so the table lacks something. */
bool mirror_table_apply(struct mirror_table *t, const struct presence *p,
			bool listing) MUST_CHECK;

/* Moves all entries of `from` to `t`; of two, the newer one stays. False: out of memory, so `t`
 * lacks some of them; `from` is empty all the same. */
bool mirror_table_move(struct mirror_table *t, struct mirror_table *from) MUST_CHECK;

/* True if something in `before` that `matters` is missing here, or stands where it stood
 * earlier: what has followed every event up to here would not know. */
bool mirror_table_lacks(const struct mirror_table *t, const struct mirror_table *before,
			bool (*matters)(void *arg, const struct worker_id *id), void *arg);

/* The list is complete: forgets deleted workers. */
void mirror_table_sweep(struct mirror_table *t);
