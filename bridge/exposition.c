// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Each part exposes its own figures; what needs two of them stands here.
 * docs/reference/prometheus.md lists all. */
#include "bridge/exposition.h"

#include "bridge/app.h"
#include "bridge/audit/audit.h"
#include "bridge/base/process.h"
#include "bridge/base/prom.h"
#include "bridge/base/tally.h"
#include "bridge/commands/command_figures.h"
#include "bridge/db/db.h"
#include "bridge/http/routes.h"
#include "bridge/http/tls_server.h"
#include "bridge/http/traffic.h"
#include "bridge/metrics/metric.h"
#include "bridge/mqtt/broker.h"
#include "bridge/mqtt/control.h"
#include "bridge/presence/mirror.h"
#include "bridge/presence/plugin_stats.h"
#include "bridge/workers/directory.h"
#include "bridge/workers/roster.h"

/* Of all known workers, as GET /workers/status says it. */
static void expose_workers(const struct app *app, struct prom *p)
{
	const size_t known = roster_len(app->roster);
	struct mirror_figures m;
	size_t present;

	mirror_figures(app->mirror, &m);
	present = m.by_state[PRESENCE_ONLINE] + m.by_state[PRESENCE_RECONNECTING];
	if (!m.hears)
		m = (struct mirror_figures){0};
	prom_family(p, "rollcall_workers", PROM_GAUGE,
		    "Known workers by state; all are unknown while the mirror is not up");
	prom_count(p, LABELS({"state", "online"}), m.by_state[PRESENCE_ONLINE]);
	prom_count(p, LABELS({"state", "reconnecting"}), m.by_state[PRESENCE_RECONNECTING]);
	/* Who has just been registered or deleted may be in one of the two only. */
	prom_count(p, LABELS({"state", "offline"}),
		   m.hears && known > present ? known - present : 0);
	prom_count(p, LABELS({"state", "unknown"}), m.hears ? 0 : known);
	prom_gauge(p, "rollcall_sessions", "Live sessions of workers", (double)m.sessions);
}

static void expose_database(const struct app *app, struct prom *p)
{
	db_pool_expose(app->db, p);
}

static void expose_broker(const struct app *app, struct prom *p)
{
	broker_expose(app->broker, p);
}

static void expose_control(const struct app *app, struct prom *p)
{
	control_expose(app->control, p);
}

static void expose_mirror(const struct app *app, struct prom *p)
{
	mirror_expose(app->mirror, p);
}

static void expose_directory(const struct app *app, struct prom *p)
{
	prom_gauge(p, "rollcall_directory_pending",
		   "Workers whose last change the plugin has not confirmed",
		   (double)directory_pending(app->directory));
}

static void expose_metrics(const struct app *app, struct prom *p)
{
	prom_gauge(p, "rollcall_metrics_up", "1 while metric reports are heard",
		   metrics_listening(app->metrics));
	prom_gauge(p, "rollcall_metrics_queue", "Metric reports that wait for the database",
		   (double)metrics_queued(app->metrics));
	prom_gauge(p, "rollcall_metrics_queue_limit", "How many may",
		   (double)metrics_queue_max());
}

static void expose_commands(const struct app *app, struct prom *p)
{
	(void)app;
	command_figures_expose(p);
}

static void expose_audit(const struct app *app, struct prom *p)
{
	prom_gauge(p, "rollcall_audit_queue",
		   "Rows of the audit trail that wait for the database",
		   (double)audit_queued(app->audit));
}

static bool route_name(size_t route, const char **method, const char **pattern)
{
	static const char *const methods[] = {[HTTP_GET] = "GET",
					      [HTTP_POST] = "POST",
					      [HTTP_PATCH] = "PATCH",
					      [HTTP_DELETE] = "DELETE"};

	if (route >= routes_len)
		return false;
	*method = methods[routes[route].method];
	*pattern = routes[route].pattern;
	return true;
}

static void expose_traffic(const struct app *app, struct prom *p)
{
	traffic_expose(app->traffic, route_name, p);
	prom_gauge(
		p, "rollcall_tls_certificate_not_after_seconds",
		"When the certificate for https ends to be valid, Unix time; 0: there is none",
		(double)tls_server_not_after_s());
}

static void expose_process(const struct app *app, struct prom *p)
{
	(void)app;
	process_expose(p);
	tally_expose(p);
}

static void (*const parts[])(const struct app *app, struct prom *p) = {
	expose_process,  expose_workers,   expose_mirror,   expose_broker,
	expose_control,  expose_directory, expose_database, expose_metrics,
	expose_commands, expose_traffic,   expose_audit,
};

void exposition_write(const struct app *app, struct json_object *stats, struct buf *out)
{
	struct prom p;

	prom_begin(&p, out);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		parts[i](app, &p);
	prom_family(&p, "rollcall_plugin_up", PROM_GAUGE,
		    "1 if the plugin has answered just now");
	prom_value(&p, NO_LABELS, stats != NULL);
	if (stats != NULL)
		plugin_stats_expose(stats, &p);
}
