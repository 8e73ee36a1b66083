// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The connection to Mosquitto, turned by the loop.
 *
 * Each attempt to connect gets a client object of its own, which dies with its connection: that
 * way nothing that was queued for an earlier life of the broker is ever sent to a later one,
 * and a control call that was answered with "unavailable" stays undone.
 *
 * libmosquitto closes its socket inside its own calls. Therefore every such call is followed by
 * settle(), which alone takes a dead connection down; callbacks only take notes.
 */
#include "bridge/mqtt/broker.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/base/prom.h"
#include "bridge/mqtt/resolve.h"
#include "bridge/mqtt/tls_client.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <mosquitto.h>
/* Mosquitto 2.1 has it within <mosquitto.h>, and warns about the old name. */
#if !__has_include(<mosquitto/mqtt_protocol.h>)
#include <mqtt_protocol.h>
#endif
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEPALIVE_S 10
#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 1000  /* a broker that comes back is found within a second */
#define HANDSHAKE_MS 5000  /* from the attempt to the last SUBACK */
#define MISC_PERIOD_MS 500 /* keepalive and handshake deadline are looked at this often */
#define UNACKED_MAX 20000  /* messages that wait for the broker's PUBACK */
#define READS_PER_TURN 16  /* packets taken before other work of the loop gets its turn */
#define FILTERS_MAX 16

enum link_state {
	LINK_DOWN,        /* no client object; a retry is due */
	LINK_RESOLVING,   /* no client object; the host's address is being looked up */
	LINK_OPENING,     /* connecting, or waiting for CONNACK */
	LINK_SUBSCRIBING, /* waiting for SUBACK */
	LINK_UP,
};

struct broker {
	struct app *app;
	struct mosquitto *mosq; /* NULL while down */
	enum link_state state;
	bool failed;  /* set in callbacks: settle() takes the connection down */
	bool stopped; /* no further attempts */
	struct event *readable, *writable;
	struct timer *retry, *misc;
	struct resolve *resolve; /* in LINK_RESOLVING */
	unsigned attempts;
	struct broker_listener *listeners;
	int64_t retry_ms, deadline_us;
	size_t unacked;
	char address[ADDRESS_TEXT_MAX]; /* of the last attempt */
	uint64_t connects, received, published, refused;
	char why[128]; /* the last failure that was logged: the same one is not logged again */
};

static void settle(struct broker *b, int rc);

/* ---- what libmosquitto tells ------------------------------------------------------------- */

static void fail(struct broker *b, const char *why)
{
	b->failed = true;
	if (b->stopped || strcmp(b->why, why) == 0)
		return;
	snprintf(b->why, sizeof(b->why), "%s", why);
	log_warn("broker", "host=%s port=%d cannot be used: %s", b->app->config.broker_host,
		 (int)b->app->config.broker_port, why);
}

/* One SUBSCRIBE for all, so that there is one moment at which everything is heard. */
static void subscribe(struct broker *b)
{
	char *filters[FILTERS_MAX];
	int n = 0, rc;

	for (struct broker_listener *l = b->listeners; l != NULL && n < FILTERS_MAX;
	     l = l->next)
		if (l->filter != NULL) /* not written to, but the library's type has no const */
			memcpy(&filters[n++], &l->filter, sizeof(filters[0]));
	rc = mosquitto_subscribe_multiple(b->mosq, NULL, n, filters, 1, 0, NULL);
	if (rc != MOSQ_ERR_SUCCESS)
		fail(b, mosquitto_strerror(rc));
	b->state = LINK_SUBSCRIBING;
}

static void on_connect(struct mosquitto *mosq, void *arg, int rc, int flags,
		       const mosquitto_property *props)
{
	struct broker *b = arg;

	(void)mosq;
	(void)flags;
	(void)props;
	if (rc != 0)
		fail(b, mosquitto_reason_string(rc));
	else
		subscribe(b);
}

