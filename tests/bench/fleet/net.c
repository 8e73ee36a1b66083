// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/net.h"

#include "protocol/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 512
#define READ_BYTES (256 * 1024)

static int poller = -1;
static unsigned int source_count = 1;

void net_start(int sources)
{
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (poller < 0)
		die("epoll_create1");
	source_count = sources > 0 ? (unsigned int)sources : 1;
}

static void watch(struct conn *c, int operation, bool out)
{
	struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.ptr = c};

	if (epoll_ctl(poller, operation, c->fd, &ev) != 0)
		die("epoll_ctl");
	c->wants_out = out;
}

static struct sockaddr_in loopback(unsigned int host, int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr = {htonl(INADDR_LOOPBACK + host)}};
}

void net_open(struct conn *c, const struct conn_kind *kind, int port, unsigned int number)
{
	struct sockaddr_in from = loopback(number % source_count, 0), to = loopback(0, port);
	int one = 1;

	*c = (struct conn){.kind = kind, .connecting = true, .opened_us = clock_mono_us()};
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket (see ulimit -n)");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		die("bind");
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) {
		net_fail(c, FAULT_CONNECT, strerror(errno));
		return;
	}
	watch(c, EPOLL_CTL_ADD, true);
}

void net_close(struct conn *c, bool reset)
{
	const struct linger at_once = {1, 0};

	if (c->fd < 0)
		return;
	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(c->fd);
	c->fd = -1;
	bytes_free(&c->in);
	bytes_free(&c->out);
}

void net_fail(struct conn *c, enum fault fault, const char *why)
{
	report_fault(fault, "%s", why);
	net_close(c, false);
	c->kind->lost(c);
}

void net_send(struct conn *c, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	c->sent_us = clock_mono_us();
	if (c->out.len == 0) {
		n = send(c->fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return; /* reading will tell */
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
		if (len == 0)
			return;
	}
	bytes_add(&c->out, p, len);
	if (!c->wants_out)
		watch(c, EPOLL_CTL_MOD, true);
}

static void finish_connect(struct conn *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		net_fail(c, FAULT_CONNECT, strerror(error));
		return;
	}
	c->connecting = false;
	watch(c, EPOLL_CTL_MOD, false);
	c->kind->opened(c);
}

static void write_more(struct conn *c)
{
	ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

	if (n <= 0)
		return;
	bytes_drop(&c->out, (size_t)n);
	if (c->out.len == 0)
		watch(c, EPOLL_CTL_MOD, false);
}

/* Whole messages, nearly always, are digested where they were read. */
static void read_more(struct conn *c)
{
	static char fresh[READ_BYTES];
	ssize_t n = recv(c->fd, fresh, sizeof(fresh), 0);
	size_t used;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		net_fail(c, FAULT_LOST, n == 0 ? "closed by the peer" : strerror(errno));
		return;
	}
	if (c->in.len > 0) {
		bytes_add(&c->in, fresh, (size_t)n);
		used = c->kind->received(c, c->in.data, c->in.len);
		if (c->fd >= 0)
			bytes_drop(&c->in, used);
		return;
	}
	used = c->kind->received(c, fresh, (size_t)n);
	if (c->fd >= 0)
		bytes_add(&c->in, fresh + used, (size_t)n - used);
}

static void handle(struct conn *c, uint32_t events)
{
	if (c->connecting) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			finish_connect(c);
		return;
	}
	if (events & EPOLLOUT && c->out.len > 0)
		write_more(c);
	if (c->fd >= 0 && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		read_more(c);
}

void net_poll(int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(poller, events, EVENTS_MAX, timeout_ms);

	for (int i = 0; i < n; i++) {
		struct conn *c = events[i].data.ptr;

		/* One that an earlier event of this round has closed. */
		if (c->fd >= 0)
			handle(c, events[i].events);
	}
}
