// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 1024

static const char *const names[] = {"error", "warn", "info", "debug"};

static void stderr_sink(enum log_level level, const char *subsystem, const char *text)
{
	fprintf(stderr, "%s %s: %s\n", names[level], subsystem, text);
}

static log_sink_f sink = stderr_sink;
static atomic_int threshold = LOG_LEVEL_INFO; /* may change while threads log */

static _Thread_local struct log_cause current;

struct log_cause log_cause(void)
{
	return current;
}

void log_set_cause(const struct log_cause *cause)
{
	current = cause != NULL ? *cause : (struct log_cause){0};
}

void log_set_sink(log_sink_f new_sink)
{
	sink = new_sink;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

bool log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(text, names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

const char *log_level_name(enum log_level level)
{
	return names[level];
}

void log_at(enum log_level level, const char *subsystem, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* A line is a line: what a stranger typed must not start another one. */
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	sink(level, subsystem, text);
}
