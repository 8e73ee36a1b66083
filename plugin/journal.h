// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* journal.h - two append-only files that carry records from the broker's turn, in which they
 * were made, to their commit in LMDB a few milliseconds later.
 *
 * Appending is a write() into the page cache: it survives the death of the process, and costs
 * no wait for a disk. The active file takes what is written; when a batch is handed to the
 * store thread the files change places, and the thread empties the sealed one after its commit.
 *
 * A file: a head of 16 bytes that names the format's version, then records: length, CRC-32C,
 * then lsn, database, flags, key length, key, value. A replay leaves out what fails its CRC. At
 * the end of a file that is what the last write left torn; in the middle it is damage, and the
 * replay goes on at the next whole record. Files without a head are version 1, and are read; of
 * a later version than ours nothing is read, and the plugin does not start.
 *
 * Owns:   its two descriptors, opened at start since the broker drops its privileges later.
 * Thread: journal_append() and journal_swap() the broker's; journal_sync() and
 *         journal_clear() the store's.
 */
#pragma once

#include "protocol/buf.h"
#include "protocol/err.h"

#include <stdbool.h>
#include <stdint.h>

struct journal {
	int fd[2];
	int active;
	int64_t good_len; /* bytes of whole records in the active file */
};

struct journal_record {
	uint64_t lsn; /* grows by one with every record, for ever */
	uint8_t db;
	bool deleted; /* the key is gone; there is no value */
	const void *key, *value;
	size_t key_len, value_len;
};

typedef enum err_code (*journal_replay_f)(void *arg, const struct journal_record *r,
					  struct err *e);

/* Opens (creates) `dir`/journal.0 and journal.1. */
enum err_code journal_open(struct journal *j, const char *dir, struct err *e) MUST_CHECK;
void journal_close(struct journal *j);

/* Calls fn for every whole record of both files, in order of lsn. *damaged: there were bytes in
 * between that were none. */
enum err_code journal_replay(struct journal *j, journal_replay_f fn, void *arg, bool *damaged,
			     struct err *e) MUST_CHECK;

/* Adds the record's bytes to out; journal_append() then writes many at once. */
void journal_encode(struct buf *out, const struct journal_record *r);

/* ERR_DISK_FULL or ERR_DISK_ERROR when the disk refuses: nothing of `bytes` stays in the file.
 */
enum err_code journal_append(struct journal *j, const struct buf *bytes,
			     struct err *e) MUST_CHECK;

/* Tries whether the disk takes a page again, with a record that a replay leaves out. */
enum err_code journal_probe(struct journal *j, struct err *e) MUST_CHECK;

/* Seals the active file, which is returned for journal_clear(), and makes the other one active.
 */
int journal_swap(struct journal *j);

/* True when even a power cut leaves the file whole as it is now. Once it was false it means
 * nothing for this content: the kernel reports an error of the disk once. Waits for the disk.
 */
bool journal_sync(const struct journal *j, int sealed) MUST_CHECK;

void journal_clear(const struct journal *j, int sealed);
