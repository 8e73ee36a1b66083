// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/swap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum err_code swap_open(struct swap *s, const char *dir, int64_t place_bytes, struct err *e)
{
	char path[4096];

	*s = (struct swap){.fd = -1, .place_bytes = place_bytes};
	if (snprintf(path, sizeof(path), "%s/hibernated", dir) >= (int)sizeof(path))
		return err_set(e, ERR_STORE_UNAVAILABLE, "storage_path: too long");
	s->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return err_set(e, ERR_STORE_UNAVAILABLE, "%s: %s", path, strerror(errno));
	return ERR_OK;
}

void swap_close(struct swap *s)
{
	int rc;

	if (s->fd < 0)
		return;
	rc = ftruncate(s->fd, 0); /* the next start does it, too */
	(void)rc;
	close(s->fd);
	s->fd = -1;
}

static size_t bytes_of(const struct iovec *parts, int len)
{
	size_t bytes = 0;

	for (int i = 0; i < len; i++)
		bytes += parts[i].iov_len;
	return bytes;
}

/* A signal ends no transfer of a regular file in between: what is short is a disk that is full
 * or broken, or a file that somebody has cut. */
static bool is_whole(ssize_t n, size_t bytes)
{
	if (n >= 0 && (size_t)n < bytes)
		errno = EIO;
	return n >= 0 && (size_t)n == bytes;
}

bool swap_write(const struct swap *s, uint32_t number, const struct iovec *parts, int len)
{
	ssize_t n = pwritev(s->fd, parts, len, ((off_t)number - 1) * s->place_bytes);

	return is_whole(n, bytes_of(parts, len));
}

bool swap_read(const struct swap *s, uint32_t number, const struct iovec *parts, int len)
{
	ssize_t n = preadv(s->fd, parts, len, ((off_t)number - 1) * s->place_bytes);

	return is_whole(n, bytes_of(parts, len));
}
