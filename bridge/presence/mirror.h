// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* mirror.h - the plugin's objects as this bridge knows them, so that no read asks the broker.
 *
 * List, then follow: after each connect to the broker it subscribes to the presence batches,
 * lists all objects in pages, and applies whatever is newer by (boot, seq). An event whose seq
 * does not follow the last one, a heartbeat that is ahead or behind, or a new boot means that
 * something is amiss: the mirror is unknown again and lists anew. It also turns unknown when no
 * heartbeat came for 2 s or the connection is gone, for then an old yes or no would be a guess.
 *
 * It proves itself: each heartbeat carries the number of objects that are online and a hash
 * over all (protocol/digest.h). Where they differ from the mirror's own the mirror is unknown
 * until it has listed anew and a heartbeat has agreed with it.
 *
 * Thread: loop.
 */
#pragma once

#include "protocol/presence.h"

#include <stdbool.h>

struct app;
struct mirror;

struct mirror *mirror_new(struct app *app, struct err *e) MUST_CHECK;
void mirror_free(struct mirror *m); /* NULL is fine */

/* Who wants to hear of what changes here. */
struct mirror_watcher {
	void (*presence)(void *arg, const struct presence *p); /* newer than what was known */
	void (*lost)(void *arg); /* objects are gone, or older than they were: none is told */
	void (*hearing)(void *arg); /* mirror_hears() says something else now */
	void *arg;
};
void mirror_set_watcher(struct mirror *m, const struct mirror_watcher *w); /* NULL: none */

/* True while the mirror agrees with the plugin. */
bool mirror_hears(const struct mirror *m);

/* Fills *out: the worker's last event; state UNKNOWN while the mirror does not hear; OFFLINE
 * with generation 0 for a worker that was never connected. */
void mirror_get(const struct mirror *m, const struct worker_id *id, struct presence *out);

/* Like mirror_get() without a copy: NULL stands for "never connected". Check mirror_hears()
 * first. Borrowed until the loop's next turn. */
const struct presence *mirror_find(const struct mirror *m, const struct worker_id *id);

/* Another one after every event and after every change of mirror_hears(): an ETag's ingredient.
 */
uint64_t mirror_version(const struct mirror *m);

/* Another one after every change that the roster is not told of object by object
 * (roster_touch_connection()): a list begins or ends, or `hears`, which is what mirror_hears()
 * said to whoever asks; a silence may have become too long since. Never 0. */
uint64_t mirror_epoch(const struct mirror *m, bool hears);

/* The node's name, "" before it is known. */
const char *mirror_node(const struct mirror *m);

/* The last position in the node's stream of events. */
struct presence_pos mirror_position(const struct mirror *m);

/* For operators. */
struct mirror_figures {
	bool hears;
	size_t objects, by_state[PRESENCE_UNKNOWN];
	int64_t sessions;
	int64_t heard_age_us;  /* since the last heartbeat or page; -1: nothing was heard yet */
	int64_t proven_age_us; /* since a heartbeat agreed; -1: none did yet */
};
void mirror_figures(const struct mirror *m, struct mirror_figures *out);

/* Lists, proofs and lag, for operators. */
struct prom;
void mirror_expose(const struct mirror *m, struct prom *p);
