// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* libmosquitto reads each packet with three system calls and copies it three times; at 40,000
 * messages a second that is most of a core. This reads whatever is there into one buffer and
 * hands out the messages where they lie. */
#include "bridge/metrics/metric_link.h"

#include "bridge/base/config.h"
#include "bridge/metrics/metric_socket.h"
#include "bridge/mqtt/broker.h"
#include "bridge/mqtt/mqtt_packet.h"
#include "protocol/clock.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define IN_BYTES ((size_t)512 * 1024) /* the longest packet that is read */
#define OUT_BYTES ((size_t)8 * 1024 * 1024)
#define KEEPALIVE_S 10
#define SILENCE_US (15 * INT64_C(1000000)) /* a peer that is gone: ping and its patience */
#define HANDSHAKE_US (5 * INT64_C(1000000))
#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 1000
#define BUSY_BYTES 2048 /* read at once: more will be there in a moment */
#define BUSY_PAUSE_NS 1000000
#define SUBSCRIBE_ID 1

enum link_state { LINK_OPENING, LINK_GREETING, LINK_SUBSCRIBING, LINK_UP };

struct metric_link {
	const struct config *config;
	struct metric_link_events events;
	pthread_t thread;
	bool running;
	int wake_fd;
	atomic_bool up;

	/* The thread's. */
	struct metric_socket socket;
	enum link_state state;
	int64_t heard_us, asked_us, began_us;
	char *in;
	size_t in_len, skip; /* bytes of a packet that is too long, still to come */
	struct buf sending;
	size_t sent;
	char why[128]; /* the last failure that was logged */

	pthread_mutex_t lock; /* guards what follows */
	char address[64];     /* "": not known yet */
	struct buf out;       /* packets for the thread to send */
	bool stopping;
};

/* ---- what others ask for ----------------------------------------------------------------- */

static void wake(struct metric_link *l)
{
	const uint64_t one = 1;

	if (write(l->wake_fd, &one, sizeof(one)) < 0)
		return; /* full: it is awake anyway */
}

void metric_link_open(struct metric_link *l, const char *address)
{
	pthread_mutex_lock(&l->lock);
	snprintf(l->address, sizeof(l->address), "%s", address);
	pthread_mutex_unlock(&l->lock);
	wake(l);
}

bool metric_link_send(struct metric_link *l, const char *topic, const void *payload, size_t len)
{
	bool first, taken;
	size_t before;

	if (!metric_link_up(l))
		return false;
	pthread_mutex_lock(&l->lock);
	before = l->out.len;
	first = before == 0;
	mqtt_write_publish(&l->out, topic, payload, len);
	taken = !l->out.failed;
	if (!taken) { /* half a packet must not stay */
		l->out.len = before;
		l->out.failed = false;
	}
	pthread_mutex_unlock(&l->lock);
	if (first)
		wake(l);
	return taken;
}

bool metric_link_up(const struct metric_link *l)
{
	return atomic_load(&l->up);
}

/* ---- the connection ---------------------------------------------------------------------- */

/* False: the connection is to be given up. */
static bool broken(struct metric_link *l, const char *why)
{
	if (strcmp(l->why, why) != 0)
		log_warn("metric", "connection for metrics: %s", why);
	snprintf(l->why, sizeof(l->why), "%s", why);
	return false;
}

static void greet(struct metric_link *l)
{
	char id[48];

	snprintf(id, sizeof(id), "rollcall-metrics-%08x%08x", randombytes_random(),
		 randombytes_random());
	mqtt_write_connect(&l->sending, id, l->config->broker_user, l->config->broker_password,
			   KEEPALIVE_S);
	l->state = LINK_GREETING;
}

/* False: nothing to connect to, or it went wrong at once. */
static bool open_socket(struct metric_link *l)
{
	char address[sizeof(l->address)];
	struct err e;

	pthread_mutex_lock(&l->lock);
	memcpy(address, l->address, sizeof(address));
	buf_reset(&l->out); /* for an earlier life of the broker */
	pthread_mutex_unlock(&l->lock);
	if (address[0] == '\0')
		return false;
	if (metric_socket_open(&l->socket, l->config, address, &e) != ERR_OK)
		return broken(l, e.msg);
	l->state = LINK_OPENING;
	l->began_us = l->heard_us = l->asked_us = clock_mono_us();
	l->in_len = l->skip = l->sent = 0;
	buf_reset(&l->sending);
	greet(l);
	return true;
}

static void close_socket(struct metric_link *l)
{
	atomic_store(&l->up, false);
	metric_socket_close(&l->socket);
}

/* ---- what comes in ----------------------------------------------------------------------- */

/* The single reports are not delivered to whoever takes batches; but somebody must have
 * subscribed to them, or MQTT 5 tells workers that nobody has. */
