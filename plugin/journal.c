// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/journal.h"

#include "plugin/codec.h"
#include "plugin/disk.h"
#include "protocol/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_BYTES 16          /* of a record: length, CRC */
#define FIXED_BYTES 18           /* lsn, database, flags, key's length */
#define RECORD_MAX (1024 * 1024) /* far above the largest record, 8 KiB of state */
/* One file grows until the commit before it is done: so far only while LMDB refuses or the disk
 * is very slow. */
#define APPEND_MAX_BYTES (64L * 1024 * 1024)
#define FILE_MAX_BYTES (1024L * 1024 * 1024) /* refuse to read a file that cannot be ours */
#define PROBE_BYTES 4096
#define PROBE_DB 255 /* no database: a replay leaves the record out */

#define MAGIC "rollcall" /* the head: this, then the version */
#define VERSION 2
#define HEAD_BYTES 16

enum { FLAG_DELETED = 1 };

#ifdef __x86_64__
/* The processor's own CRC-32C: every turn of the broker's loop waits for it. */
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(const uint8_t *p, size_t len)
{
	uint64_t crc = ~0u, eight;

	for (; len >= sizeof(eight); p += sizeof(eight), len -= sizeof(eight)) {
		memcpy(&eight, p, sizeof(eight));
		crc = __builtin_ia32_crc32di(crc, eight);
	}
	for (; len > 0; p++, len--)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *p);
	return ~(uint32_t)crc;
}
#endif

/* CRC-32C (Castagnoli), bit by bit reversed; the table is made at first use. */
static uint32_t crc32c(const void *bytes, size_t len)
{
	static uint32_t table[256];
	const uint8_t *p = bytes;
	uint32_t crc = ~0u;

#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse42(p, len);
#endif

	if (table[1] == 0)
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;

			for (int k = 0; k < 8; k++)
				c = c & 1 ? c >> 1 ^ 0x82F63B78u : c >> 1;
			table[i] = c;
		}
	for (size_t i = 0; i < len; i++)
		crc = table[(crc ^ p[i]) & 0xff] ^ crc >> 8;
	return ~crc;
}

static int open_one(const char *dir, int index)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/journal.%d", dir, index) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

enum err_code journal_open(struct journal *j, const char *dir, struct err *e)
{
	*j = (struct journal){
		.fd = {-1, -1}
        };
	for (int i = 0; i < 2; i++) {
		j->fd[i] = open_one(dir, i);
		if (j->fd[i] < 0) {
			err_set(e, ERR_STORE_UNAVAILABLE, "%s/journal.%d: %s", dir, i,
				strerror(errno));
			journal_close(j);
			return e->code;
		}
	}
	return ERR_OK;
}

void journal_close(struct journal *j)
{
	for (int i = 0; i < 2; i++)
		if (j->fd[i] >= 0)
			close(j->fd[i]);
	j->fd[0] = j->fd[1] = -1;
}

void journal_encode(struct buf *out, const struct journal_record *r)
{
	size_t from = out->len, len;

	/* Room for all of it at once. */
	if (buf_reserve(out, HEADER_BYTES + FIXED_BYTES + r->key_len + r->value_len) == NULL)
		return;
	enc_i64(out, 0); /* the header's place */
	enc_i64(out, 0);
	enc_i64(out, (int64_t)r->lsn);
	enc_u8(out, r->db);
	enc_u8(out, r->deleted ? FLAG_DELETED : 0);
	enc_i64(out, (int64_t)r->key_len);
	enc_bytes(out, r->key, r->key_len);
	enc_bytes(out, r->value, r->value_len);
	if (out->failed)
		return;
	len = out->len - from - HEADER_BYTES;
	enc_i64_at(out->data + from, (int64_t)len);
	enc_i64_at(out->data + from + 8, crc32c(out->data + from + HEADER_BYTES, len));
}

