// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/listener.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILES_OF_OTHERS 128 /* database connections, broker, logs, resolver */

static int listen_on(const struct addrinfo *ai)
{
	const int one = 1;
	int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	close(fd);
	return -1;
}

int listener_open(const char *address, int64_t number, struct err *e)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	char port[8];
	int fd = -1, rc;

	snprintf(port, sizeof(port), "%d", (int)number);
	rc = getaddrinfo(address, port, &hints, &found);
	if (rc != 0) {
		err_set(e, ERR_INVALID_REQUEST, "%s: %s", address, gai_strerror(rc));
		return -1;
	}
	for (const struct addrinfo *ai = found; ai != NULL && fd < 0; ai = ai->ai_next)
		fd = listen_on(ai);
	if (fd < 0)
		err_set(e, ERR_INVALID_REQUEST, "cannot listen on %s port %s: %s", address,
			port, strerror(errno));
	freeaddrinfo(found);
	return fd;
}

unsigned listener_room(unsigned most)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= most + FILES_OF_OTHERS)
		return most;
	return files.rlim_cur > 2 * FILES_OF_OTHERS ? (unsigned)files.rlim_cur - FILES_OF_OTHERS
						    : FILES_OF_OTHERS;
}