static void subscribe(struct metric_link *l)
{
	char single[TOPIC_MAX];
	const char *filters[] = {SHARED_PREFIX TOPIC_METRICS_BATCH, single};

	topic_filter_all(l->config->topic_root, WORKER_TOPIC_METRICS, single);
	mqtt_write_subscribe(&l->sending, SUBSCRIBE_ID, filters, ARRAY_LEN(filters), 0);
}

static bool on_connack(struct metric_link *l, const struct mqtt_packet *p)
{
	if (mqtt_connack_reason(p) != 0)
		return broken(l, "the broker refuses it");
	subscribe(l);
	l->state = LINK_SUBSCRIBING;
	return true;
}

static bool on_suback(struct metric_link *l, const struct mqtt_packet *p)
{
	const int reason = mqtt_suback_reason(p);

	if (reason < 0 || reason >= 128)
		return broken(l, "the broker denies the subscription");
	l->state = LINK_UP;
	l->why[0] = '\0';
	atomic_store(&l->up, true);
	log_info("metric", "connection for metrics is up");
	return true;
}

static bool on_publish(struct metric_link *l, const struct mqtt_packet *p)
{
	struct mqtt_message message;
	char topic[TOPIC_MAX];

	if (!mqtt_read_publish(p, &message))
		return broken(l, "the broker sent a malformed message");
	if (message.qos > 0)
		mqtt_write_puback(&l->sending, message.id);
	if (message.topic_len >= sizeof(topic) || memchr(message.topic, 0, message.topic_len))
		return true; /* none that we subscribed to */
	memcpy(topic, message.topic, message.topic_len);
	topic[message.topic_len] = '\0';
	l->events.message(l->events.arg, topic, message.payload, message.payload_len);
	return true;
}

static bool on_packet(struct metric_link *l, const struct mqtt_packet *p)
{
	switch (p->type) {
	case MQTT_PUBLISH:
		return on_publish(l, p);
	case MQTT_CONNACK:
		return on_connack(l, p);
	case MQTT_SUBACK:
		return on_suback(l, p);
	case MQTT_DISCONNECT:
		return broken(l, "the broker ended it");
	default:
		return true;
	}
}

/* The packet at the front is longer than the buffer: what is left of it is thrown away as it
 * comes. */
static void skip_packet(struct metric_link *l, size_t at, size_t size)
{
	l->skip = size - (l->in_len - at);
	l->in_len = at;
	l->events.too_long(l->events.arg);
}

/* All whole packets of the buffer; the beginning of the next one moves to its front. */
static bool take_packets(struct metric_link *l)
{
	struct mqtt_packet p;
	size_t at = 0;

	while (at < l->in_len) {
		enum mqtt_progress progress = mqtt_next(l->in + at, l->in_len - at, &p);

		if (progress == MQTT_BAD)
			return broken(l, "the broker sent what is not MQTT");
		if (progress == MQTT_PARTIAL && p.size > IN_BYTES)
			skip_packet(l, at, p.size);
		if (progress == MQTT_PARTIAL)
			break;
		if (!on_packet(l, &p))
			return false;
		at += p.size;
	}
	memmove(l->in, l->in + at, l->in_len - at);
	l->in_len -= at;
	return true;
}

/* One read, as large as may be. */
static bool receive(struct metric_link *l)
{
	static const struct timespec pause = {.tv_nsec = BUSY_PAUSE_NS};
	ssize_t n = metric_socket_read(&l->socket, l->in + l->in_len, IN_BYTES - l->in_len);
	size_t skipped;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return broken(l,
			      n == 0 ? "the broker closed it" : metric_socket_why(&l->socket));
	l->heard_us = clock_mono_us();
	skipped = l->skip < (size_t)n ? l->skip : (size_t)n;
	if (skipped > 0)
		memmove(l->in + l->in_len, l->in + l->in_len + skipped, (size_t)n - skipped);
	l->skip -= skipped;
	l->in_len += (size_t)n - skipped;
	if (!take_packets(l))
		return false;
	l->events.turn(l->events.arg);
	if (n >= BUSY_BYTES)
		nanosleep(&pause, NULL);
	return true;
}

/* ---- what goes out ----------------------------------------------------------------------- */

/* Everything of the last turn has left: what others have queued meanwhile is next. */
static void fetch_queued(struct metric_link *l)
{
	struct buf swap;

	if (l->sent < l->sending.len || l->state != LINK_UP)
		return;
	buf_reset(&l->sending);
	l->sent = 0;
	pthread_mutex_lock(&l->lock);
	swap = l->sending;
	l->sending = l->out;
	l->out = swap;
	pthread_mutex_unlock(&l->lock);
}

