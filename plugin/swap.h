// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* swap.h - the file that holds what hibernated sessions do not need in memory: one place of
 * fixed size a session, by the session's number, read and written through the page cache.
 *
 * Nothing in it outlives the process: a broker that starts has no sessions, so the file begins
 * empty and is never synced (docs/adr/0008-hibernation.md). Thread: the broker's.
 */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct swap {
	int fd;
	int64_t place_bytes;
};

/* Makes the file in the directory, or empties the one that is there. */
enum err_code swap_open(struct swap *s, const char *dir, int64_t place_bytes,
			struct err *e) MUST_CHECK;
void swap_close(struct swap *s); /* empties it */

/* Writes or reads the parts at the place of this number. False, with the reason in errno, if
 * not all of it could be. */
bool swap_write(const struct swap *s, uint32_t number, const struct iovec *parts,
		int len) MUST_CHECK;
bool swap_read(const struct swap *s, uint32_t number, const struct iovec *parts,
	       int len) MUST_CHECK;
