// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static uint64_t faults[FAULT_COUNT];
static char first_fault[200];

void report_begin(void)
{
	putchar('{');
}

static void name_it(const char *name)
{
	static const char *separator = "";

	printf("%s\"%s\":", separator, name);
	separator = ",";
}

void report_int(const char *name, int64_t value)
{
	name_it(name);
	printf("%" PRId64, value);
}

void report_num(const char *name, double value)
{
	name_it(name);
	printf("%.4f", value);
}

void report_str(const char *name, const char *value)
{
	name_it(name);
	printf("\"%s\"", value);
}

void report_samples(const char *name, struct samples *s)
{
	name_it(name);
	printf("{\"n\":%zu,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}",
	       s->len, samples_quantile(s, .50) / 1e3, samples_quantile(s, .90) / 1e3,
	       samples_quantile(s, .99) / 1e3, samples_quantile(s, 1) / 1e3);
}

void report_end(void)
{
	static const char *const names[] = {
#define X(code, name) name,
		FAULT_LIST(X)
#undef X
	};

	for (int i = 0; i < FAULT_COUNT; i++)
		printf("%s\"%s\":%" PRIu64, i == 0 ? ",\"faults\":{" : ",", names[i],
		       faults[i]);
	printf("},\"first_fault\":\"%s\"}\n", first_fault);
	fflush(stdout);
}

void report_fault(enum fault fault, const char *format, ...)
{
	va_list args;

	faults[fault]++;
	if (first_fault[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(first_fault, sizeof(first_fault), format, args);
	va_end(args);
	for (char *p = first_fault; *p != '\0'; p++)
		if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
			*p = ' ';
}

void report_event(const char *format, ...)
{
	struct timespec now;
	va_list args;

	clock_gettime(CLOCK_REALTIME, &now);
	fprintf(stderr, "E %lld.%06ld ", (long long)now.tv_sec, now.tv_nsec / 1000);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}
