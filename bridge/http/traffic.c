// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/traffic.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUTES_MAX 128  /* the last one is for addresses that fit none */
#define STATUSES_MAX 24 /* of one route; further ones are counted as the last */

struct line {
	struct {
		unsigned status; /* 0: free */
		uint64_t count;
	} statuses[STATUSES_MAX];
	struct latency took;
};

struct traffic {
	struct line lines[ROUTES_MAX];
	int64_t connections;
	uint64_t refused, late[HTTP_STEPS];
};

void traffic_connected(struct traffic *t, int change)
{
	t->connections += change;
}

void traffic_refused(struct traffic *t)
{
	t->refused++;
}

void traffic_late(struct traffic *t, enum http_step step)
{
	t->late[step]++;
}

void traffic_answered(struct traffic *t, size_t route, unsigned status, int64_t us)
{
	struct line *line = &t->lines[route < ROUTES_MAX ? route : ROUTES_MAX - 1];
	size_t i = 0;

	while (i < STATUSES_MAX - 1 && line->statuses[i].status != status &&
	       line->statuses[i].status != 0)
		i++;
	line->statuses[i].status = status;
	line->statuses[i].count++;
	latency_add(&line->took, us);
}

static void names_of(size_t route, traffic_name_f name, const char **method,
		     const char **pattern)
{
	if (route < ROUTES_MAX - 1 && name(route, method, pattern))
		return;
	*method = "";
	*pattern = "none";
}

static void expose_counts(const struct traffic *t, traffic_name_f name, struct prom *p)
{
	const char *method, *pattern;
	char code[12];

	prom_family(p, "rollcall_http_requests_total", PROM_COUNTER,
		    "Requests answered, by route and status; route \"none\": no such address");
	for (size_t r = 0; r < ROUTES_MAX; r++)
		for (size_t i = 0; i < STATUSES_MAX && t->lines[r].statuses[i].status != 0;
		     i++) {
			names_of(r, name, &method, &pattern);
			snprintf(code, sizeof(code), "%u", t->lines[r].statuses[i].status);
			prom_count(
				p,
				LABELS({"method", method}, {"route", pattern}, {"code", code}),
				t->lines[r].statuses[i].count);
		}
}

static void expose_connections(const struct traffic *t, struct prom *p)
{
	static const char *const names[] = {[HTTP_STEP_IDLE] = "idle",
					    [HTTP_STEP_HEADER] = "header",
					    [HTTP_STEP_BODY] = "body",
					    [HTTP_STEP_ANSWER] = "answer"};

	prom_gauge(p, "rollcall_http_connections", "Open connections", (double)t->connections);
	prom_counter(p, "rollcall_http_connections_refused_total",
		     "Connections of an address that has as many as it may", t->refused);
	prom_family(p, "rollcall_http_connections_late_total", PROM_COUNTER,
		    "Connections cut off because a step took too long");
	for (size_t i = HTTP_STEP_IDLE; i < HTTP_STEPS; i++)
		prom_count(p, LABELS({"step", names[i]}), t->late[i]);
}

void traffic_expose(const struct traffic *t, traffic_name_f name, struct prom *p)
{
	const char *method, *pattern;

	expose_counts(t, name, p);
	expose_connections(t, p);
	prom_family(p, "rollcall_http_request_duration_seconds", PROM_HISTOGRAM,
		    "From the request line to the answer, with what it waited for");
	for (size_t r = 0; r < ROUTES_MAX; r++) {
		if (t->lines[r].statuses[0].status == 0)
			continue;
		names_of(r, name, &method, &pattern);
		prom_latency(p, LABELS({"method", method}, {"route", pattern}),
			     &t->lines[r].took);
	}
}

struct traffic *traffic_new(struct app *app, struct err *e)
{
	struct traffic *t = calloc(1, sizeof(*t));

	(void)app;
	if (t == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return t;
}

void traffic_free(struct traffic *t)
{
	free(t);
}
