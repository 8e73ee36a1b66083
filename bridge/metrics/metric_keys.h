// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric_keys.h - which keys of reports somebody wants to see, and reports as JSON with those
 * alone. Pure. */
#pragma once

#include "bridge/store/store_metric_read.h"
#include "protocol/jwrite.h"

#define METRIC_KEYS_ASKED_MAX 64
#define METRIC_KEY_BYTES_MAX 200

struct metric_keys {
	char *names[METRIC_KEYS_ASKED_MAX]; /* owned */
	size_t len;                         /* 0: all */
};

/* Adds those of a list like "cpu,queue". */
enum err_code metric_keys_add(struct metric_keys *k, const char *list,
			      struct err *e) MUST_CHECK;
void metric_keys_fini(struct metric_keys *k);

bool metric_keys_want(const struct metric_keys *k, const char *name);

/* Any that are not one of memory, cpu, rate and engine_status. */
bool metric_keys_want_further(const struct metric_keys *k);

/* The names as a JSON array. */
void metric_keys_write(const struct metric_keys *k, struct jwrite *w);

/* One report, as REST shows it. */
void metric_row_write(struct jwrite *w, const struct worker_id *worker,
		      const struct metric_row *row, const struct metric_keys *keys);

void metric_bucket_write(struct jwrite *w, const struct worker_id *worker,
			 const struct metric_bucket *bucket, const struct metric_keys *keys);
