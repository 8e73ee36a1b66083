// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* traffic.h - HTTP requests as they were answered: how many by route and status, and how long
 * each route took from the request line to its answer. Thread: loop. */
#pragma once

#include "bridge/prom.h"
#include "protocol/err.h"

struct app;
struct traffic;

struct traffic *traffic_new(struct app *app, struct err *e) MUST_CHECK;
void traffic_free(struct traffic *t); /* NULL is fine */

/* A request on the route with this number was answered; `route` at or past the number of routes
 * stands for an address that fits none. */
void traffic_answered(struct traffic *t, size_t route, unsigned status, int64_t us);

/* Labels of route number `route`; false: there is no such route. */
typedef bool (*traffic_name_f)(size_t route, const char **method, const char **pattern);
void traffic_expose(const struct traffic *t, traffic_name_f name, struct prom *p);
