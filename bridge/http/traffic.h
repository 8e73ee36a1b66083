// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* traffic.h - HTTP requests as they were answered: how many by route and status, and how long
 * each route took from the request line to its answer; and the connections. Thread: loop. */
#pragma once

#include "bridge/base/prom.h"
#include "protocol/err.h"

struct app;
struct traffic;

struct traffic *traffic_new(struct app *app, struct err *e) MUST_CHECK;
void traffic_free(struct traffic *t); /* NULL is fine */

/* A request on the route with this number was answered; `route` at or past the number of routes
 * stands for an address that fits none. */
void traffic_answered(struct traffic *t, size_t route, unsigned status, int64_t us);

/* What a connection is waited for. */
enum http_step {
	HTTP_STEP_NONE,   /* nothing: it is our turn */
	HTTP_STEP_IDLE,   /* the next request on a connection that was kept open */
	HTTP_STEP_HEADER, /* TLS handshake, request line, header */
	HTTP_STEP_BODY,
	HTTP_STEP_ANSWER, /* that the client reads what it has asked for */
	HTTP_STEPS
};

/* Connections: one more or less, one that its address may not have, one cut off since a step
 * took too long. */
void traffic_connected(struct traffic *t, int change);
void traffic_refused(struct traffic *t);
void traffic_late(struct traffic *t, enum http_step step);

/* Labels of route number `route`; false: there is no such route. */
typedef bool (*traffic_name_f)(size_t route, const char **method, const char **pattern);
void traffic_expose(const struct traffic *t, traffic_name_f name, struct prom *p);
