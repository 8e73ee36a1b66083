// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* http_server.h - starts and stops the HTTP server. What handlers need is in http.h. */
#pragma once

#include "protocol/err.h"

struct app;
struct http;

/* Listens at once. The message names address and port where that fails. */
struct http *http_new(struct app *app, struct err *e) MUST_CHECK;

/* One more, on the address of its own that operators have for /metrics and /healthz. */
struct http *http_new_for_operators(struct app *app, struct err *e) MUST_CHECK;

/* Answers what is open with 503 and closes all connections. Handlers that still wait may answer
 * later; nobody listens any more. NULL is fine. */
void http_free(struct http *http);
