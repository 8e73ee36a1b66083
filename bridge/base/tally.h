// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* tally.h - counters of what was dropped, refused or repeated: nothing is lost in silence.
 * Any thread. */
#pragma once

#include <stdint.h>

struct prom;

/* X(NAME, name in figures for operators, help) */
#define TALLY_LIST(X)                                                                          \
	X(STATE_REFUSED, "state_refused",                                                      \
	  "messages on workers/+/state that could not be read")                                \
	X(PRESENCE_GAPS, "presence_gaps",                                                      \
	  "times that the mirror missed an event and listed anew")                             \
	X(HELD_UP, "held_up",                                                                  \
	  "times that the bridge was stopped, starved or busy for long, and caught up")        \
	X(METRICS_STORED, "metrics_stored", "metric reports committed")                        \
	X(METRICS_REFUSED, "metrics_refused",                                                  \
	  "metric reports or messages that could not be read")                                 \
	X(METRICS_DROPPED, "metrics_dropped",                                                  \
	  "metric reports without a number that were lost because the queue was full")         \
	X(METRICS_PUT_OFF, "metrics_put_off",                                                  \
	  "metric reports left unacknowledged because the queue was full")                     \
	X(RESULTS_REFUSED, "results_refused",                                                  \
	  "command results that could not be read or matched")                                 \
	X(RESULTS_DROPPED, "results_dropped",                                                  \
	  "command results dropped, to be repeated by the worker")                             \
	X(RECONCILED, "reconciled",                                                            \
	  "starts and stops sent again to workers that came back doing the opposite")          \
	X(AUDIT_DROPPED, "audit_dropped", "rows of the audit trail that were not recorded")    \
	X(LISTENERS_DROPPED, "listeners_dropped",                                              \
	  "event streams ended because their client was too slow")                             \
	X(MESSAGES_STRAY, "messages_stray", "messages of workers on topics that nobody serves")

enum tally {
#define X(name, text, help) TALLY_##name,
	TALLY_LIST(X)
#undef X
		TALLY_COUNT
};

void tally_add(enum tally what);
void tally_add_n(enum tally what, uint64_t n);
uint64_t tally_get(enum tally what);
const char *tally_name(enum tally what);

/* All of them, as rollcall_{name}_total. */
void tally_expose(struct prom *p);
