// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* test_plugin_dir.h - storage directories of tests: made, copied as a crash leaves them,
 * removed. */
#pragma once

#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static inline void make_dir(char path[64])
{
	snprintf(path, 64, "/tmp/rollcall-unit-XXXXXX");
	assert_non_null(mkdtemp(path));
}

static inline void each_file(const char *dir,
			     void (*fn)(const char *path, const char *name, void *), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char path[512];

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		fn(path, entry->d_name, arg);
	}
	closedir(d);
}

static inline void unlink_one(const char *path, const char *name, void *arg)
{
	(void)name;
	(void)arg;
	unlink(path);
}

static inline void remove_dir(const char *path)
{
	each_file(path, unlink_one, NULL);
	rmdir(path);
}

static inline void copy_one(const char *path, const char *name, void *arg)
{
	char to[512], bytes[65536];
	int in = open(path, O_RDONLY), out;
	ssize_t n;

	snprintf(to, sizeof(to), "%s/%s", (const char *)arg, name);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(out, bytes, (size_t)n), n);
	close(in);
	close(out);
}

/* What a process that dies now leaves behind: a copy of its files as they are. */
static inline void copy_dir(const char *from, char to[64])
{
	make_dir(to);
	each_file(from, copy_one, to);
}