static bool transmit(struct metric_link *l)
{
	ssize_t n;

	fetch_queued(l);
	while (l->sent < l->sending.len) {
		n = metric_socket_write(&l->socket, l->sending.data + l->sent,
					l->sending.len - l->sent);
		if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN))
			return true;
		if (n <= 0)
			return broken(l, metric_socket_why(&l->socket));
		l->sent += (size_t)n;
		l->asked_us = clock_mono_us();
		fetch_queued(l);
	}
	return true;
}

/* ---- the thread -------------------------------------------------------------------------- */

static bool stopping(struct metric_link *l)
{
	bool answer;

	pthread_mutex_lock(&l->lock);
	answer = l->stopping;
	pthread_mutex_unlock(&l->lock);
	return answer;
}

static bool keep_alive(struct metric_link *l)
{
	const int64_t now = clock_mono_us();

	if (l->state != LINK_UP && now - l->began_us > HANDSHAKE_US)
		return broken(l, "no answer to the connection attempt");
	if (now - l->heard_us > SILENCE_US)
		return broken(l, "the broker is silent");
	/* Half the time, for what is received does not count as a sign of life of ours. */
	if (l->state == LINK_UP && now - l->asked_us > KEEPALIVE_S * INT64_C(500000)) {
		mqtt_write_pingreq(&l->sending);
		l->asked_us = now;
	}
	return true;
}

static void drain_wake(struct metric_link *l)
{
	uint64_t count;

	if (read(l->wake_fd, &count, sizeof(count)) < 0)
		return; /* it was not that */
}

/* Turns the connection until it breaks or the link is to stop. */
static void serve(struct metric_link *l)
{
	bool ok = true;

	while (ok && !stopping(l)) {
		struct pollfd fds[] = {
			{.fd = l->socket.fd, .events = POLLIN},
			{.fd = l->wake_fd,   .events = POLLIN},
		};

		const bool ahead = metric_socket_has_pending(&l->socket);

		if (metric_socket_wants_write(&l->socket, l->sent < l->sending.len))
			fds[0].events |= POLLOUT;
		if (poll(fds, ARRAY_LEN(fds), ahead ? 0 : 500) < 0 && errno != EINTR)
			ok = broken(l, strerrordesc_np(errno));
		if (fds[1].revents != 0)
			drain_wake(l);
		if (ahead || fds[0].revents & (POLLIN | POLLERR | POLLHUP))
			ok = receive(l);
		ok = ok && keep_alive(l) && transmit(l);
	}
}

static void say_goodbye(struct metric_link *l)
{
	if (l->state != LINK_UP || !transmit(l) || l->sent < l->sending.len)
		return;
	buf_reset(&l->sending);
	l->sent = 0;
	mqtt_write_disconnect(&l->sending);
	l->state = LINK_OPENING; /* nothing else is to be sent */
	(void)transmit(l);
}

static void wait_retry(struct metric_link *l, int64_t ms)
{
	struct pollfd fd = {.fd = l->wake_fd, .events = POLLIN};

	poll(&fd, 1, (int)(ms / 2 + randombytes_uniform((uint32_t)ms / 2 + 1)));
	drain_wake(l);
}

static void *thread_main(void *arg)
{
	struct metric_link *l = arg;
	int64_t retry_ms = RETRY_MIN_MS;

	while (!stopping(l)) {
		if (open_socket(l)) {
			serve(l);
			if (l->state == LINK_UP)
				retry_ms = RETRY_MIN_MS;
			if (stopping(l))
				say_goodbye(l);
		}
		close_socket(l);
		if (!stopping(l))
			wait_retry(l, retry_ms);
		retry_ms = retry_ms * 2 < RETRY_MAX_MS ? retry_ms * 2 : RETRY_MAX_MS;
	}
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------- */

struct metric_link *metric_link_new(const struct config *config,
				    const struct metric_link_events *events, struct err *e)
{
	struct metric_link *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	l->config = config;
	l->events = *events;
	l->socket = METRIC_SOCKET_CLOSED;
	pthread_mutex_init(&l->lock, NULL);
	buf_init(&l->sending, OUT_BYTES);
	buf_init(&l->out, OUT_BYTES);
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->in = malloc(IN_BYTES);
	l->running = l->wake_fd >= 0 && l->in != NULL &&
		     pthread_create(&l->thread, NULL, thread_main, l) == 0;
	if (l->running)
		return l;
	err_set(e, ERR_OUT_OF_MEMORY, "cannot start the connection for metrics");
	metric_link_free(l);
	return NULL;
}

void metric_link_stop(struct metric_link *l)
{
	if (!l->running)
		return;
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_mutex_unlock(&l->lock);
	wake(l);
	pthread_join(l->thread, NULL);
	l->running = false;
}

void metric_link_free(struct metric_link *l)
{
	if (l == NULL)
		return;
	metric_link_stop(l);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	free(l->in);
	buf_fini(&l->sending);
	buf_fini(&l->out);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