static void on_subscribe(struct mosquitto *mosq, void *arg, int mid, int n, const int *granted,
			 const mosquitto_property *props)
{
	struct broker *b = arg;

	(void)mosq;
	(void)mid;
	(void)props;
	for (int i = 0; i < n; i++)
		if (granted[i] >= 128) {
			fail(b, "the broker denies a subscription");
			return;
		}
	b->state = LINK_UP;
	b->connects++;
	b->retry_ms = RETRY_MIN_MS;
	b->why[0] = '\0';
	log_info("broker", "host=%s port=%d connected", b->app->config.broker_host,
		 (int)b->app->config.broker_port);
	for (struct broker_listener *l = b->listeners; l != NULL; l = l->next)
		if (l->connected != NULL)
			l->connected(l->arg);
}

static void on_disconnect(struct mosquitto *mosq, void *arg, int rc,
			  const mosquitto_property *props)
{
	(void)mosq;
	(void)props;
	fail(arg, mosquitto_strerror(rc));
}

static void on_publish(struct mosquitto *mosq, void *arg, int mid, int rc,
		       const mosquitto_property *props)
{
	struct broker *b = arg;

	(void)mosq;
	(void)mid;
	(void)props;
	if (b->unacked > 0)
		b->unacked--;
	b->refused += rc >= 128;
	if (rc >= 128)
		log_warn("broker", "a message was refused: %s", mosquitto_reason_string(rc));
}

static void on_message(struct mosquitto *mosq, void *arg, const struct mosquitto_message *msg,
		       const mosquitto_property *props)
{
	struct broker *b = arg;
	const char *payload = msg->payload != NULL ? msg->payload : "";

	(void)mosq;
	(void)props;
	b->received++;
	for (struct broker_listener *l = b->listeners; l != NULL; l = l->next)
		if (l->wants(l->arg, msg->topic))
			l->message(l->arg, msg->topic, payload, (size_t)msg->payloadlen);
}

/* ---- turning it -------------------------------------------------------------------------- */

static void drop_events(struct broker *b)
{
	if (b->readable != NULL)
		event_free(b->readable);
	if (b->writable != NULL)
		event_free(b->writable);
	b->readable = b->writable = NULL;
}

/* A random part, so that bridges do not all knock at the same moment on a broker that returns.
 */
static void retry_later(struct broker *b)
{
	int64_t wait = b->retry_ms / 2 + randombytes_uniform((uint32_t)b->retry_ms / 2 + 1);

	if (b->stopped)
		return;
	timer_once(b->retry, wait);
	b->retry_ms = b->retry_ms * 2 < RETRY_MAX_MS ? b->retry_ms * 2 : RETRY_MAX_MS;
}

static void take_down(struct broker *b)
{
	bool was_up = b->state == LINK_UP;

	drop_events(b);
	mosquitto_destroy(b->mosq);
	b->mosq = NULL;
	b->state = LINK_DOWN;
	b->failed = false;
	b->unacked = 0;
	timer_cancel(b->misc);
	retry_later(b);
	if (!was_up)
		return;
	for (struct broker_listener *l = b->listeners; l != NULL; l = l->next)
		if (l->disconnected != NULL)
			l->disconnected(l->arg);
}

static const char *why_of(int rc)
{
	if (rc == MOSQ_ERR_TLS && *tls_client_why() != '\0')
		return tls_client_why();
	return rc == MOSQ_ERR_ERRNO ? strerrordesc_np(errno) : mosquitto_strerror(rc);
}

