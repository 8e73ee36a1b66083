// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric_socket.h - bytes to and from the broker, with TLS where it is configured. Never waits:
 * what cannot be had now fails with EAGAIN. Thread: its owner's. */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct config;

struct metric_socket {
	int fd;             /* to be polled; -1: closed */
	struct ssl_st *tls; /* NULL: none */
};

#define METRIC_SOCKET_CLOSED ((struct metric_socket){.fd = -1})

/* Begins to connect to the configured port at that numeric address. After an error there is
 * nothing to close. */
enum err_code metric_socket_open(struct metric_socket *s, const struct config *config,
				 const char *address, struct err *e) MUST_CHECK;
void metric_socket_close(struct metric_socket *s); /* one that is closed is fine */

/* Like read() and send(); below 0: see errno and metric_socket_why(). */
ssize_t metric_socket_read(struct metric_socket *s, void *out, size_t len);
ssize_t metric_socket_write(struct metric_socket *s, const void *data, size_t len);

/* Whether to poll for POLLOUT; `more`: there is something to be written. */
bool metric_socket_wants_write(const struct metric_socket *s, bool more);

/* There is something to read that poll() does not know of. */
bool metric_socket_has_pending(const struct metric_socket *s);

/* Why the last call failed. Borrowed until the next one. */
const char *metric_socket_why(const struct metric_socket *s);
