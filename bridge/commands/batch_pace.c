// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/batch_pace.h"

#define CATCH_UP_US 250000
#define MINUTE_US 60000000
#define SAMPLE_MAX 10

void batch_pace(int64_t max_per_minute, bool began, int64_t lag_ms, struct batch_pace *out)
{
	int64_t interval_us, lag_us = began ? lag_ms * 1000 : 0;

	*out = (struct batch_pace){.n = BATCH_AT_ONCE};
	if (max_per_minute == 0)
		return;
	interval_us = MINUTE_US / max_per_minute;
	if (lag_us > CATCH_UP_US)
		lag_us = CATCH_UP_US;
	out->n = lag_us < 0 ? 0 : 1 + lag_us / interval_us;
	if (out->n > BATCH_AT_ONCE)
		out->n = BATCH_AT_ONCE;
	out->next_us = out->n * interval_us - lag_us;
	out->wait_ms = out->next_us > 0 ? (out->next_us + 999) / 1000 : 0;
}

bool batch_aborts(int64_t percent, int64_t total, int64_t failed, int64_t ended)
{
	const int64_t sample = total / 10 < SAMPLE_MAX ? total / 10 : SAMPLE_MAX;

	return failed > 0 && ended >= sample && failed * 100 >= percent * ended;
}
