// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/health.h"

#include "bridge/app.h"
#include "bridge/jobs/scheduler.h"
#include "bridge/metrics/metric.h"
#include "bridge/mqtt/broker.h"
#include "bridge/presence/mirror.h"
#include "bridge/workers/directory.h"
#include "bridge/workers/roster.h"
#include "protocol/jwrite.h"

#include <string.h>

#define PENDING_MAX_US INT64_C(10000000) /* that a change may wait for the plugin */

static void write_age(struct jwrite *w, const char *key, int64_t us)
{
	if (us < 0)
		jwrite_null(w, key);
	else
		jwrite_f64(w, key, (double)us / 1e6);
}

static bool check_database(const struct health *h, struct jwrite *w)
{
	const bool loaded = roster_loaded(h->app->roster);

	jwrite_bool(w, "answers", h->database);
	jwrite_bool(w, "loaded", loaded);
	return h->database && loaded;
}

static bool check_broker(const struct health *h, struct jwrite *w)
{
	const bool connected = broker_connected(h->app->broker);

	jwrite_bool(w, "connected", connected);
	return connected;
}

static bool check_mirror(const struct health *h, struct jwrite *w)
{
	struct mirror_figures m;

	mirror_figures(h->app->mirror, &m);
	jwrite_str(w, "node",
		   *mirror_node(h->app->mirror) != '\0' ? mirror_node(h->app->mirror) : NULL);
	jwrite_i64(w, "objects", (int64_t)m.objects);
	jwrite_i64(w, "online", (int64_t)m.by_state[PRESENCE_ONLINE]);
	write_age(w, "heard_seconds_ago", m.heard_age_us);
	write_age(w, "proven_seconds_ago", m.proven_age_us);
	return m.hears;
}

static const char *text_of(struct json_object *o, const char *key)
{
	return json_object_get_string(json_object_object_get(o, key));
}

static bool check_plugin(const struct health *h, struct jwrite *w)
{
	jwrite_bool(w, "answers", h->stats != NULL);
	jwrite_str(w, "version", text_of(h->stats, "version"));
	jwrite_str(w, "broker_version", text_of(h->stats, "broker_version"));
	return h->stats != NULL;
}

/* The plugin's: a full disk there stops nothing, but what is new would not survive a crash. */
static bool check_storage(const struct health *h, struct jwrite *w)
{
	struct json_object *storage = json_object_object_get(h->stats, "storage");
	const char *state = text_of(storage, "state");

	jwrite_str(w, "state", state);
	jwrite_str(w, "code", text_of(storage, "code"));
	jwrite_str(w, "message", text_of(storage, "message"));
	return state != NULL && strcmp(state, "ok") == 0;
}

static bool check_directory(const struct health *h, struct jwrite *w)
{
	const int64_t waiting_us = directory_waiting_us(h->app->directory);

	jwrite_bool(w, "in_step", directory_in_step(h->app->directory));
	jwrite_i64(w, "pending", (int64_t)directory_pending(h->app->directory));
	write_age(w, "oldest_seconds", waiting_us > 0 ? waiting_us : -1);
	return directory_in_step(h->app->directory) && waiting_us < PENDING_MAX_US;
}

static bool check_metrics(const struct health *h, struct jwrite *w)
{
	const bool listening = metrics_listening(h->app->metrics);
	const size_t queued = metrics_queued(h->app->metrics);

	jwrite_bool(w, "listening", listening);
	jwrite_i64(w, "queued", (int64_t)queued);
	jwrite_i64(w, "queue_limit", (int64_t)metrics_queue_max());
	return listening && queued < metrics_queue_max();
}

static bool check_jobs(const struct health *h, struct jwrite *w)
{
	return scheduler_health(h->app->scheduler, w);
}

static const struct {
	const char *name;
	/* Writes members of the part's object besides "ok", which is what it returns. */
	bool (*check)(const struct health *h, struct jwrite *w);
} parts[] = {
	{"database",  check_database },
        {"broker",    check_broker   },
	{"mirror",    check_mirror   },
        {"plugin",    check_plugin   },
	{"storage",   check_storage  },
        {"directory", check_directory},
	{"metrics",   check_metrics  },
        {"scheduler", check_jobs     },
};

bool health_write(const struct health *h, struct buf *out)
{
	bool all = true, ok;
	struct jwrite w;

	jwrite_begin(&w, out);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "version", ROLLCALL_VERSION);
	jwrite_object(&w, "parts");
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		jwrite_object(&w, parts[i].name);
		ok = parts[i].check(h, &w);
		jwrite_bool(&w, "ok", ok);
		jwrite_object_end(&w);
		all = all && ok;
	}
	jwrite_object_end(&w);
	jwrite_str(&w, "status", all ? "ok" : "failing");
	jwrite_object_end(&w);
	return all;
}
