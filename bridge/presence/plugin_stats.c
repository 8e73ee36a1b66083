// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/presence/plugin_stats.h"

#include "bridge/app.h"
#include "bridge/mqtt/control.h"
#include "protocol/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRESH_US 500000 /* an answer serves everybody for so long */
#define TIMEOUT_MS 1000
#define NAME_MAX_LEN 120

struct waiter {
	plugin_stats_f done;
	void *arg;
	struct waiter *next;
};

struct plugin_stats {
	struct app *app;
	struct json_object *last; /* NULL: none, or none that is fresh */
	int64_t last_us;
	bool asking;
	struct waiter *waiters;
};

/* ---- asking ------------------------------------------------------------------------------ */

static void tell_all(struct plugin_stats *s)
{
	struct waiter *w, *next;

	w = s->waiters;
	s->waiters = NULL;
	for (; w != NULL; w = next) {
		next = w->next;
		w->done(w->arg, s->last);
		free(w);
	}
}

static void on_answer(void *arg, struct json_object *data, struct err *e)
{
	struct plugin_stats *s = arg;

	(void)e;
	s->asking = false;
	json_object_put(s->last);
	s->last = json_object_get(data);
	s->last_us = clock_mono_us();
	tell_all(s);
}

static void ask(struct plugin_stats *s)
{
	struct buf fields;

	s->asking = true;
	buf_init(&fields, 64);
	buf_add_str(&fields, "\"help\":true");
	control_call(s->app->control, "getStats", &fields, TIMEOUT_MS, on_answer, s);
	buf_fini(&fields);
}

void plugin_stats_get(struct plugin_stats *s, plugin_stats_f done, void *arg)
{
	struct waiter *w;

	if (s->last != NULL && clock_mono_us() - s->last_us < FRESH_US) {
		done(arg, s->last);
		return;
	}
	w = malloc(sizeof(*w));
	if (w == NULL) {
		done(arg, NULL);
		return;
	}
	*w = (struct waiter){.done = done, .arg = arg, .next = s->waiters};
	s->waiters = w;
	if (!s->asking)
		ask(s);
}

struct plugin_stats *plugin_stats_new(struct app *app, struct err *e)
{
	struct plugin_stats *s = calloc(1, sizeof(*s));

	if (s == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		s->app = app;
	return s;
}

void plugin_stats_free(struct plugin_stats *s)
{
	if (s == NULL)
		return;
	json_object_put(s->last);
	s->last = NULL;
	tell_all(s);
	free(s);
}

/* ---- exposing ---------------------------------------------------------------------------- */

/* What each sample of one answer needs. */
struct writer {
	struct prom *p;
	const char *node;
	struct json_object *help;
};

static const char *text_of(struct json_object *o, const char *key)
{
	const char *text = json_object_get_string(json_object_object_get(o, key));

	return text != NULL ? text : "";
}

/* False: a name that Prometheus would not take. */
static bool begin(const struct writer *w, const char *name, const char *suffix,
		  enum prom_type type, char full[NAME_MAX_LEN])
{
	const char *help = text_of(w->help, name);

	if (!prom_is_name(name) ||
	    snprintf(full, NAME_MAX_LEN, "rollcall_plugin_%s%s", name, suffix) >= NAME_MAX_LEN)
		return false;
	prom_family(w->p, full, type, *help != '\0' ? help : name);
	return true;
}

/* A number, or {"label":"state","values":{"online":17}}. */
static void expose_number(const struct writer *w, struct json_object *value)
{
	struct json_object *values;
	const char *label;

	if (!json_object_is_type(value, json_type_object)) {
		prom_value(w->p, LABELS({"node", w->node}), json_object_get_double(value));
		return;
	}
	label = text_of(value, "label");
	values = json_object_object_get(value, "values");
	if (!prom_is_name(label) || !json_object_is_type(values, json_type_object))
		return;
	json_object_object_foreach(values, key, number)
	{
		prom_value(w->p, LABELS({"node", w->node}, {label, key}),
			   json_object_get_double(number));
	}
}

static void expose_numbers(const struct writer *w, struct json_object *all, const char *suffix,
			   enum prom_type type)
{
	char full[NAME_MAX_LEN];

	if (!json_object_is_type(all, json_type_object))
		return;
	json_object_object_foreach(all, name, value)
	{
		if (begin(w, name, suffix, type, full))
			expose_number(w, value);
	}
}

/* {"buckets":[[0.001,3],…],"sum":0.5,"count":4}, cumulative. */
static void expose_histogram(const struct writer *w, struct json_object *h)
{
	struct json_object *buckets = json_object_object_get(h, "buckets");
	const struct prom_label *labels = LABELS({"node", w->node});

	for (size_t i = 0; json_object_is_type(buckets, json_type_array) &&
			   i < json_object_array_length(buckets);
	     i++) {
		struct json_object *pair = json_object_array_get_idx(buckets, i);

		if (json_object_is_type(pair, json_type_array) &&
		    json_object_array_length(pair) == 2)
			prom_bucket(w->p, labels,
				    json_object_get_double(json_object_array_get_idx(pair, 0)),
				    json_object_get_uint64(json_object_array_get_idx(pair, 1)));
	}
	prom_histogram_end(w->p, labels,
			   json_object_get_double(json_object_object_get(h, "sum")),
			   json_object_get_uint64(json_object_object_get(h, "count")));
}

static void expose_histograms(const struct writer *w, struct json_object *all)
{
	char full[NAME_MAX_LEN];

	if (!json_object_is_type(all, json_type_object))
		return;
	json_object_object_foreach(all, name, value)
	{
		if (begin(w, name, "", PROM_HISTOGRAM, full))
			expose_histogram(w, value);
	}
}

static void expose_info(const struct writer *w, struct json_object *stats)
{
	struct json_object *storage = json_object_object_get(stats, "storage");

	prom_family(w->p, "rollcall_plugin_info", PROM_GAUGE, "The plugin and its broker; 1");
	prom_value(w->p,
		   LABELS({"node", w->node}, {"version", text_of(stats, "version")},
			  {"broker_version", text_of(stats, "broker_version")}),
		   1);
	prom_family(w->p, "rollcall_plugin_uptime_seconds", PROM_GAUGE,
		    "Time since the plugin was started");
	prom_value(w->p, LABELS({"node", w->node}),
		   json_object_get_double(json_object_object_get(stats, "uptime_seconds")));
	prom_family(w->p, "rollcall_plugin_storage_ok", PROM_GAUGE,
		    "1 while the plugin's storage takes what is written");
	prom_value(w->p, LABELS({"node", w->node}),
		   strcmp(text_of(storage, "state"), "ok") == 0);
}

void plugin_stats_expose(struct json_object *stats, struct prom *p)
{
	const struct writer w = {p, text_of(stats, "node"),
				 json_object_object_get(stats, "help")};

	expose_info(&w, stats);
	expose_numbers(&w, json_object_object_get(stats, "counters"), "_total", PROM_COUNTER);
	expose_numbers(&w, json_object_object_get(stats, "gauges"), "", PROM_GAUGE);
	expose_histograms(&w, json_object_object_get(stats, "histograms"));
}
