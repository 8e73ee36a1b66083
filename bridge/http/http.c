// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* libmicrohttpd on the loop: it owns the sockets behind one epoll descriptor, which libevent
 * watches; MHD_run() does what is due.
 *
 * Traps that this file knows: an answer that is queued in the handler's first call closes the
 * connection, so answers wait for the second; a suspended connection neither times out nor
 * notices that its client left; stopping with suspended connections aborts the process. */
#include "bridge/http/http_server.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/http/http_answer.h"
#include "bridge/http/http_peers.h"
#include "bridge/http/http_request.h"
#include "bridge/http/listener.h"
#include "bridge/http/tls_server.h"
#include "bridge/presence/catchup.h"
#include "protocol/log.h"

#include <event2/event.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* A body that is too large is read and thrown away up to this size, because a client that still
 * sends would see a reset connection instead of its 413. */
#define DISCARD_MAX (64u * 1024 * 1024)

#define CONNECTION_MEMORY (96 * 1024)
#define HEADER_MAX (16 * 1024)
#define SWEEP_MS 1000
#define DRAIN_MS 1500
#define HOLD_POLL_MS 1

struct http {
	struct app *app;
	enum http_serves serves;
	struct MHD_Daemon *daemon;
	struct event *ready;
	struct timer *timer;
	struct http_peers *peers;      /* all connections */
	struct request_http *requests; /* all that have a connection */
	bool held; /* requests wait until the bridge has caught up with the broker */
	bool stopping;
};

/* ---- the loop -----------------------------------------------------------------------------
 */

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

/* ---- one connection -----------------------------------------------------------------------
 */

static enum MHD_Result on_accept(void *cls, const struct sockaddr *from, socklen_t len)
{
	struct http *http = cls;

	(void)len;
	return http_peers_may(http->peers, from) ? MHD_YES : MHD_NO;
}

static const struct sockaddr *address_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info != NULL ? info->client_addr : NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;
	struct http *http = cls;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		http_peer_free(*context);
		*context = NULL;
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info != NULL)
		*context = http_peer_new(http->peers, address_of(connection), info->connect_fd);
}

static void step(struct MHD_Connection *connection, enum http_step to, size_t bytes)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	if (info != NULL && info->socket_context != NULL)
		http_peer_step(info->socket_context, to, bytes);
}

void http_step(struct request_http *rh, enum http_step to, size_t bytes)
{
	if (rh->connection != NULL)
		step(rh->connection, to, bytes);
}

/* ---- one request --------------------------------------------------------------------------
 */

static void list_add(struct http *http, struct request_http *rh)
{
	rh->next = http->requests;
	if (rh->next != NULL)
		rh->next->prev = rh;
	http->requests = rh;
}

static void list_remove(struct http *http, struct request_http *rh)
{
	if (rh->prev != NULL)
		rh->prev->next = rh->next;
	else
		http->requests = rh->next;
	if (rh->next != NULL)
		rh->next->prev = rh->prev;
}

/* libmicrohttpd calls this with the request line, before anything else. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
	struct http *http = cls;
	struct request_http *rh = request_new(http, http->app, target);

	if (rh == NULL)
		return NULL;
	rh->connection = connection;
	rh->serves = http->serves;
	list_add(http, rh);
	http_step(rh, HTTP_STEP_HEADER, 0);
	return rh;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
			 enum MHD_RequestTerminationCode why)
{
	struct request_http *rh = *con_cls;

	(void)cls;
	(void)why;
	step(connection, HTTP_STEP_IDLE, 0);
	if (rh == NULL)
		return;
	*con_cls = NULL;
	list_remove(rh->server, rh);
	rh->connection = NULL;
	rh->server = NULL;
	if (rh->phase != REQUEST_HANDLING)
		request_free(rh);
}

static void set_peer(struct request_http *rh)
{
	rh->rq.secure =
		MHD_get_connection_info(rh->connection, MHD_CONNECTION_INFO_PROTOCOL) != NULL;
	http_address(address_of(rh->connection), rh->rq.address);
}

static enum MHD_Result add_size(void *cls, enum MHD_ValueKind kind, const char *key,
				const char *value)
{
	size_t *sum = cls;

	(void)kind;
	*sum += strlen(key) + (value != NULL ? strlen(value) : 0) + 4;
	return MHD_YES;
}

static enum MHD_Result count_length(void *cls, enum MHD_ValueKind kind, const char *key,
				    const char *value)
{
	int *n = cls;

	(void)kind;
	(void)value;
	*n += strcasecmp(key, "Content-Length") == 0;
	return MHD_YES;
}

/* Is it clear where the request ends? One that a proxy in front may have read otherwise could
 * hide another request in its body (RFC 9112 section 6.3). */
static bool has_one_end(const struct request_http *rh)
{
	const bool chunked = request_header(&rh->rq, "Transfer-Encoding") != NULL;
	int lengths = 0;

	MHD_get_connection_values(rh->connection, MHD_HEADER_KIND, count_length, &lengths);
	return lengths + chunked <= 1;
}

