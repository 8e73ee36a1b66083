// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* http.h - an HTTP/1.1 client connection that is kept alive: one request at a time. */
#pragma once

#include "tests/bench/fleet/net.h"

struct http;

struct http_answer {
	int status;
	const char *body; /* chunks as they came */
	size_t len;
};

typedef void (*http_answered_f)(struct http *h, const struct http_answer *answer);

struct http {
	struct conn conn;
	http_answered_f answered;
	int port;
	bool ready; /* connected */
};

void http_open(struct http *h, int port, http_answered_f answered);

/* `header`: one more line of the header without its end, NULL for none. */
void http_request(struct http *h, const char *method, const char *path, const char *header,
		  const char *body);
