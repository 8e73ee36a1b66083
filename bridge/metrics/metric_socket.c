// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metrics/metric_socket.h"

#include "bridge/base/config.h"
#include "bridge/mqtt/tls_client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_BYTES (4 * 1024 * 1024) /* reports may come in bursts */

static int connect_to(const char *address, int port)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				       .ai_socktype = SOCK_STREAM};
	const int one = 1, size = SOCKET_BYTES;
	struct addrinfo *info;
	char service[8];
	int fd;

	snprintf(service, sizeof(service), "%d", port);
	if (getaddrinfo(address, service, &hints, &info) != 0)
		return -1;
	fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	}
	if (fd >= 0 && connect(fd, info->ai_addr, info->ai_addrlen) != 0 &&
	    errno != EINPROGRESS) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(info);
	return fd;
}

enum err_code metric_socket_open(struct metric_socket *s, const struct config *config,
				 const char *address, struct err *e)
{
	const struct tls_client files = {config->broker_tls_ca, config->broker_tls_cert,
					 config->broker_tls_key, config->broker_host};

	*s = METRIC_SOCKET_CLOSED;
	s->fd = connect_to(address, (int)config->broker_port);
	if (s->fd < 0)
		return err_set(e, ERR_BROKER_UNAVAILABLE, "the broker cannot be reached");
	if (*config->broker_tls_ca == '\0')
		return ERR_OK;
	s->tls = tls_client_new(&files, s->fd, e);
	if (s->tls != NULL)
		return ERR_OK;
	metric_socket_close(s);
	return e->code;
}

void metric_socket_close(struct metric_socket *s)
{
	tls_client_free(s->tls);
	if (s->fd >= 0)
		close(s->fd);
	*s = METRIC_SOCKET_CLOSED;
}

ssize_t metric_socket_read(struct metric_socket *s, void *out, size_t len)
{
	return s->tls != NULL ? tls_client_read(s->tls, out, len) : read(s->fd, out, len);
}

ssize_t metric_socket_write(struct metric_socket *s, const void *data, size_t len)
{
	return s->tls != NULL ? tls_client_write(s->tls, data, len)
			      : send(s->fd, data, len, MSG_NOSIGNAL);
}

bool metric_socket_wants_write(const struct metric_socket *s, bool more)
{
	return s->tls != NULL ? tls_client_wants_write(s->tls, more) : more;
}

bool metric_socket_has_pending(const struct metric_socket *s)
{
	return tls_client_has_pending(s->tls);
}

const char *metric_socket_why(const struct metric_socket *s)
{
	if (s->tls != NULL && *tls_client_why() != '\0')
		return tls_client_why();
	return strerrordesc_np(errno);
}
