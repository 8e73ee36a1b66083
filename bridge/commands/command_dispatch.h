// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_dispatch.h - many commands at once: has them delivered in their order, records what
 * the plugin said of all in one transaction, tells those who listen. Thread: loop. */
#pragma once

#include "bridge/commands/command_outgoing.h"

struct app;

/* Takes the list. Those that are kept stay as they are where nobody was there; the others have
 * failed then. `done` is called once; at once where there is nothing to be done. */
void command_dispatch(struct app *app, struct outgoing *list, void (*done)(void *arg),
		      void *arg);
