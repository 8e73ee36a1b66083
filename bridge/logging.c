// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/logging.h"

#include "bridge/config.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"

#include <stdio.h>
#include <string.h>

#define JSON_LINE_MAX 8192

/* One write per line, so that those of several threads never mix. */
static void text_sink(enum log_level level, const char *subsystem, const char *text)
{
	char at[CLOCK_TEXT_SIZE];

	clock_format(clock_unix_ms(), at);
	fprintf(stderr, "%s %-5s %s: %s\n", at, log_level_name(level), subsystem, text);
}

static void json_sink(enum log_level level, const char *subsystem, const char *text)
{
	struct jwrite w;
	struct buf line;

	buf_init(&line, JSON_LINE_MAX);
	jwrite_begin(&w, &line);
	jwrite_object(&w, NULL);
	jwrite_time(&w, "at", clock_unix_ms());
	jwrite_str(&w, "level", log_level_name(level));
	jwrite_str(&w, "subsystem", subsystem);
	jwrite_str(&w, "message", text);
	jwrite_object_end(&w);
	buf_add_char(&line, '\n');
	if (!line.failed)
		fputs(line.data, stderr);
	buf_fini(&line);
}

void logging_start(const struct config *config)
{
	enum log_level level = LOG_LEVEL_INFO;

	log_level_parse(config->log_level, &level);
	log_set_level(level);
	log_set_sink(strcmp(config->log_format, "json") == 0 ? json_sink : text_sink);
}
