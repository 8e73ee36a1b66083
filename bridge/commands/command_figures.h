// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_figures.h - how many commands this bridge brought into which state, and how long
 * after the order. A state that two bridges hear of is counted by the one whose update changed
 * the row. Thread: loop. */
#pragma once

#include "bridge/store/store_command.h"

struct prom;

/* A command was recorded. */
void command_figures_queued(void);

/* What came of an update that is committed; nothing where it changed nothing. */
void command_figures_stand(const struct command_standing *standing);

void command_figures_expose(struct prom *p);
