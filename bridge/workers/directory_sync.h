// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* directory_sync.h - full synchronisations of the plugin's directory with the database, and the
 * recovery of a database that turns out to be older than the plugin (a restored backup).
 * docs/adr/0007-directory-sync.md. Thread: loop. */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>

struct app;
struct directory_sync;

/* `synced` is called after each synchronisation that went through. */
struct directory_sync *directory_sync_new(struct app *app, void (*synced)(void *arg), void *arg,
					  struct err *e) MUST_CHECK;
void directory_sync_free(struct directory_sync *s); /* NULL is fine */

/* Starts one soon; one that is under way is followed by another. It goes on being tried. */
void directory_sync_request(struct directory_sync *s);

/* False until the plugin has once been in step during this process's life. */
bool directory_sync_done_once(const struct directory_sync *s);
