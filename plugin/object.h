// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* object.h - the stored form of a connection object: what survives the broker, and all there is
 * of a worker that is not connected. Thread: the broker's. */
#pragma once

#include "plugin/store.h"
#include "protocol/presence.h"

#define REPORTED_MAX_BYTES 8192 /* of `workers/{id}/state` */
#define ENGINE_STATUS_MAX 32

struct object {
	struct presence last; /* its last event */
	int64_t generation;   /* of its newest session, in memory or not */
	/* Generations up to here may have been given out. In a boot that finds an older record,
	 * numbering goes on behind them, for a power cut may have eaten the last records. */
	int64_t reserved;
	int64_t connects_full_us; /* when the worker may connect a full burst again: limits.h */
};

bool object_load(struct store *s, const struct worker_id *id, struct object *out);
enum err_code object_save(struct store *s, const struct object *object,
			  struct err *e) MUST_CHECK;

/* Decodes a record (for store_page() visitors). False if it is damaged. */
bool object_decode(const char *key, size_t key_len, struct slice value, struct object *out);

/* What the worker said of itself last. */
struct reported_state {
	int64_t at_ms;
	char engine_status[ENGINE_STATUS_MAX + 1]; /* "" if it gave none */
	struct slice json;                         /* borrowed from the store */
};

bool reported_load(struct store *s, const struct worker_id *id, struct reported_state *out);
enum err_code reported_save(struct store *s, const struct worker_id *id,
			    const struct reported_state *state, struct err *e) MUST_CHECK;

/* The greatest number that any object has reserved. Reads all: for the start. */
int64_t object_highest_reserved(struct store *s);

/* Removes object and reported state of a deleted worker. */
enum err_code object_forget(struct store *s, const struct worker_id *id,
			    struct err *e) MUST_CHECK;
