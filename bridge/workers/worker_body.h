// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* worker_body.h - the JSON of a worker, in (with its rules) and out. Pure. */
#pragma once

#include "bridge/workers/roster.h"
#include "bridge/workers/worker.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"
#include "protocol/presence.h"

/* "name": 3 to 100 characters after trimming, none of them a control character. Absent: left
 * NULL. Errors are r's. The result is the change's. */
void worker_read_name(struct jread *r, struct worker_change *out);

/* A tag is [A-Za-z0-9_.:=-]{1,64}; upper and lower case are different. */
#define TAG_MAX 64
#define TAG_FORM "1 to 64 of the characters A-Z a-z 0-9 _ . : = -"
bool worker_tag_valid(const char *tag);

/* "tags": up to WORKER_TAGS_MAX different ones. */
void worker_read_tags(struct jread *r, struct worker_change *out);

/* The record's fields, with what the mirror says about the connection. */
void worker_write_fields(struct jwrite *w, const struct record *k, const struct presence *p);

/* The record's own fields alone, but its id. */
void worker_write_record(struct jwrite *w, const struct record *k);

/* An object of its latest report and engine status. */
void worker_write_report(struct jwrite *w, const struct record *k);

/* Writes k's row of the status answer with this connection, to be kept until one of them
 * changes: as long as `epoch` (not 0) is the mirror's. Out of memory: there is none. */
void worker_status_make(struct record *k, const struct presence *p, uint64_t epoch);

/* Adds the row that k has, as an element of an array. One that could not be made fails the
 * answer. */
void worker_status_add(struct jwrite *w, const struct record *k, int64_t now_ms);

/* "metrics": a report's further keys, {} if there are none. */
void worker_write_metrics(struct jwrite *w, const char *json);

/* "connected": null while the broker cannot be heard. */
void worker_write_connected(struct jwrite *w, const char *key, const struct presence *p);
