// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/command_figures.h"

#include "bridge/base/prom.h"
#include "protocol/clock.h"

static struct {
	uint64_t count;
	struct latency took;
} figures[COMMAND_STATES];

void command_figures_queued(void)
{
	figures[COMMAND_QUEUED].count++;
}

void command_figures_stand(const struct command_standing *standing)
{
	if (!standing->found || !standing->changed)
		return;
	figures[standing->state].count++;
	latency_add(&figures[standing->state].took,
		    (clock_unix_ms() - standing->created_ms) * 1000);
}

void command_figures_expose(struct prom *p)
{
	prom_family(p, "rollcall_commands_total", PROM_COUNTER,
		    "Commands that this bridge brought into that state");
	for (int i = 0; i < COMMAND_STATES; i++)
		prom_count(p, LABELS({"state", command_state_name((enum command_state)i)}),
			   figures[i].count);
	prom_family(p, "rollcall_command_duration_seconds", PROM_HISTOGRAM,
		    "From the order to that state, as far as it is proven");
	for (int i = COMMAND_SENT; i <= COMMAND_FAILED; i++)
		prom_latency(p, LABELS({"state", command_state_name((enum command_state)i)}),
			     &figures[i].took);
}