/* To be called after everything that libmosquitto did outside its callbacks. */
static void settle(struct broker *b, int rc)
{
	if (rc != MOSQ_ERR_SUCCESS && !b->failed)
		fail(b, why_of(rc));
	if (b->failed)
		take_down(b);
	else if (mosquitto_want_write(b->mosq))
		event_add(b->writable, NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct broker *b = arg;
	int rc = MOSQ_ERR_SUCCESS;

	(void)fd;
	(void)what;
	for (int i = 0; i < READS_PER_TURN && rc == MOSQ_ERR_SUCCESS && !b->failed; i++) {
		errno = 0;
		rc = mosquitto_loop_read(b->mosq, 1);
		/* A stale EAGAIN from a callback only ends the turn early; the rest is read in
		 * the next one, since the socket stays readable. */
		if (errno == EAGAIN)
			break;
	}
	/* Bytes that TLS has read ahead do not make the socket readable. */
	if (rc == MOSQ_ERR_SUCCESS && tls_client_has_pending(mosquitto_ssl_get(b->mosq)))
		event_active(b->readable, EV_READ, 0);
	settle(b, rc);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct broker *b = arg;

	(void)fd;
	(void)what;
	settle(b, mosquitto_loop_write(b->mosq, 1));
}

static void on_misc(void *arg)
{
	struct broker *b = arg;

	if (b->state != LINK_UP && clock_mono_us() > b->deadline_us)
		fail(b, "no answer to the connection attempt");
	settle(b, b->failed ? MOSQ_ERR_SUCCESS : mosquitto_loop_misc(b->mosq));
}

/* False: TLS is wanted and cannot be had; that is logged. */
static bool configure_tls(struct broker *b)
{
	const struct config *config = &b->app->config;
	const struct tls_client files = {config->broker_tls_ca, config->broker_tls_cert,
					 config->broker_tls_key, config->broker_host};
	struct ssl_ctx_st *context;
	struct err e;
	int rc;

	if (*config->broker_tls_ca == '\0')
		return true;
	context = tls_client_context(&files, &e);
	if (context == NULL) {
		fail(b, e.msg);
		return false;
	}
	rc = mosquitto_int_option(b->mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_void_option(b->mosq, MOSQ_OPT_SSL_CTX, context);
	tls_client_context_free(context); /* libmosquitto has a reference of its own */
	if (rc != MOSQ_ERR_SUCCESS)
		fail(b, mosquitto_strerror(rc));
	return rc == MOSQ_ERR_SUCCESS;
}

static int configure(struct broker *b)
{
	const struct config *config = &b->app->config;
	int rc = mosquitto_int_option(b->mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);

	if (rc ==
	    MOSQ_ERR_SUCCESS) /* an answer must not wait for the acknowledgement before it */
		rc = mosquitto_int_option(b->mosq, MOSQ_OPT_TCP_NODELAY, 1);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_int_option(b->mosq, MOSQ_OPT_RECEIVE_MAXIMUM, 1000);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_username_pw_set(b->mosq, config->broker_user,
					       config->broker_password);
	mosquitto_connect_v5_callback_set(b->mosq, on_connect);
	mosquitto_disconnect_v5_callback_set(b->mosq, on_disconnect);
	mosquitto_subscribe_v5_callback_set(b->mosq, on_subscribe);
	mosquitto_publish_v5_callback_set(b->mosq, on_publish);
	mosquitto_message_v5_callback_set(b->mosq, on_message);
	return rc;
}

static bool watch_socket(struct broker *b)
{
	struct event_base *base = loop_base(b->app->loop);
	int fd = mosquitto_socket(b->mosq);

	if (fd < 0)
		return false;
	b->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, b);
	b->writable = event_new(base, fd, EV_WRITE, on_writable, b);
	return b->readable != NULL && b->writable != NULL &&
	       event_add(b->readable, NULL) == 0 && event_add(b->writable, NULL) == 0;
}

static void open_link(struct broker *b, const char *address)
{
	char id[48];
	int rc;

	snprintf(id, sizeof(id), "rollcall-bridge-%08x%08x", randombytes_random(),
		 randombytes_random());
	b->mosq = mosquitto_new(id, true, b);
	if (b->mosq == NULL) {
		b->state = LINK_DOWN;
		retry_later(b);
		return;
	}
	snprintf(b->address, sizeof(b->address), "%s", address);
	b->state = LINK_OPENING;
	b->deadline_us = clock_mono_us() + HANDSHAKE_MS * INT64_C(1000);
	timer_every(b->misc, MISC_PERIOD_MS);
	rc = configure(b);
	if (rc == MOSQ_ERR_SUCCESS && configure_tls(b))
		rc = mosquitto_connect_async(b->mosq, address, (int)b->app->config.broker_port,
					     KEEPALIVE_S);
	if (rc == MOSQ_ERR_SUCCESS && !b->failed && !watch_socket(b))
		rc = MOSQ_ERR_NOMEM;
	settle(b, rc);
}

static void on_resolved(void *arg, const char *address)
{
	struct broker *b = arg;

	b->resolve = NULL;
	if (address != NULL) {
		open_link(b, address);
		return;
	}
	b->state = LINK_DOWN;
	fail(b, "its name is not known");
	b->failed = false;
	retry_later(b);
}

static void attempt(void *arg)
{
	struct broker *b = arg;
	const char *host = b->app->config.broker_host;
	struct in6_addr any;

	if (inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1) {
		open_link(b, host);
		return;
	}
	/* Asked anew each time: a container that was replaced comes back with another address.
	 */
	b->resolve = resolve_start(b->app->loop, host, b->attempts++, on_resolved, b);
	if (b->resolve != NULL)
		b->state = LINK_RESOLVING;
	else
		retry_later(b);
}

/* ---- for the rest of the bridge ---------------------------------------------------------- */

struct broker *broker_new(struct app *app, struct err *e)
{
	struct broker *b = calloc(1, sizeof(*b));

	mosquitto_lib_init();
	if (b != NULL) {
		b->app = app;
		b->retry_ms = RETRY_MIN_MS;
		b->retry = timer_new(app->loop, attempt, b);
		b->misc = timer_new(app->loop, on_misc, b);
	}
	if (b == NULL || b->retry == NULL || b->misc == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		broker_free(b);
		return NULL;
	}
	/* The first attempt is made by the running loop, when every listener is there. */
	timer_once(b->retry, 0);
	return b;
}

void broker_stop(struct broker *b)
{
	b->stopped = true;
	timer_cancel(b->retry);
	resolve_forget(b->resolve);
	b->resolve = NULL;
	if (b->mosq == NULL)
		return;
	if (b->state == LINK_UP) /* without a goodbye the broker would log an error */
		mosquitto_disconnect(b->mosq);
	take_down(b);
}

void broker_free(struct broker *b)
{
	if (b != NULL) {
		b->listeners = NULL; /* they are gone already */
		if (b->retry != NULL && b->misc != NULL)
			broker_stop(b);
		timer_free(b->retry);
		timer_free(b->misc);
		free(b);
	}
	mosquitto_lib_cleanup();
}

void broker_listen(struct broker *b, struct broker_listener *listener)
{
	struct broker_listener **end = &b->listeners;

	/* In order of registration: whoever is started first hears first. */
	while (*end != NULL)
		end = &(*end)->next;
	listener->next = NULL;
	*end = listener;
}

bool broker_connected(const struct broker *b)
{
	return b->state == LINK_UP && !b->failed;
}

const char *broker_address(const struct broker *b)
{
	return b->address;
}

enum err_code broker_publish(struct broker *b, const char *topic, const void *payload,
			     size_t len, int qos, struct err *e)
{
	int rc;

	if (!broker_connected(b))
		return err_set(e, ERR_BROKER_UNAVAILABLE, NULL);
	if (b->unacked >= UNACKED_MAX)
		return err_set(e, ERR_BROKER_UNAVAILABLE, "the broker does not keep up");
	/* Counted before, for QoS 0 may be written, and told, within the call. */
	b->unacked++;
	rc = mosquitto_publish_v5(b->mosq, NULL, topic, (int)len, payload, qos, false, NULL);
	if (rc != MOSQ_ERR_SUCCESS) {
		if (b->unacked > 0)
			b->unacked--;
		/* A broken socket shows itself as readable: it is taken down from there, not
		 * under the feet of the caller. */
		return err_set(e, ERR_BROKER_UNAVAILABLE, "%s", mosquitto_strerror(rc));
	}
	b->published++;
	if (mosquitto_want_write(b->mosq))
		event_add(b->writable, NULL);
	return ERR_OK;
}

void broker_expose(const struct broker *b, struct prom *p)
{
	prom_gauge(p, "rollcall_broker_up", "1 while the broker is connected and subscribed to",
		   broker_connected(b));
	prom_counter(p, "rollcall_broker_connects_total", "Connections to the broker",
		     b->connects);
	prom_counter(p, "rollcall_broker_messages_received_total",
		     "Messages that the broker delivered", b->received);
	prom_counter(p, "rollcall_broker_messages_published_total",
		     "Messages given to the broker", b->published);
	prom_counter(p, "rollcall_broker_messages_refused_total",
		     "Of these, messages that it refused", b->refused);
	prom_gauge(p, "rollcall_broker_messages_unacknowledged",
		   "Messages that wait for its acknowledgement, or to be written",
		   (double)b->unacked);
}
