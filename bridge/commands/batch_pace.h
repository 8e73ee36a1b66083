// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* batch_pace.h - how fast a batch goes, and when it stops by itself. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BATCH_AT_ONCE 200 /* commands of a step, so that none holds others up for long */

/* What may be done now. */
struct batch_pace {
	int64_t n;       /* so many commands; 0: wait */
	int64_t next_us; /* from now until the one after them is due; below 0: it is already */
	int64_t wait_ms; /* until the next step */
};

/* `lag_ms`: how long the next command has been due, below 0: it is not yet; without meaning
 * where nothing was sent so far (`began` false). max_per_minute 0: no limit. However late it
 * is, at most a quarter of a second is made up for: a bridge that was away causes no burst. */
void batch_pace(int64_t max_per_minute, bool began, int64_t lag_ms, struct batch_pace *out);

/* Is it enough that `failed` of the `ended` commands have failed? Not before a tenth of the
 * workers, or ten of them, have come to an end: one failure does not stop a large fleet. */
bool batch_aborts(int64_t percent, int64_t total, int64_t failed, int64_t ended);
