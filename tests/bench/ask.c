// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* ask PORT PATH CONNECTIONS SECONDS [HEADER] - asks 127.0.0.1 for the same thing again and
 * again on so many connections, each with one request at a time. Prints one JSON object:
 * answers a second, quantiles of the time from asking to the last byte, bytes of an answer's
 * body, and its own share of a processor. Ends with an error at any answer that is not a 200.
 */
#include "protocol/clock.h"
#include "tests/bench/fleet/samples.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 4096
#define HEAD_MAX 4096
#define READ_BYTES (1024 * 1024)
#define CONNECTIONS_MAX 1000

struct asker {
	int fd;
	int64_t asked_us;
	char head[HEAD_MAX];
	size_t head_len; /* while the header comes */
	size_t left;     /* of the body; valid once the header is whole */
};

static struct asker askers[CONNECTIONS_MAX];
static char request[REQUEST_MAX];
static size_t request_len;
static struct samples took;
static size_t body_bytes;
static int64_t until_us;
static int asking;

static _Noreturn void die(const char *why)
{
	fprintf(stderr, "ask: %s\n", why);
	exit(EXIT_FAILURE);
}

static double cpu_s(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void ask(struct asker *a)
{
	a->asked_us = clock_mono_us();
	a->head_len = 0;
	if (a->asked_us >= until_us) {
		asking--;
		return;
	}
	if (send(a->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
		die("cannot send");
}

static void finish(struct asker *a)
{
	samples_add(&took, clock_mono_us() - a->asked_us);
	ask(a);
}

/* True once the header is whole; what came of the body with it is counted. */
static bool read_head(struct asker *a, const char *data, size_t len)
{
	const char *end, *length;
	size_t n = len < HEAD_MAX - 1 - a->head_len ? len : HEAD_MAX - 1 - a->head_len;

	memcpy(a->head + a->head_len, data, n);
	a->head[a->head_len + n] = '\0';
	end = strstr(a->head, "\r\n\r\n");
	if (end == NULL) {
		a->head_len += n;
		if (a->head_len == HEAD_MAX - 1)
			die("the header is too long");
		return false;
	}
	length = strcasestr(a->head, "\r\nContent-Length:");
	if (strncmp(a->head, "HTTP/1.1 200", 12) != 0 || length == NULL)
		die(a->head);
	body_bytes = strtoull(length + 17, NULL, 10);
	a->left = body_bytes - (len - ((size_t)(end + 4 - a->head) - a->head_len));
	return true;
}

static void on_readable(struct asker *a)
{
	static char data[READ_BYTES];
	const ssize_t n = recv(a->fd, data, sizeof(data), 0);

	if (n <= 0)
		die("the connection is closed");
	if (a->left > 0)
		a->left -= (size_t)n;
	else if (!read_head(a, data, (size_t)n))
		return;
	if (a->left == 0)
		finish(a);
}

static void open_all(int epoll, int port, int count)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	const int on = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < count; i++) {
		struct asker *a = &askers[i];
		struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = a};

		a->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (a->fd < 0 || connect(a->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
			die("cannot connect");
		setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, a->fd, &wanted) != 0)
			die("cannot wait for it");
	}
}

static void make_request(const char *path, int port, const char *header)
{
	const int n = snprintf(request, sizeof(request),
			       "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s\r\n", path, port,
			       header, *header != '\0' ? "\r\n" : "");

	if (n < 0 || n >= (int)sizeof(request))
		die("the request is too long");
	request_len = (size_t)n;
}

static void run(int epoll, int count)
{
	struct epoll_event events[64];

	asking = count;
	for (int i = 0; i < count; i++)
		ask(&askers[i]);
	while (asking > 0) {
		const int n = epoll_wait(epoll, events, 64, 10000);

		if (n <= 0)
			die("no answer for ten seconds");
		for (int i = 0; i < n; i++)
			on_readable(events[i].data.ptr);
	}
}

int main(int argc, char **argv)
{
	const int epoll = epoll_create1(EPOLL_CLOEXEC);
	double cpu, seconds;
	int64_t begin_us;
	int count;

	if (argc < 5)
		die("usage: ask PORT PATH CONNECTIONS SECONDS [HEADER]");
	count = atoi(argv[3]);
	if (count < 1 || count > CONNECTIONS_MAX)
		die("so many connections there cannot be");
	make_request(argv[2], atoi(argv[1]), argc > 5 ? argv[5] : "");
	open_all(epoll, atoi(argv[1]), count);
	cpu = cpu_s();
	begin_us = clock_mono_us();
	until_us = begin_us + (int64_t)(atof(argv[4]) * 1e6);
	run(epoll, count);
	seconds = (double)(clock_mono_us() - begin_us) / 1e6;
	printf("{\"per_s\":%.1f,\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"max_ms\":%.4f,\"bytes\":%zu,"
	       "\"own_cpu_pct\":%.1f}\n",
	       (double)took.len / seconds, samples_quantile(&took, .50) / 1e3,
	       samples_quantile(&took, .99) / 1e3, samples_quantile(&took, 1) / 1e3, body_bytes,
	       100 * (cpu_s() - cpu) / seconds);
	return EXIT_SUCCESS;
}
