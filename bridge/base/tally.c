// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/tally.h"

#include "bridge/base/prom.h"

#include <stdatomic.h>
#include <stdio.h>

static atomic_uint_fast64_t counts[TALLY_COUNT];

static const char *const names[] = {
#define X(name, text, help) text,
	TALLY_LIST(X)
#undef X
};

void tally_add(enum tally what)
{
	tally_add_n(what, 1);
}

void tally_add_n(enum tally what, uint64_t n)
{
	atomic_fetch_add_explicit(&counts[what], n, memory_order_relaxed);
}

uint64_t tally_get(enum tally what)
{
	return atomic_load_explicit(&counts[what], memory_order_relaxed);
}

static const char *const helps[] = {
#define X(name, text, help) help,
	TALLY_LIST(X)
#undef X
};

void tally_expose(struct prom *p)
{
	char name[64];

	for (int i = 0; i < TALLY_COUNT; i++) {
		snprintf(name, sizeof(name), "rollcall_%s_total", names[i]);
		prom_counter(p, name, helps[i], tally_get((enum tally)i));
	}
}

const char *tally_name(enum tally what)
{
	return names[what];
}
