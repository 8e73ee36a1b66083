// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* epoch.h - names of a database's histories: the lineage, random for each database, and the
 * generation, which grows with every recovery from a restored backup. So a plugin that has seen
 * a later generation shows that this database was set back, however often the same backup is
 * put back (docs/adr/0007-directory-sync.md). Thread: any. */
#pragma once

#define EPOCH_TEXT_LEN 32 /* 24 digits of lineage, 8 of generation, hexadecimal */

/* The first generation of a new lineage. */
void epoch_new(char out[EPOCH_TEXT_LEN + 1]);

/* The generation after this one; a new lineage if it has no such form. */
void epoch_next(const char *epoch, char out[EPOCH_TEXT_LEN + 1]);

enum epoch_relation {
	EPOCH_SAME,
	EPOCH_BEHIND, /* ours is an earlier generation of the same lineage */
	EPOCH_OTHER,  /* a later one, or another lineage: theirs is of no importance */
};
enum epoch_relation epoch_compare(const char *ours, const char *theirs);
