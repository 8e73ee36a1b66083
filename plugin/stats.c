// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/stats.h"

struct stats stats;

void stats_reset(void)
{
	stats = (struct stats){0};
}
