// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_batch_rows.h - what store_batch.c and store_batch_step.c share, and reading what is
 * taken back. Within a transaction. */
#pragma once

#include "bridge/db/stmt.h"
#include "bridge/store/store_batch.h"

/* What both read of a batch, to stand first among the columns; others follow from that number
 * on.
 */
#define BATCH_COLUMNS                                                                          \
	"type, payload, target, ttl_ms, queue, max_per_minute, abort_percent, total,"          \
	" next_position, created_by"
#define BATCH_COLUMNS_LEN 10

/* How far it is: so many of all workers have got their command. */
struct batch_progress {
	int64_t total, next;
};

/* Reads them from the statement's row, to which the row's texts then belong. */
void batch_read(struct stmt *q, struct batch_row *row, struct batch_progress *progress);

bool batch_state_parse(const char *text, enum batch_state *out);

/* Its commands by state; leaves `pending` alone. */
enum err_code batch_count(struct db *db, const struct batch_id *id, struct batch_counts *out,
			  struct err *e) MUST_CHECK;

/* Notes that it has come to that end now. */
enum err_code batch_end(struct db *db, const struct batch_id *id, enum batch_state state,
			struct err *e) MUST_CHECK;

/* Reads rows of (id, worker_id, created_at), all that the statement has, and ends it. What an
 * earlier try left in *out goes. */
enum err_code batch_taken_read(struct stmt *q, struct batch_taken_list *out,
			       struct err *e) MUST_CHECK;

/* Takes back what no session has got, with audit rows; what one has got is not sent again. */
enum err_code batch_take_back(struct db *db, const struct batch_row *row,
			      struct batch_taken_list *taken, struct err *e) MUST_CHECK;
