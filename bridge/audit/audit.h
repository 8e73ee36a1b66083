// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* audit.h - rows on their way into the audit trail that belong to no transaction: connections,
 * refusals, sign-ins. They go out in batches. While the database is away they wait, up to a
 * bound; what does not fit is counted. Thread: loop. */
#pragma once

#include "bridge/store/store_audit.h"

struct app;
struct audit;

struct audit *audit_new(struct app *app, struct err *e) MUST_CHECK;
void audit_free(struct audit *a); /* NULL is fine */

/* Copies the row. */
void audit_put(struct audit *a, const struct audit_row *row);

/* The same for what strangers can cause as often as they like (audit_limit.h). `event` and
 * `code` are there. */
void audit_put_refusal(struct audit *a, const struct audit_row *row);

/* One that is not worth a row of its own, summed with its like. */
void audit_count_refusal(struct audit *a, const char *event, const char *code, int64_t count);

/* Rows that wait. */
size_t audit_queued(const struct audit *a);
