// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* gather.h - metrics on their way to the bridges: those of some turns of the broker's loop go
 * out together, at most one batch in 2 ms, since a packet and a system call for each would cost
 * the broker as much as taking them in. Thread: the broker's. */
#pragma once

#include "plugin/publish.h"
#include "protocol/buf.h"
#include "protocol/ident.h"

struct gather {
	struct publish *publish;
	struct buf batch;
	int64_t sent_us; /* the last one */
};

void gather_open(struct gather *g, struct publish *publish);
void gather_close(struct gather *g);

/* A message of a worker, as it came. Copied. */
void gather_add(struct gather *g, const struct worker_id *worker, const void *payload,
		size_t len);

/* The turn's end, before publish_flush(). True: something waits for a later turn. */
bool gather_tick(struct gather *g, int64_t now_us);
