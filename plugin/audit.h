// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* audit.h - tells refused logins on rollcall/v1/audit, at most one row a minute for each
 * worker, address and code: whoever hammers at the door must not flood the database behind the
 * bridge. What was held back is counted and told in the next minute's row.
 *
 * Memory is bounded: past AUDIT_ROWS_MAX different rows in a minute, rows go by code alone.
 * Thread: the broker's.
 */
#pragma once

#include "plugin/admit.h"
#include "protocol/htab.h"

#define AUDIT_ROWS_MAX 1024

struct audit {
	struct publish *publish;
	const char *node;
	struct htab rows; /* struct audit_row, of this minute */
	int64_t minute_ends_us;
};

void audit_open(struct audit *a, struct publish *publish, const char *node);
void audit_close(struct audit *a);

/* `worker` "" when no worker is meant; client_id and address may be NULL. Logs it too. */
void audit_refused(struct audit *a, enum refusal code, const char *worker,
		   const char *client_id, const char *address);

/* Once per turn: at the minute's end tells what was held back. */
void audit_tick(struct audit *a, int64_t now_us);
