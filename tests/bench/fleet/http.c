// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REQUEST_MAX 4096

/* The length of a chunked body (RFC 9112 section 7.1), 0 while it is incomplete. */
static size_t chunked_length(const char *p, size_t len)
{
	size_t at = 0, chunk;

	for (;;) {
		const char *end = memmem(p + at, len - at, "\r\n", 2);

		if (end == NULL)
			return 0;
		chunk = strtoull(p + at, NULL, 16);
		at = (size_t)(end - p) + 2 + chunk + 2;
		if (at > len)
			return 0;
		if (chunk == 0)
			return at;
	}
}

/* The first header field of that name, NULL if there is none. */
static const char *field(const char *head, const char *end, const char *name)
{
	const char *line = head, *next;

	while ((next = memmem(line, (size_t)(end - line), "\r\n", 2)) != NULL) {
		line = next + 2;
		if (strncasecmp(line, name, strlen(name)) == 0)
			return line + strlen(name);
	}
	return NULL;
}

/* The length of the answer at the start of `data`, 0 while it is incomplete. */
static size_t take_answer(const char *data, size_t len, struct http_answer *out)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4), *length;
	size_t head, body;

	if (end == NULL || len < 12)
		return 0;
	end += 2;
	head = (size_t)(end - data) + 2;
	length = field(data, end, "content-length:");
	if (length != NULL) {
		body = strtoull(length, NULL, 10);
		if (len - head < body)
			return 0;
	} else if (field(data, end, "transfer-encoding:") != NULL) {
		body = chunked_length(data + head, len - head);
		if (body == 0)
			return 0;
	} else {
		body = 0;
	}
	*out = (struct http_answer){atoi(data + 9), data + head, body};
	return head + body;
}

static struct http *of_conn(struct conn *c)
{
	return (struct http *)c; /* its first member */
}

static void opened(struct conn *c)
{
	of_conn(c)->ready = true;
}

static size_t received(struct conn *c, const char *data, size_t len)
{
	struct http_answer answer;
	size_t at = 0, n;

	while (c->fd >= 0 && (n = take_answer(data + at, len - at, &answer)) > 0) {
		of_conn(c)->answered(of_conn(c), &answer);
		at += n;
	}
	return at;
}

static void lost(struct conn *c)
{
	of_conn(c)->ready = false;
}

static const struct conn_kind kind = {opened, received, lost};

void http_open(struct http *h, int port, http_answered_f answered)
{
	*h = (struct http){.port = port, .answered = answered};
	net_open(&h->conn, &kind, port, 0);
}

void http_request(struct http *h, const char *method, const char *path, const char *header,
		  const char *body)
{
	char request[REQUEST_MAX];
	int n = snprintf(request, sizeof(request),
			 "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s"
			 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			 method, path, h->port, header != NULL ? header : "",
			 header != NULL ? "\r\n" : "", strlen(body), body);

	if (n < 0 || (size_t)n >= sizeof(request))
		die("a request is too long");
	net_send(&h->conn, request, (size_t)n);
}
