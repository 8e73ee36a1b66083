// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* directory.h - keeps the plugin's directory in step with the database, by revision.
 *
 * After every connect, and every few minutes, a full synchronisation (beginSync, putWorkers in
 * pages, endSync); after every change, a push of that worker. What could not be pushed is
 * pushed again until it could. Where the plugin knows revisions that the database does not, the
 * database was restored from a backup: the newer revocations, deletions and token changes are
 * taken back from the plugin and the epoch changes (docs/adr/0007-directory-sync.md).
 *
 * Thread: loop.
 */
#pragma once

#include "protocol/err.h"
#include "protocol/ident.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct app;
struct directory;

struct directory *directory_new(struct app *app, struct err *e) MUST_CHECK;
void directory_free(struct directory *d); /* NULL is fine */

/* Pushes the worker's committed state (or its deletion). `done` is called once: true as soon as
 * the plugin says it is durable, false after a second, when it goes on being tried. */
void directory_push(struct directory *d, const struct worker_id *id,
		    void (*done)(void *arg, bool enforced), void *arg);

/* Workers with a change that still waits for the plugin. */
size_t directory_pending(const struct directory *d);

/* How long the one that waits longest has waited; 0 if none does. */
int64_t directory_waiting_us(const struct directory *d);

/* False until the plugin has once been in step during this process's life. */
bool directory_in_step(const struct directory *d);

/* False while a change of this worker still waits for the plugin. */
bool directory_enforced(const struct directory *d, const struct worker_id *id);