/* All of it, or nothing: what was written in part is cut off, for a replay would find it torn
 * in the middle of the file. */
static enum err_code write_whole(struct journal *j, const char *data, size_t len, struct err *e)
{
	int fd = j->fd[j->active], number, rc;
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			number = n < 0 ? errno : ENOSPC;
			rc = ftruncate(fd, j->good_len);
			(void)rc; /* a replay can live with it */
			return err_set(e, disk_err_code(number), "journal: %s",
				       strerror(number));
		}
		done += (size_t)n;
	}
	j->good_len += (int64_t)len;
	return ERR_OK;
}

static enum err_code write_head(struct journal *j, struct err *e)
{
	char head[HEAD_BYTES] = MAGIC;

	enc_i64_at(head + sizeof(MAGIC) - 1, VERSION);
	return write_whole(j, head, sizeof(head), e);
}

enum err_code journal_append(struct journal *j, const struct buf *bytes, struct err *e)
{
	if (j->good_len + (int64_t)bytes->len > APPEND_MAX_BYTES)
		return err_set(e, ERR_DISK_ERROR, "journal: the disk does not keep up");
	if (j->good_len == 0 && write_head(j, e) != ERR_OK)
		return e->code;
	return write_whole(j, bytes->data, bytes->len, e);
}

enum err_code journal_probe(struct journal *j, struct err *e)
{
	static const char zeros[PROBE_BYTES];
	struct buf bytes;

	e->code = ERR_OK;
	buf_init(&bytes, 2 * (size_t)PROBE_BYTES);
	journal_encode(&bytes, &(struct journal_record){.db = PROBE_DB,
							.key = zeros,
							.key_len = 0,
							.value = zeros,
							.value_len = PROBE_BYTES});
	if (bytes.failed)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		(void)(journal_append(j, &bytes, e) == ERR_OK);
	buf_fini(&bytes);
	return e->code;
}

int journal_swap(struct journal *j)
{
	int sealed = j->active;

	j->active = 1 - j->active;
	j->good_len = 0;
	return sealed;
}

bool journal_sync(const struct journal *j, int sealed)
{
	return fdatasync(j->fd[sealed]) == 0;
}

void journal_clear(const struct journal *j, int sealed)
{
	int rc = ftruncate(j->fd[sealed], 0);

	/* Not logged: the log is the broker thread's. What stays is older than LMDB's lsn and
	 * left out by the next replay. */
	(void)rc;
}

static enum err_code read_file(int fd, struct buf *out, struct err *e)
{
	struct stat st;
	char *at;

	if (fstat(fd, &st) != 0 || st.st_size > FILE_MAX_BYTES)
		return err_set(e, ERR_STORE_UNAVAILABLE, "journal: not readable");
	buf_init(out, (size_t)st.st_size);
	at = buf_reserve(out, (size_t)st.st_size);
	while (at != NULL && out->len < (size_t)st.st_size) {
		ssize_t n = pread(fd, at + out->len, (size_t)st.st_size - out->len,
				  (off_t)out->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		out->len += (size_t)n;
	}
	if (at == NULL || out->len < (size_t)st.st_size)
		return err_set(e, ERR_STORE_UNAVAILABLE, "journal: cannot read");
	return ERR_OK;
}

/* ---- replay ---- */

/* The record at *pos, which moves behind it. False where there is no whole one. */
static bool next_record(const struct buf *file, size_t *pos, struct journal_record *r)
{
	struct dec d;
	int64_t len, crc;

	dec_begin(&d, file->data + *pos, file->len - *pos);
	len = dec_i64(&d);
	crc = dec_i64(&d);
	if (d.failed || len < FIXED_BYTES || len > RECORD_MAX || len > d.end - d.at ||
	    crc != crc32c(d.at, (size_t)len))
		return false;
	d.end = d.at + len;
	r->lsn = (uint64_t)dec_i64(&d);
	r->db = dec_u8(&d);
	r->deleted = dec_u8(&d) & FLAG_DELETED;
	r->key_len = (size_t)dec_i64(&d);
	if (d.failed || r->key_len > (size_t)(d.end - d.at))
		return false;
	*pos += HEADER_BYTES + (size_t)len;
	r->key = d.at;
	r->value = d.at + r->key_len;
	r->value_len = (size_t)(d.end - d.at) - r->key_len;
	return true;
}

/* Where the first whole record at or behind `pos` begins; the file's length if there is none.
 */
static size_t find_record(const struct buf *file, size_t pos)
{
	struct journal_record r;
	size_t behind;

	for (; pos < file->len; pos++) {
		behind = pos;
		if (next_record(file, &behind, &r))
			return pos;
	}
	return file->len;
}

static bool is_head(const struct buf *file, size_t pos)
{
	return file->len - pos >= HEAD_BYTES &&
	       memcmp(file->data + pos, MAGIC, sizeof(MAGIC) - 1) == 0;
}

/* Where records begin: behind the head, or at 0 in a file of version 1. */
static enum err_code read_head(const struct buf *file, size_t *pos, struct err *e)
{
	struct dec d;
	int64_t version;

