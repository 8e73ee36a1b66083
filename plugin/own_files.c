// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/own_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_OWN_FD 3 /* standard input, output and error stay */

/* The system call may say that it did what it did not (under valgrind), and to close what is
 * the broker's would be its end: a file opened here must not show in the first thread's table.
 */
static bool is_own_table(void)
{
	char path[64];
	bool own;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/fd", (int)getpid());
	own = access(path, F_OK) == 0;
	snprintf(path, sizeof(path), "/proc/self/task/%d/fd/%d", (int)getpid(), fd);
	own = own && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
	close(fd);
	return own;
}

static bool lies_below(const char *fd_name, const char *dir)
{
	char path[sizeof("/proc/thread-self/fd/") + NAME_MAX], target[PATH_MAX];
	size_t len = strlen(dir);
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%s", fd_name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return true; /* unknown: left alone */
	target[n] = '\0';
	return strncmp(target, dir, len) == 0 && target[len] == '/';
}

static void close_others(const char *dir)
{
	DIR *fds = opendir("/proc/thread-self/fd");
	const struct dirent *entry;
	int fd;

	if (fds == NULL)
		return;
	while ((entry = readdir(fds)) != NULL) {
		fd = (int)strtol(entry->d_name, NULL, 10);
		if (fd >= FIRST_OWN_FD && fd != dirfd(fds) && !lies_below(entry->d_name, dir))
			close(fd);
	}
	closedir(fds);
}

void own_files(const char *dir)
{
	/* A range without descriptors: of the call, only its flag is wanted. */
	if (syscall(SYS_close_range, UINT_MAX, UINT_MAX, CLOSE_RANGE_UNSHARE) == 0 &&
	    is_own_table())
		close_others(dir);
}
