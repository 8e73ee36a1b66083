// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* backstage.h - a thread beside the loop for what would take the loop's time: one job at a
 * time, each handed over whole and handed back when it is done. Thread: loop.
 */
#pragma once

#include "bridge/base/loop.h"

struct backstage;

/* Of those that wait, the ones in front go first. */
enum backstage_row { BACKSTAGE_FRONT, BACKSTAGE_BACK, BACKSTAGE_ROWS };

/* Part of its owner, who keeps it until `done` was called. */
struct backstage_job {
	void (*work)(void *arg); /* on the thread */
	void (*done)(void *arg); /* on the loop, later */
	void *arg;

	/* backstage.c's. */
	struct backstage_job *next;
	struct loop_post post;
};

/* `what`: what the thread is for, if it cannot be started. */
struct backstage *backstage_new(struct loop *loop, const char *what, struct err *e) MUST_CHECK;

/* Never fails. After backstage_close() the job is done without having been worked on. */
void backstage_submit(struct backstage *b, enum backstage_row row, struct backstage_job *job);

/* Returns when all that was submitted is done. Before whoever waits for it is freed. */
void backstage_close(struct backstage *b);
void backstage_free(struct backstage *b); /* closes it; NULL is fine */
