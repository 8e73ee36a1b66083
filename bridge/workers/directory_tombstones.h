// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* directory_tombstones.h - tells the plugin of every worker that the database says was deleted.
 * Thread: loop. */
#pragma once

#include "protocol/err.h"

struct app;

/* Sends all tombstones, which belong to `epoch`, in pages; `done` is called once: when
 * the last page is durable in the plugin, or at the first failure. */
void directory_send_tombstones(struct app *app, const char *epoch,
			       void (*done)(void *arg, struct err *e), void *arg);
