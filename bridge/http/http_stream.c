// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* libmicrohttpd asks for bytes again and again while a connection can take some. When there are
 * none yet the connection is suspended, since it would be asked in every turn otherwise. */
#include "bridge/http/http_stream.h"

#include "bridge/http/http_request.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BLOCK_BYTES ((size_t)64 * 1024)

struct stream {
	struct request_http *rh;
	struct stream_source source;
	struct buf bytes;
	size_t taken; /* of them */
	bool asked;   /* the source knows that it is its turn */
	bool ended, failed;
};

void stream_free(struct stream *s)
{
	if (s == NULL)
		return;
	if (s->source.closed != NULL)
		s->source.closed(s->source.arg);
	buf_fini(&s->bytes);
	free(s);
}

static ssize_t take(struct stream *s, char *out, size_t max)
{
	const size_t left = s->bytes.len - s->taken, n = left < max ? left : max;

	/* Asked for the next bytes, so the last ones have been read. */
	http_step(s->rh, HTTP_STEP_ANSWER, 0);
	memcpy(out, s->bytes.data + s->taken, n);
	s->taken += n;
	if (s->taken == s->bytes.len) {
		buf_fini(&s->bytes);
		s->taken = 0;
	}
	return (ssize_t)n;
}

static ssize_t on_reader(void *cls, uint64_t pos, char *out, size_t max)
{
	struct stream *s = cls;

	(void)pos;
	if (s->bytes.len == 0 && !s->asked && !s->ended && !s->failed) {
		s->asked = true;
		s->source.more(s->source.arg);
	}
	if (s->bytes.len > 0)
		return take(s, out, max);
	if (s->failed || http_stopping(s->rh))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (s->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	http_suspend(s->rh);
	return 0;
}

static void on_free(void *cls)
{
	stream_free(cls);
}

struct MHD_Response *stream_response(struct stream *s)
{
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_reader, s,
						 on_free);
}

struct stream *respond_stream(struct request *rq, unsigned status, const char *type,
			      const struct stream_source *source, struct buf *first)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct err e;

	if (s == NULL || first->failed) {
		free(s);
		err_set(&e, ERR_OUT_OF_MEMORY, NULL);
		respond_error(rq, &e);
		return NULL;
	}
	*s = (struct stream){.rh = rq->http, .bytes = *first};
	*first = (struct buf){.max = first->max};
	respond_header(rq, "Content-Type", type);
	/* libmicrohttpd 0.9.75 sends the last chunk of an answer to HEAD, which then stands
	 * before the next answer. */
	if (!http_attended(rq->http) || strcmp(rq->http->method_text, "HEAD") == 0) {
		stream_free(s);
		respond_empty(rq, status);
		return NULL;
	}
	s->source = *source;
	rq->http->stream = s;
	respond_empty(rq, status);
	return s;
}

static void go_on(struct stream *s)
{
	s->asked = false;
	http_resume(s->rh);
}

void stream_write(struct stream *s, struct buf *bytes)
{
	if (bytes->failed) {
		buf_fini(bytes);
		stream_fail(s);
		return;
	}
	s->bytes = *bytes;
	*bytes = (struct buf){.max = bytes->max};
	go_on(s);
}

void stream_end(struct stream *s)
{
	s->ended = true;
	go_on(s);
}

void stream_fail(struct stream *s)
{
	s->failed = true;
	go_on(s);
}

void stream_drop(struct stream *s)
{
	const union MHD_ConnectionInfo *info = NULL;

	if (http_attended(s->rh))
		info = MHD_get_connection_info(s->rh->connection,
					       MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info != NULL)
		shutdown(info->connect_fd, SHUT_RDWR);
	stream_fail(s);
}
