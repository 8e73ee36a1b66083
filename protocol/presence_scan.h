// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* presence_scan.h - reads a batch of presence events as the plugin writes it: members in its
 * order, strings that stand for themselves. Everything else is odd, and for jread; so are most
 * mistakes. It takes a tenth of jread's time, which in a storm of logins is the broker's.
 */
#pragma once

#include "protocol/presence.h"

#include <stddef.h>

struct presence_scan {
	const char *at, *end;
	bool inside;      /* at least one event was read */
	int64_t clock_us; /* of the batch, at its end */
};

enum scanned { SCANNED_EVENT, SCANNED_END, SCANNED_ODD };

/* The text must outlive the scan. False: odd. */
bool presence_scan_begin(struct presence_scan *s, const char *text, size_t len);

/* Reads the next event. After SCANNED_ODD what follows the events read so far is unknown. */
enum scanned presence_scan_next(struct presence_scan *s, struct presence *out);
