// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* libmicrohttpd on the loop: it owns the sockets behind one epoll descriptor, which libevent
 * watches; MHD_run() does what is due.
 *
 * Traps that this file knows: an answer that is queued in the handler's first call closes the
 * connection, so answers wait for the second; a suspended connection neither times out nor
 * notices that its client left; stopping with suspended connections aborts the process. */
#include "bridge/http_server.h"

#include "bridge/app.h"
#include "bridge/catchup.h"
#include "bridge/http_request.h"
#include "bridge/listener.h"
#include "bridge/loop.h"
#include "protocol/log.h"

#include <arpa/inet.h>
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

#define CONNECTIONS_MAX 4000
#define CONNECTION_TIMEOUT_S 60
#define CONNECTION_MEMORY (96 * 1024)
#define HEADER_MAX (16 * 1024)
#define TIMEOUT_CHECK_MS 1000
#define DRAIN_MS 1500
#define HOLD_POLL_MS 1

struct http {
	struct app *app;
	enum http_serves serves;
	struct MHD_Daemon *daemon;
	struct event *ready;
	struct timer *timer;
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
	/* Connections time out once a second at the earliest; only work that is left is urgent.
	 */
	if (MHD_get_timeout(http->daemon, &ms) == MHD_YES && ms == 0)
		timer_once(http->timer, 0);
	else
		timer_once(http->timer, TIMEOUT_CHECK_MS);
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
	return rh;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
			 enum MHD_RequestTerminationCode why)
{
	struct request_http *rh = *con_cls;

	(void)cls;
	(void)connection;
	(void)why;
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
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(rh->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *addr = info != NULL ? info->client_addr : NULL;

	rh->rq.secure =
		MHD_get_connection_info(rh->connection, MHD_CONNECTION_INFO_PROTOCOL) != NULL;
	if (addr == NULL)
		return;
	if (addr->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)addr)->sin_addr,
			  rh->rq.address, sizeof(rh->rq.address));
	else if (addr->sa_family == AF_INET6)
		inet_ntop(AF_INET6,
			  &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr,
			  rh->rq.address, sizeof(rh->rq.address));
}

static enum MHD_Result add_size(void *cls, enum MHD_ValueKind kind, const char *key,
				const char *value)
{
	size_t *sum = cls;

	(void)kind;
	*sum += strlen(key) + (value != NULL ? strlen(value) : 0) + 4;
	return MHD_YES;
}

/* What is clear from the header. False: answer at once, for the body had better not come. */
static bool begin(struct request_http *rh, const char *method)
{
	const char *length = request_header(&rh->rq, "Content-Length");
	const bool asks_first = request_header(&rh->rq, "Expect") != NULL;
	size_t header_len = 0;
	unsigned long long body_len;

	rh->phase = REQUEST_READING;
	/* The method's text dies with the connection, the request may outlive it. */
	snprintf(rh->method_text, sizeof(rh->method_text), "%s", method);
	set_peer(rh);
	request_begin(rh);
	MHD_get_connection_values(rh->connection, MHD_HEADER_KIND, add_size, &header_len);
	if (header_len > HEADER_MAX)
		err_set(&rh->early, ERR_HEADERS_TOO_LARGE, NULL);
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

static void add_headers(struct MHD_Response *response, const struct request_http *rh)
{
	MHD_add_response_header(response, "X-Request-Id", rh->rq.id);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	for (size_t i = 0; i < rh->headers_len; i++)
		MHD_add_response_header(response, rh->headers[i].name, rh->headers[i].value);
}

static struct MHD_Response *make_response(struct request_http *rh)
{
	struct MHD_Response *response;
	size_t len = 0;
	char *data;

	if (rh->stream != NULL) {
		response = stream_response(rh->stream);
		if (response != NULL)
			rh->stream = NULL;
		return response;
	}
	data = buf_take(&rh->answer, &len);
	response = MHD_create_response_from_buffer(
		len, data, data != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (response == NULL)
		free(data);
	return response;
}

static enum MHD_Result send_answer(struct request_http *rh)
{
	struct MHD_Response *response = make_response(rh);
	enum MHD_Result queued;

	if (response == NULL)
		return MHD_NO;
	add_headers(response, rh);
	queued = MHD_queue_response(rh->connection, rh->status, response);
	MHD_destroy_response(response);
	return queued;
}

/* The handler still waits, but the bridge stops: its answer, when it comes, will find nobody.
 */
static enum MHD_Result send_goodbye(struct request_http *rh)
{
	static char text[] = "{\"success\":false,\"error\":{\"code\":\"DATABASE_UNAVAILABLE\","
			     "\"message\":\"the bridge is stopping\"}}";
	struct MHD_Response *response =
		MHD_create_response_from_buffer(sizeof(text) - 1, text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result queued;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "application/json");
	MHD_add_response_header(response, "X-Request-Id", rh->rq.id);
	queued = MHD_queue_response(rh->connection, MHD_HTTP_SERVICE_UNAVAILABLE, response);
	MHD_destroy_response(response);
	return queued;
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
}

void http_resume(struct request_http *rh)
{
	if (!rh->suspended)
		return;
	rh->suspended = false;
	MHD_resume_connection(rh->connection);
	timer_once(rh->server->timer, 0);
}

/* Calls the handler; its answer is sent now if it is there, else the connection sleeps. */
static enum MHD_Result handle(struct request_http *rh)
{
	/* A connection that was kept open may bring another question in the last turns. It must
	 * not sleep: nobody would wake it before the end. */
	if (http_stopping(rh))
		return send_goodbye(rh);
	request_handle(rh);
	if (rh->phase == REQUEST_ANSWERED)
		return send_answer(rh);
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
		return send_answer(rh);
	return rh->phase == REQUEST_HANDLING ? send_goodbye(rh) : handle(rh);
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

static void on_log(void *cls, const char *fmt, va_list args)
{
	char text[300];

	(void)cls;
	if (!log_enabled(LOG_LEVEL_DEBUG)) /* strangers can cause most of it */
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	log_debug("http", "%s", text);
}

static bool start_daemon(struct http *http, int listener)
{
	const union MHD_DaemonInfo *info;

	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_URI_LOG_CALLBACK, on_target,
		http, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
		MHD_OPTION_CONNECTION_LIMIT, listener_room(CONNECTIONS_MAX),
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
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
	listener = listener_open(address, port, e);
	if (listener < 0) {
		free(http);
		return NULL;
	}
	if (start_daemon(http, listener)) {
		timer_once(http->timer, 0);
		log_info("http", "listening on %s port %d", address, (int)port);
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
	free(http);
}
