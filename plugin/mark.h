// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* mark.h - one line in a small file that says, after a crash, whether the records that are
 * there are all that the broker acted on.
 *
 * The line is written over in place, which needs no space on a disk that is full. It names the
 * boot of the machine, too: what the machine's end (a power cut) took out of the page cache,
 * nobody could have written down.
 *
 * Owns:   a descriptor. Thread: the broker's.
 */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>

enum mark_state {
	MARK_RUNNING, /* all that was acted on is in the journal or durable */
	MARK_LACKING, /* some is in memory alone */
	MARK_STOPPED, /* all is durable */
};

struct mark {
	int fd;
	enum mark_state state;
};

/* Opens (creates) `dir`/state. *may_lack: the earlier life ended in a way that may have lost
 * records. */
enum err_code mark_open(struct mark *m, const char *dir, bool *may_lack,
			struct err *e) MUST_CHECK;
void mark_close(struct mark *m);

/* Writes, and does not wait for the disk. A disk that refuses even this is left alone: it is
 * said elsewhere that it refuses. */
void mark_set(struct mark *m, enum mark_state state);

/* Writes, and waits for the disk. For start and stop. */
enum err_code mark_set_durably(struct mark *m, enum mark_state state, struct err *e) MUST_CHECK;
