// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/reports.h"

#include "protocol/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SEQS "\"seqs\":["
#define NONE_REJECTED "\"rejected\":[]"

int64_t reports_acks, reports_rejections;

size_t reports_render(char out[REPORT_BYTES_MAX], uint32_t seq)
{
	static char at[CLOCK_TEXT_SIZE];
	static int64_t at_ms;
	const int64_t now_ms = clock_unix_ms();

	if (now_ms != at_ms) {
		at_ms = now_ms;
		clock_format(now_ms, at);
	}
	return (size_t)snprintf(out, REPORT_BYTES_MAX,
				"{\"memory\":%u.5,\"cpu\":%u.25,\"rate\":41.5,"
				"\"engine_status\":\"running\",\"queue\":%u,\"seq\":%u,"
				"\"at\":\"%s\"}",
				512 + seq % 64, seq % 100, seq % 17, seq, at);
}

static bool is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

void reports_read_ack(const char *payload, size_t len, void (*stored)(void *arg, uint32_t seq),
		      void *arg)
{
	const char *end = payload + len, *p = memmem(payload, len, SEQS, sizeof(SEQS) - 1);

	reports_acks++;
	if (memmem(payload, len, NONE_REJECTED, sizeof(NONE_REJECTED) - 1) == NULL)
		reports_rejections++;
	if (p == NULL)
		return;
	for (p += sizeof(SEQS) - 1; is_digit(p, end); p += *p == ',') {
		uint32_t seq = 0;

		for (; is_digit(p, end); p++)
			seq = seq * 10 + (uint32_t)(*p - '0');
		stored(arg, seq);
		if (p == end)
			return;
	}
}
