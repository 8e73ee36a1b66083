// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* libmicrohttpd on the loop: it owns the sockets behind one epoll descriptor, which libevent
 * watches; MHD_run() does what is due. Requests are http.c's.
 *
 * A trap that this file knows: stopping with suspended connections aborts the process. */
#include "bridge/http/http_daemon.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/http/http_server.h"
#include "bridge/http/listener.h"
#include "bridge/http/tls_server.h"
#include "bridge/presence/catchup.h"
#include "protocol/log.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTION_MEMORY (96 * 1024)
#define SWEEP_MS 1000
#define DRAIN_MS 1500
#define HOLD_POLL_MS 1

/* ---- the loop ---------------------------------------------------------------------------- */

/* Leaves the requests where they are, which is all that is done to them: looking at one would
 * answer it. */
static bool holds(struct http *http)
{
	const bool holds = !http->stopping && catchup_holds(http->app->catchup);

	if (holds && !http->held)
		event_del(http->ready);
	else if (!holds && http->held)
		event_add(http->ready, NULL);
	http->held = holds;
	return holds;
}

static void turn(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (holds(http)) {
		timer_once(http->timer, HOLD_POLL_MS);
		return;
	}
	MHD_run(http->daemon);
	http_peers_sweep(http->peers);
	/* Connections are late once a second at the earliest; only work that is left is urgent.
	 */
	if (MHD_get_timeout(http->daemon, &ms) == MHD_YES && ms == 0)
		timer_once(http->timer, 0);
	else
		timer_once(http->timer, SWEEP_MS);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn(arg);
}

static void on_timer(void *arg)
{
	turn(arg);
}

/* ---- start and stop ---------------------------------------------------------------------- */

static PRINTF_LIKE(2, 0) void on_log(void *cls, const char *fmt, va_list args)
{
	char text[300];

	(void)cls;
	if (!log_enabled(LOG_LEVEL_DEBUG)) /* strangers can cause most of it */
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	log_debug("http", "%s", text);
}

/* The end of the options, and TLS where there is a certificate. */
static void tls_options(const struct config *config, unsigned *flags,
			struct MHD_OptionItem options[3])
{
	static char priorities[] = TLS_SERVER_PRIORITIES;
	gnutls_certificate_retrieve_function2 *pick = tls_server_pick;

	options[0] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	if (*config->tls_cert == '\0')
		return;
	*flags |= MHD_USE_TLS;
	options[2] = options[0];
	options[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, priorities};
	options[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, NULL};
	/* It is handed over as a pointer to data, which C does not let a function be. */
	memcpy(&options[1].ptr_value, &pick, sizeof(pick));
}

static bool start_daemon(struct http *http, int listener)
{
	const struct config *config = &http->app->config;
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	const union MHD_DaemonInfo *info;
	struct MHD_OptionItem tls[3];

	tls_options(config, &flags, tls);
	/* No timeout of libmicrohttpd's: http_peers.c has the time of every step. */
	http->daemon = MHD_start_daemon(
		flags, 0, http_on_accept, http, http_on_request, http,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, listener,
		MHD_OPTION_URI_LOG_CALLBACK, http_on_target, http, MHD_OPTION_NOTIFY_COMPLETED,
		http_on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, http,
		MHD_OPTION_CONNECTION_LIMIT, listener_room((unsigned)config->http_connections),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_ARRAY,
		tls, MHD_OPTION_END);
	if (http->daemon == NULL)
		return false;
	info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL)
		return false;
	http->ready = event_new(loop_base(http->app->loop), info->epoll_fd,
				EV_READ | EV_PERSIST, on_ready, http);
	http->timer = timer_new(http->app->loop, on_timer, http);
	return http->ready != NULL && http->timer != NULL && event_add(http->ready, NULL) == 0;
}

static struct http *serve(struct app *app, enum http_serves serves, const char *address,
			  int64_t port, struct err *e)
{
	struct http *http = calloc(1, sizeof(*http));
	int listener;

	if (http == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	http->app = app;
	http->serves = serves;
	http->peers = http_peers_new(&app->config, app->traffic, e);
	listener = http->peers != NULL ? listener_open(address, port, e) : -1;
	if (listener < 0) {
		http_free(http);
		return NULL;
	}
	if (start_daemon(http, listener)) {
		timer_once(http->timer, 0);
		log_info("http", "listening on %s port %d%s", address, (int)port,
			 *app->config.tls_cert != '\0' ? " with TLS" : "");
		return http;
	}
	err_set(e, ERR_INTERNAL, "cannot start the HTTP server");
	if (http->daemon == NULL)
		close(listener);
	http_free(http);
	return NULL;
}

/* Says which options are to blame. */
static void blame(struct err *e, const char *options)
{
	const struct err cause = *e;

	if (cause.code == ERR_INVALID_REQUEST)
		err_set(e, cause.code, "%s: %s", options, cause.msg);
}

struct http *http_new(struct app *app, struct err *e)
{
	const struct config *config = &app->config;
	struct http *http =
		serve(app, config->metrics_port > 0 ? HTTP_SERVES_REST : HTTP_SERVES_ALL,
		      config->http_bind, config->http_port, e);

	if (http == NULL)
		blame(e, "ROLLCALL_HTTP_BIND, ROLLCALL_HTTP_PORT");
	return http;
}

struct http *http_new_for_operators(struct app *app, struct err *e)
{
	const struct config *config = &app->config;
	struct http *http = serve(app, HTTP_SERVES_OPERATORS, config->metrics_bind,
				  config->metrics_port, e);

	if (http == NULL)
		blame(e, "ROLLCALL_METRICS_BIND, ROLLCALL_METRICS_PORT");
	return http;
}

static bool somebody_waits(void *arg)
{
	const struct http *http = arg;

	for (const struct request_http *rh = http->requests; rh != NULL; rh = rh->next)
		if (rh->suspended)
			return true;
	return false;
}

/* Takes no more connections and gives what is under way the time that a change may take. */
static void drain(struct http *http)
{
	const MHD_socket listener = MHD_quiesce_daemon(http->daemon);

	if (listener != MHD_INVALID_SOCKET)
		close(listener);
	loop_linger(http->app->loop, somebody_waits, http, DRAIN_MS);
}

/* Lets those who still wait for an answer have one; it leaves with the turns that follow. */
static void dismiss_all(struct http *http)
{
	http->stopping = true;
	for (struct request_http *rh = http->requests; rh != NULL; rh = rh->next)
		if (rh->suspended) {
			rh->suspended = false;
			MHD_resume_connection(rh->connection);
		}
	for (int i = 0; i < 3; i++)
		MHD_run(http->daemon);
}

void http_free(struct http *http)
{
	if (http == NULL)
		return;
	if (http->daemon != NULL) {
		if (http->ready != NULL && http->timer != NULL)
			drain(http);
		dismiss_all(http);
		MHD_stop_daemon(http->daemon);
	}
	if (http->ready != NULL)
		event_free(http->ready);
	timer_free(http->timer);
	http_peers_free(http->peers);
	free(http);
}
