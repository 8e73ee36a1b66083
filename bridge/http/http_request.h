// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* http_request.h - a request's life between http.c (libmicrohttpd) and the handlers.
 *
 * The connection and the request may end in either order: a client leaves, or the bridge stops,
 * while a handler still waits for the database. So the memory stays until the handler has
 * answered *and* the connection is done. */
#pragma once

#include "bridge/http/http.h"
#include "bridge/http/http_peers.h"
#include "bridge/http/packer.h"
#include "bridge/http/router.h"
#include "protocol/log.h"

#define HTTP_BODY_MAX ((size_t)1024 * 1024)
#define HTTP_BODY_MAX_OPEN ((size_t)256 * 1024) /* of whoever comes along */
#define HTTP_HEADERS_MAX 12
#define HTTP_FORWARDED_MAX ((size_t)4096) /* of X-Forwarded-For */

struct MHD_Connection;

/* What a server serves. */
enum http_serves { HTTP_SERVES_ALL, HTTP_SERVES_REST, HTTP_SERVES_OPERATORS };

enum request_phase {
	REQUEST_NEW,      /* before the handler's first call */
	REQUEST_READING,  /* its body arrives */
	REQUEST_HANDLING, /* a handler has it, and answers before it returns or later */
	REQUEST_ANSWERED, /* the answer waits to be sent, or is being sent */
};

struct http_header {
	const char *name; /* a literal */
	char *value;
};

struct request_http {
	struct request rq; /* what handlers see */
	struct http *server;
	struct MHD_Connection *connection; /* NULL once it is done */
	struct request_http *prev, *next;  /* the server's list */

	enum http_serves serves; /* its server */
	enum request_phase phase;
	bool suspended;
	enum http_method method;
	char method_text[16]; /* for the log */
	struct url url;
	struct route_match match;
	struct buf upload;
	size_t body_max;
	size_t upload_len; /* with what was thrown away */
	struct err early;  /* an error that was clear before the body came */
	int64_t began_us;

	unsigned status;
	struct buf answer;
	struct packer_job pack; /* while it is compressed elsewhere */
	struct stream *stream;  /* instead of it; the response's as soon as there is one */
	size_t headers_len;
	struct http_header headers[HTTP_HEADERS_MAX];
};

/* NULL: out of memory. */
struct request_http *request_new(struct http *server, struct app *app, const char *target);
void request_free(struct request_http *rh);

/* Once the header is there: method, route, who asks. Errors go to rh->early. */
void request_begin(struct request_http *rh);

/* What is logged from here on is this request's doing; what it was before. */
struct log_cause request_set_cause(const struct request *rq);

/* Parses the body and calls the handler, or answers the early error. */
void request_handle(struct request_http *rh);

/* http_stream.c's: hands the stream over to a response, which frees it; frees it. */
struct stream;
struct MHD_Response *stream_response(struct stream *s);
void stream_free(struct stream *s); /* NULL is fine */

/* http.c's: is there still a client? Wait for bytes; there are some; is the bridge ending? */
bool http_attended(const struct request_http *rh);
void http_suspend(struct request_http *rh);
void http_resume(struct request_http *rh); /* nothing happens for one that does not wait */
bool http_stopping(const struct request_http *rh);

/* http.c's: what the request's connection is waited for from now on. */
void http_step(struct request_http *rh, enum http_step to, size_t bytes);

/* http.c's: the answer is complete; sends it as soon as the connection is ready for it. */
void http_answered(struct request_http *rh);
