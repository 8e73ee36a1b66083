// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* follow.h - was anything missed? The pure part of the mirror: positions in a node's stream of
 * presence events, and what each new one means. No I/O, no clock. */
#pragma once

#include "protocol/presence.h"

#include <stdbool.h>

struct follow {
	bool known; /* false: the next position heard is where the stream begins */
	struct presence_pos last;
};

enum follow_step {
	FOLLOW_NEXT,   /* as it should be */
	FOLLOW_BEFORE, /* known already: harmless, since the newer wins per object */
	FOLLOW_GAP, /* what is known cannot be trusted: something was missed, or made up, or the
		       node began a new life */
};

/* Forgets the stream: what comes next is its beginning. */
void follow_reset(struct follow *f);

/* True if this is the last position heard. */
bool follow_at(const struct follow *f, struct presence_pos pos);

/* An event came. After a gap the stream goes on from it. */
enum follow_step follow_event(struct follow *f, struct presence_pos pos);

/* A heartbeat says which event was the last. One that is ahead of what was heard means that
 * something was missed; one that is behind, that something was heard which that node did not
 * say. After either the stream goes on from there. */
enum follow_step follow_heartbeat(struct follow *f, struct presence_pos pos);
