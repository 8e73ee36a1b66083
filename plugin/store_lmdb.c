// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/store_lmdb.h"

#include "plugin/codec.h"
#include "plugin/disk.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define META_LSN "lsn"
#define LOCK_FILE_BYTES 8192 /* with the default number of readers */
#define FULL_BYTES 65536     /* a disk with less room than this is full */

struct lmdb {
	MDB_env *env;
	MDB_dbi dbi[STORE_DB_COUNT];
	void *map; /* the file in memory; NULL if it was not found */
	size_t map_bytes;
	MDB_txn *reader; /* the broker thread's, reset between uses so that it pins no pages */
	bool reading;
};

static const char *const db_names[STORE_DB_COUNT] = {"meta",    "directory", "tokens",
						     "objects", "reported",  "proofs"};

static enum err_code fail(struct err *e, const char *what, int rc)
{
	if (rc == MDB_MAP_FULL)
		return err_set(e, ERR_STORAGE_FULL,
			       "storage: %s: the ceiling is reached, raise storage_size_mib",
			       what);
	/* After an error of the disk at the worst moment LMDB refuses everything. */
	if (rc == MDB_PANIC)
		return err_set(e, ERR_DISK_ERROR,
			       "storage: %s: unusable since an error of the disk, restart the "
			       "broker",
			       what);
	return err_set(e, disk_err_code(rc), "storage: %s: %s", what, mdb_strerror(rc));
}

static enum err_code open_dbs(struct lmdb *l, struct err *e)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(l->env, NULL, 0, &txn);

	if (rc != 0)
		return fail(e, "begin", rc);
	for (size_t i = 0; rc == 0 && i < STORE_DB_COUNT; i++)
		rc = mdb_dbi_open(txn, db_names[i], MDB_CREATE, &l->dbi[i]);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return fail(e, "open", rc);
	}
	rc = mdb_txn_commit(txn);
	return rc != 0 ? fail(e, "commit", rc) : ERR_OK;
}

/* LMDB writes to its lock file through a mapping, and where the disk has no room for it that
 * kills the process: the room is taken before. */
static enum err_code reserve_lock_file(const char *dir, struct err *e)
{
	char path[4096];
	int fd, rc;

	if (snprintf(path, sizeof(path), "%s/lock.mdb", dir) >= (int)sizeof(path))
		return err_set(e, ERR_STORE_UNAVAILABLE, "storage_path: too long");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	rc = fd >= 0 ? posix_fallocate(fd, 0, LOCK_FILE_BYTES) : errno;
	if (fd >= 0)
		close(fd);
	return rc != 0 ? fail(e, path, rc) : ERR_OK;
}

/* LMDB does not tell where it has mapped its file, the kernel does. */
static void find_map(struct lmdb *l)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	struct stat st;
	mdb_filehandle_t fd;

	if (maps == NULL)
		return;
	if (mdb_env_get_fd(l->env, &fd) != 0 || fstat(fd, &st) != 0)
		st.st_ino = 0;
	while (st.st_ino != 0 && l->map == NULL && fgets(line, sizeof(line), maps) != NULL) {
		char *end, *inode = line;
		uintptr_t from = strtoul(line, &end, 16), to = strtoul(end + 1, &end, 16);

		/* "from-to rights offset device inode path" */
		for (int i = 0; i < 4 && inode != NULL; i++)
			inode = strchr(inode + 1, ' ');
		if (inode == NULL || strtoul(inode, NULL, 10) != st.st_ino)
			continue;
		memcpy(&l->map, &from, sizeof(from));
		l->map_bytes = to - from;
	}
	fclose(maps);
}

void lmdb_rest(struct lmdb *l)
{
	if (l->map != NULL)
		madvise(l->map, l->map_bytes, MADV_DONTNEED);
}

struct lmdb *lmdb_open(const char *dir, size_t map_bytes, struct err *e)
{
	struct lmdb *l;
	int rc;

	if (reserve_lock_file(dir, e) != ERR_OK)
		return NULL;
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	/* MDB_NOTLS: the reader belongs to its handle, not to the thread that first used it. */
	if ((rc = mdb_env_create(&l->env)) != 0 || (rc = mdb_env_set_maxdbs(l->env, 16)) != 0 ||
	    (rc = mdb_env_set_mapsize(l->env, map_bytes)) != 0 ||
	    (rc = mdb_env_open(l->env, dir, MDB_NOTLS, 0600)) != 0) {
		fail(e, dir, rc);
		lmdb_close(l);
		return NULL;
	}
	if (open_dbs(l, e) != ERR_OK) {
		lmdb_close(l);
		return NULL;
	}
	rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &l->reader);
	if (rc != 0) {
		fail(e, "begin", rc);
		lmdb_close(l);
		return NULL;
	}
	mdb_txn_reset(l->reader);
	find_map(l);
	return l;
}

void lmdb_close(struct lmdb *l)
{
	if (l == NULL)
		return;
	if (l->reader != NULL)
		mdb_txn_abort(l->reader);
	if (l->env != NULL)
		mdb_env_close(l->env);
	free(l);
}

void lmdb_end_read(struct lmdb *l)
{
	if (l->reading)
		mdb_txn_reset(l->reader);
	l->reading = false;
}

/* Renews the read transaction, unless an earlier call has since the last lmdb_end_read(). */
static bool begin_read(struct lmdb *l)
{
	if (!l->reading)
		l->reading = mdb_txn_renew(l->reader) == 0;
	return l->reading;
}

