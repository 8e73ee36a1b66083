// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* prom.h - figures in Prometheus' text format 0.0.4. Pure.
 *
 *	prom_family(p, "rollcall_workers", PROM_GAUGE, "Workers by state");
 *	prom_value(p, LABELS({"state", "online"}), 17);
 *
 * Each part of the bridge has a function that exposes its own figures so; exposition.c lists
 * them. Durations are in seconds there, in microseconds everywhere else.
 */
#pragma once

#include "bridge/base/latency.h"
#include "protocol/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum prom_type { PROM_COUNTER, PROM_GAUGE, PROM_HISTOGRAM };

struct prom {
	struct buf *out;  /* the caller's */
	const char *name; /* of the family under way; borrowed */
};

struct prom_label {
	const char *name, *value;
};

/* What goes between the braces of a sample. NO_LABELS: nothing. */
#define PROM_LAST                                                                              \
	{                                                                                      \
		0                                                                              \
	}
#define LABELS(...) ((const struct prom_label[]){__VA_ARGS__, PROM_LAST})
#define NO_LABELS ((const struct prom_label *)NULL)

void prom_begin(struct prom *p, struct buf *out);

/* Begins a family; its samples follow before the next one begins. The name of a counter ends in
 * "_total". `name` must stay until then. */
void prom_family(struct prom *p, const char *name, enum prom_type type, const char *help);

/* One sample of the family. */
void prom_value(struct prom *p, const struct prom_label *labels, double value);
void prom_count(struct prom *p, const struct prom_label *labels, uint64_t value);
void prom_seconds(struct prom *p, const struct prom_label *labels, int64_t us);

/* One histogram of the family: cumulative buckets, sum and count. */
void prom_latency(struct prom *p, const struct prom_label *labels, const struct latency *l);

/* The same from elsewhere: bucket by bucket with what it holds and all below it, then the rest.
 */
void prom_bucket(struct prom *p, const struct prom_label *labels, double bound, uint64_t count);
void prom_histogram_end(struct prom *p, const struct prom_label *labels, double sum,
			uint64_t count);

/* A family of one sample without labels. */
void prom_gauge(struct prom *p, const char *name, const char *help, double value);
void prom_counter(struct prom *p, const char *name, const char *help, uint64_t value);

/* True for what may be part of a name: [a-zA-Z_][a-zA-Z0-9_]*. */
bool prom_is_name(const char *text);
