// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* http_stream.h - an answer that is made piece by piece, so that it need not fit into memory.
 *
 * The source is asked for `more` when all that it gave has been taken by the connection, so a
 * slow client slows the source down and nothing piles up. It answers then or later with
 * stream_write(), stream_end() or stream_fail(). Thread: loop.
 */
#pragma once

#include "bridge/http/http.h"

struct stream;

struct stream_source {
	void (*more)(void *arg);
	/* Once, when the answer was sent or the client has left: the stream is gone. */
	void (*closed)(void *arg);
	void *arg;
};

/* Answers the request; takes the bytes of `first`, which may be empty. NULL: nobody waits
 * for a body (any more), and the source's functions are never called. */
struct stream *respond_stream(struct request *rq, unsigned status, const char *type,
			      const struct stream_source *source, struct buf *first);

/* Takes the bytes, at least one. Only after `more`, or before the first one. */
void stream_write(struct stream *s, struct buf *bytes);

/* That was all. */
void stream_end(struct stream *s);

/* There is no more, but there should be: the connection breaks, so that the client does not
 * take what it got for the whole. */
void stream_fail(struct stream *s);

/* The connection breaks, even if its client has ceased to read and will never ask for more. */
void stream_drop(struct stream *s);
