// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* roster_sync.h - keeps the roster in step with the database: one small query a second, and
 * what it says has changed. Thread: loop. */
#pragma once

#include "bridge/store/store_worker.h"
#include "bridge/workers/roster.h"

struct roster_sync;

struct roster_sync *roster_sync_new(struct app *app, struct roster *roster,
				    struct err *e) MUST_CHECK;
void roster_sync_free(struct roster_sync *s); /* NULL is fine */

void roster_sync_now(struct roster_sync *s);
bool roster_sync_loaded(const struct roster_sync *s);

/* The roster's side of it. */
void roster_tell_news(struct roster *r, const struct worker_id *id);
void roster_doubt_all(struct roster *r);    /* whatever is read now is newer */
void roster_drop_doubted(struct roster *r); /* what was not read since, is not there any more */
void roster_forget_removed(struct roster *r, int64_t n); /* a reading has reached revision n */