	*pos = 0;
	if (!is_head(file, 0))
		return ERR_OK;
	dec_begin(&d, file->data + sizeof(MAGIC) - 1, HEAD_BYTES - (sizeof(MAGIC) - 1));
	version = dec_i64(&d);
	if (version != VERSION)
		return err_set(e, ERR_STORE_UNAVAILABLE,
			       "journal: format %lld, which this version does not read: start "
			       "the newer one again and stop it in order",
			       (long long)version);
	*pos = HEAD_BYTES;
	return ERR_OK;
}

static uint64_t first_lsn(const struct buf *file)
{
	struct journal_record r;
	struct err e;
	size_t pos;

	if (read_head(file, &pos, &e) != ERR_OK)
		return UINT64_MAX;
	pos = find_record(file, pos);
	return pos < file->len && next_record(file, &pos, &r) ? r.lsn : UINT64_MAX;
}

static enum err_code replay_file(const struct buf *file, journal_replay_f fn, void *arg,
				 bool *damaged, struct err *e)
{
	struct journal_record r;
	size_t pos, found;

	if (read_head(file, &pos, e) != ERR_OK)
		return e->code;
	for (; pos < file->len; pos = found) {
		while (pos < file->len && next_record(file, &pos, &r))
			if (fn(arg, &r, e) != ERR_OK)
				return e->code;
		found = find_record(file, pos);
		if (found == file->len)
			break;
		/* A file that could not be emptied was begun anew behind what it held. */
		if (found == pos + HEAD_BYTES && is_head(file, pos))
			continue;
		*damaged = true;
		log_error("journal",
			  "%zu bytes at %zu are damaged: their changes are lost, the replay "
			  "goes on behind them",
			  found - pos, pos);
	}
	if (pos < file->len)
		log_warn("journal",
			 "the last %zu bytes are not whole and were left out: the broker died "
			 "while it wrote them",
			 file->len - pos);
	return ERR_OK;
}

enum err_code journal_replay(struct journal *j, journal_replay_f fn, void *arg, bool *damaged,
			     struct err *e)
{
	struct buf file[2] = {0};
	int older;

	*damaged = false;
	e->code = ERR_OK;
	if (read_file(j->fd[0], &file[0], e) == ERR_OK &&
	    read_file(j->fd[1], &file[1], e) == ERR_OK) {
		older = first_lsn(&file[0]) <= first_lsn(&file[1]) ? 0 : 1;
		if (replay_file(&file[older], fn, arg, damaged, e) == ERR_OK)
			(void)(replay_file(&file[1 - older], fn, arg, damaged, e) == ERR_OK);
	}
	buf_fini(&file[0]);
	buf_fini(&file[1]);
	return e->code;
}
