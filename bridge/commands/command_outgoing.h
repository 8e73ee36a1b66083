// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_outgoing.h - commands that this bridge is to send now, in a list. Pure. */
#pragma once

#include "bridge/store/store_command.h"

/* Owns its texts. */
struct outgoing {
	struct command_row row;
	char *texts[COMMAND_ROW_TEXTS]; /* what the row points to */
	int64_t generation;  /* the session that it is for, then the one that it reached */
	bool reached_nobody; /* the plugin said so */
	struct command_standing standing;
	struct outgoing *next;
};

/* Copies the row. NULL: out of memory. */
struct outgoing *outgoing_new(const struct command_row *row);
void outgoing_free_all(struct outgoing **list);
