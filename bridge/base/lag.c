// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/lag.h"

void lag_reset(struct lag *l)
{
	*l = (struct lag){0};
}

static void next_window(struct lag *l, int64_t difference_us, int64_t arrived_us)
{
	/* After a pause of more than a window the one before it says nothing any more. */
	const bool paused = arrived_us >= l->window_end_us + LAG_WINDOW_US;

	l->before_us = paused || !l->known ? difference_us : l->smallest_us;
	l->smallest_us = difference_us;
	l->window_end_us = arrived_us + LAG_WINDOW_US;
	l->known = true;
}

int64_t lag_measure(struct lag *l, int64_t sent_us, int64_t arrived_us)
{
	const int64_t difference_us = arrived_us - sent_us;
	int64_t best_us;

	if (!l->known || arrived_us >= l->window_end_us)
		next_window(l, difference_us, arrived_us);
	else if (difference_us < l->smallest_us)
		l->smallest_us = difference_us;
	best_us = l->smallest_us < l->before_us ? l->smallest_us : l->before_us;
	return difference_us - best_us;
}
