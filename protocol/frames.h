// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* frames.h - messages of several workers in one, as the plugin hands metrics to bridges: for
 * each a line "{worker id} {length}", and then so many bytes as they came. Pure. */
#pragma once

#include "protocol/buf.h"
#include "protocol/ident.h"

/* What frame_write() adds to the payload at most. */
#define FRAME_HEAD_MAX (WORKER_ID_MAX + 1 + 20 + 1)

void frame_write(struct buf *out, const struct worker_id *worker, const void *payload,
		 size_t len);

/* What is left to be read. */
struct frames {
	const char *at, *end;
};

/* Takes the next one off; `payload` is borrowed. False: no more, or not in this form. What was
 * in order before is good all the same; *f is then not at its end. */
bool frame_next(struct frames *f, struct worker_id *worker, const char **payload, size_t *len);
