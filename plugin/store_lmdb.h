// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_lmdb.h - LMDB as store.c uses it: reads on the broker's thread, one commit at a time on
 * the store thread. LMDB's readers and its writer do not wait for each other. */
#pragma once

#include "plugin/pending.h"

struct lmdb;

struct lmdb *lmdb_open(const char *dir, size_t map_bytes, struct err *e) MUST_CHECK;
void lmdb_close(struct lmdb *l); /* NULL is fine */

/* Thread: the broker's. The value is borrowed until lmdb_end_read(). Until then all reads see
 * LMDB as it was at the first of them. */
bool lmdb_get(struct lmdb *l, enum store_db db, const void *key, size_t len,
	      struct slice *value);

/* Visits records with key > after (NULL: all) in order of key, until fn says false. */
typedef bool (*lmdb_visit_f)(void *arg, const char *key, size_t key_len, struct slice value);
void lmdb_walk(struct lmdb *l, enum store_db db, const char *after, lmdb_visit_f fn, void *arg);

/* Ends the borrows: an open read would keep LMDB from using freed pages again, and hides what
 * was committed since. Once per turn, for to begin one costs more than to read. */
void lmdb_end_read(struct lmdb *l);

/* Lets go of the file's pages in this process's memory; the kernel has them cached, and reading
 * one brings it back. Any thread, any time. */
void lmdb_rest(struct lmdb *l);

/* Bytes of the file that hold something, or did and are free to be used again. */
int64_t lmdb_used(const struct lmdb *l);

/* Number of the last record that LMDB holds. */
uint64_t lmdb_lsn(struct lmdb *l);

/* Records of a part. LMDB never gives back the memory of as many pages as its largest
 * transaction changed: in order of key a part changes few, and never more than a page or so a
 * record. */
#define LMDB_PART_RECORDS 64

/* Writes all records and the lsn, and syncs. In one transaction; or, if they are many, in
 * parts, of which the last has the lsn: in_parts may be set only where a journal that a power
 * cut leaves whole has all the records, for one may leave some of the parts, which its replay
 * completes. What failed is repeated as a whole. Any one thread. */
enum err_code lmdb_commit(struct lmdb *l, const struct pending_set *set, uint64_t lsn,
			  bool in_parts, struct err *e) MUST_CHECK;
