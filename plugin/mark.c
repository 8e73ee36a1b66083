// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 64 /* padded, so that each line covers the one before it */

static const char *const names[] = {"running", "lacking", "stopped"};

/* The machine's boot, a random id of the kernel's; "-" where there is none. */
static void read_boot_id(char out[40])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (f == NULL || fscanf(f, "%39s", out) != 1)
		memcpy(out, "-", 2);
	if (f != NULL)
		fclose(f);
}

static bool write_line(const struct mark *m, enum mark_state state)
{
	char boot_id[40], line[LINE_BYTES + 1];

	read_boot_id(boot_id);
	snprintf(line, sizeof(line), "%-8s%-*s\n", names[state], LINE_BYTES - 9, boot_id);
	return pwrite(m->fd, line, LINE_BYTES, 0) == LINE_BYTES;
}

/* A line that is missing is that of a new directory; one that is not ours says nothing, and
 * may have said that something is lacking. */
static bool line_says_lacking(const char *line, ssize_t len)
{
	char state[9], boot_id[40], now[40];

	if (len == 0)
		return false;
	if (len != LINE_BYTES || sscanf(line, "%8s %39s", state, boot_id) != 2)
		return true;
	if (strcmp(state, names[MARK_STOPPED]) == 0)
		return false;
	read_boot_id(now);
	return strcmp(state, names[MARK_RUNNING]) != 0 || strcmp(boot_id, now) != 0;
}

enum err_code mark_open(struct mark *m, const char *dir, bool *may_lack, struct err *e)
{
	char path[4096], line[LINE_BYTES + 1] = "";
	ssize_t len;

	*m = (struct mark){.fd = -1};
	if (snprintf(path, sizeof(path), "%s/state", dir) >= (int)sizeof(path))
		return err_set(e, ERR_STORE_UNAVAILABLE, "storage_path: too long");
	m->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	len = m->fd >= 0 ? pread(m->fd, line, LINE_BYTES, 0) : -1;
	if (len < 0) {
		err_set(e, ERR_STORE_UNAVAILABLE, "%s: %s", path, strerror(errno));
		mark_close(m);
		return e->code;
	}
	*may_lack = line_says_lacking(line, len);
	m->state = *may_lack ? MARK_LACKING : MARK_STOPPED;
	return ERR_OK;
}

void mark_close(struct mark *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

void mark_set(struct mark *m, enum mark_state state)
{
	if (m->state != state && write_line(m, state))
		m->state = state;
}

enum err_code mark_set_durably(struct mark *m, enum mark_state state, struct err *e)
{
	if (!write_line(m, state) || fdatasync(m->fd) != 0)
		return err_set(e, ERR_STORE_UNAVAILABLE, "storage_path, state: %s",
			       strerror(errno));
	m->state = state;
	return ERR_OK;
}