/* What is clear from the header. False: answer at once, for the body had better not come. */
static bool begin(struct request_http *rh, const char *method)
{
	const char *length = request_header(&rh->rq, "Content-Length");
	const bool asks_first = request_header(&rh->rq, "Expect") != NULL;
	size_t header_len = 0;
	unsigned long long body_len;

	rh->phase = REQUEST_READING;
	http_step(rh, HTTP_STEP_BODY, 0);
	/* The method's text dies with the connection, the request may outlive it. */
	snprintf(rh->method_text, sizeof(rh->method_text), "%s", method);
	set_peer(rh);
	request_begin(rh);
	MHD_get_connection_values(rh->connection, MHD_HEADER_KIND, add_size, &header_len);
	if (header_len > HEADER_MAX)
		err_set(&rh->early, ERR_HEADERS_TOO_LARGE, NULL);
	if (!has_one_end(rh)) {
		err_set(&rh->early, ERR_INVALID_REQUEST,
			"Content-Length and Transfer-Encoding: only one of them, once");
		return false; /* answered in this call, which closes the connection */
	}
	body_len = length != NULL ? strtoull(length, NULL, 10) : 0;
	if (body_len <= rh->body_max)
		return true;
	if (rh->early.code == ERR_OK)
		err_set(&rh->early, ERR_PAYLOAD_TOO_LARGE, "the body has more than %zu bytes",
			rh->body_max);
	return !asks_first && body_len <= DISCARD_MAX;
}

/* False: it will never end. */
static bool take_body(struct request_http *rh, const char *data, size_t len)
{
	rh->upload_len += len;
	if (rh->early.code == ERR_OK && rh->upload_len <= rh->body_max)
		buf_add(&rh->upload, data, len);
	return rh->upload_len <= DISCARD_MAX;
}

bool http_attended(const struct request_http *rh)
{
	return rh->connection != NULL;
}

bool http_stopping(const struct request_http *rh)
{
	return rh->server->stopping;
}

void http_suspend(struct request_http *rh)
{
	MHD_suspend_connection(rh->connection);
	rh->suspended = true;
	http_step(rh, HTTP_STEP_NONE, 0);
}

void http_resume(struct request_http *rh)
{
	if (!rh->suspended)
		return;
	rh->suspended = false;
	http_step(rh, HTTP_STEP_ANSWER, 0);
	MHD_resume_connection(rh->connection);
	timer_once(rh->server->timer, 0);
}

/* Calls the handler; its answer is sent now if it is there, else the connection sleeps. */
static enum MHD_Result handle(struct request_http *rh)
{
	/* A connection that was kept open may bring another question in the last turns. It must
	 * not sleep: nobody would wake it before the end. */
	if (http_stopping(rh))
		return http_answer_goodbye(rh);
	request_handle(rh);
	if (rh->phase == REQUEST_ANSWERED)
		return http_answer_send(rh);
	http_suspend(rh);
	return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **con_cls)
{
	struct request_http *rh = *con_cls;

	(void)cls;
	(void)connection;
	(void)url;
	(void)version;
	if (rh == NULL)
		return MHD_NO;
	if (rh->phase == REQUEST_NEW)
		return begin(rh, method) ? MHD_YES : handle(rh);
	if (*data_len > 0) {
		const bool goes_on = take_body(rh, data, *data_len);

		*data_len = 0;
		return goes_on ? MHD_YES : MHD_NO;
	}
	if (rh->phase == REQUEST_ANSWERED)
		return http_answer_send(rh);
	return rh->phase == REQUEST_HANDLING ? http_answer_goodbye(rh) : handle(rh);
}

void http_answered(struct request_http *rh)
{
	rh->phase = REQUEST_ANSWERED;
	if (rh->connection == NULL) { /* nobody waits any more */
		request_free(rh);
		return;
	}
	http_resume(rh); /* one that does not wait is in handle(), which sends it */
}

const char *request_header(const struct request *rq, const char *name)
{
	if (rq->http->connection == NULL)
		return NULL;
	return MHD_lookup_connection_value(rq->http->connection, MHD_HEADER_KIND, name);
}

struct collector {
	const char *name;
	struct buf *out;
};

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *key,
			       const char *value)
{
	const struct collector *c = cls;

	(void)kind;
	if (strcasecmp(key, c->name) == 0 && value != NULL)
		buf_printf(c->out, "%s%s", c->out->len > 0 ? "," : "", value);
	return MHD_YES;
}

void request_header_all(const struct request *rq, const char *name, struct buf *out)
{
	struct collector c = {name, out};

	if (rq->http->connection != NULL)
		MHD_get_connection_values(rq->http->connection, MHD_HEADER_KIND, collect, &c);
}

/* ---- start and stop -----------------------------------------------------------------------
 */

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
		flags, 0, on_accept, http, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log,
		NULL, MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_URI_LOG_CALLBACK,
		on_target, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_CONNECTION_LIMIT,
		listener_room((unsigned)config->http_connections),
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