bool lmdb_get(struct lmdb *l, enum store_db db, const void *key, size_t len,
	      struct slice *value)
{
	MDB_val k, v;

	/* LMDB takes a pointer to non-const and does not write through it. */
	memcpy(&k.mv_data, &key, sizeof(key));
	k.mv_size = len;
	if (!begin_read(l) || mdb_get(l->reader, l->dbi[db], &k, &v) != 0)
		return false;
	*value = (struct slice){v.mv_data, v.mv_size};
	return true;
}

/* Moves to the first key above `after`. */
static int seek(MDB_cursor *c, const char *after, MDB_val *k, MDB_val *v)
{
	int rc;

	if (after == NULL)
		return mdb_cursor_get(c, k, v, MDB_FIRST);
	memcpy(&k->mv_data, &after, sizeof(after));
	k->mv_size = strlen(after);
	rc = mdb_cursor_get(c, k, v, MDB_SET_RANGE);
	if (rc == 0 && k->mv_size == strlen(after) &&
	    memcmp(k->mv_data, after, k->mv_size) == 0)
		rc = mdb_cursor_get(c, k, v, MDB_NEXT);
	return rc;
}

void lmdb_walk(struct lmdb *l, enum store_db db, const char *after, lmdb_visit_f fn, void *arg)
{
	MDB_cursor *c;
	MDB_val k, v;
	int rc;

	if (!begin_read(l) || mdb_cursor_open(l->reader, l->dbi[db], &c) != 0)
		return;
	rc = seek(c, after, &k, &v);
	while (rc == 0 && fn(arg, k.mv_data, k.mv_size, (struct slice){v.mv_data, v.mv_size}))
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	mdb_cursor_close(c);
}

int64_t lmdb_used(const struct lmdb *l)
{
	MDB_envinfo info;
	MDB_stat stat;

	if (mdb_env_info(l->env, &info) != 0 || mdb_env_stat(l->env, &stat) != 0)
		return 0;
	return (int64_t)((info.me_last_pgno + 1) * stat.ms_psize);
}

uint64_t lmdb_lsn(struct lmdb *l)
{
	struct slice v;
	struct dec d;

	if (!lmdb_get(l, STORE_META, META_LSN, strlen(META_LSN), &v))
		return 0;
	dec_begin(&d, v.data, v.len);
	return (uint64_t)dec_i64(&d);
}

static int write_one(struct lmdb *l, MDB_txn *txn, const struct pending *p)
{
	const char *key = p->bytes, *value = p->bytes + p->key_len;
	MDB_val k = {.mv_size = p->key_len}, v = {.mv_size = p->value_len};
	int rc;

	memcpy(&k.mv_data, &key, sizeof(key));
	memcpy(&v.mv_data, &value, sizeof(value));
	if (!p->deleted)
		return mdb_put(txn, l->dbi[p->db], &k, &v, 0);
	rc = mdb_del(txn, l->dbi[p->db], &k, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int write_lsn(struct lmdb *l, MDB_txn *txn, uint64_t lsn)
{
	char key[] = META_LSN, bytes[8];
	MDB_val k = {strlen(key), key}, v = {sizeof(bytes), bytes};

	enc_i64_at(bytes, (int64_t)lsn);
	return mdb_put(txn, l->dbi[STORE_META], &k, &v, 0);
}

/* A place among the records, which are walked database by database in order of key. */
struct place {
	const struct pending_set *set;
	size_t db; /* the next one */
	const struct pending *at;
};

/* Moves to the first record that is not behind the place; NULL: there is none. */
static const struct pending *settle(struct place *p)
{
	while (p->at == NULL && p->db < STORE_DB_COUNT)
		p->at = pending_first(p->set, (enum store_db)p->db++, NULL);
	return p->at;
}

/* LMDB says EIO of a write of which the disk took only a part, as one does that has no room for
 * the rest. */
static int told_apart(const struct lmdb *l, int rc)
{
	struct statvfs fs;
	int fd;

	if (rc != EIO || mdb_env_get_fd(l->env, &fd) != 0 || fstatvfs(fd, &fs) != 0)
		return rc;
	return (uint64_t)fs.f_bavail * fs.f_frsize < FULL_BYTES ? ENOSPC : rc;
}

/* Commits `most` records at most. The lsn is in the part that has the last of them; a power cut
 * may undo the parts before it, which spares each LMDB's second sync. */
static enum err_code commit_part(struct lmdb *l, struct place *p, size_t most, bool last,
				 uint64_t lsn, struct err *e)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(l->env, NULL, last ? 0 : MDB_NOMETASYNC, &txn);

	if (rc != 0)
		return fail(e, "begin", rc);
	for (; rc == 0 && most > 0 && settle(p) != NULL; most--, p->at = p->at->behind)
		rc = write_one(l, txn, p->at);
	if (rc == 0 && last)
		rc = write_lsn(l, txn, lsn);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return fail(e, "write", rc);
	}
	rc = mdb_txn_commit(txn);
	return rc != 0 ? fail(e, "commit", told_apart(l, rc)) : ERR_OK;
}

enum err_code lmdb_commit(struct lmdb *l, const struct pending_set *set, uint64_t lsn,
			  bool in_parts, struct err *e)
{
	size_t left = set->by_key.len, part = in_parts ? LMDB_PART_RECORDS : left;
	struct place place = {.set = set};

	for (; left > part; left -= part)
		if (commit_part(l, &place, part, false, lsn, e) != ERR_OK)
			return e->code;
	return commit_part(l, &place, left, true, lsn, e);
}
