// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* log.h - levelled logging with a sink that the program chooses.
 *
 * log_info("store", "worker=%s …", …): subsystem first, then key=value.
 *   error  someone should act      warn   we coped
 *   info   lifecycle               debug  per message
 * Never a token, a password or a payload. What a stranger can trigger is rate limited by the
 * caller. Thread: any, once log_set_sink() has been called.
 */
#pragma once

#include "protocol/util.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

typedef void (*log_sink_f)(enum log_level level, const char *subsystem, const char *text);

/* Replaces the default sink (stderr). Call it before any thread starts. */
void log_set_sink(log_sink_f sink);

/* Messages above `level` are dropped before they are formatted. Default: info. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* "error", "warn", "info" or "debug" to the level. */
bool log_level_parse(const char *text, enum log_level *level);
const char *log_level_name(enum log_level level);

/* What the calling thread does is done for this request: sinks put its id beside every line
 * until another one is set. Whoever hands work to another thread, or to a later turn of a loop,
 * takes the cause along. */
#define LOG_CAUSE_MAX 32
struct log_cause {
	char id[LOG_CAUSE_MAX + 1]; /* "": for nobody in particular */
};
struct log_cause log_cause(void);
void log_set_cause(const struct log_cause *cause); /* NULL: nobody in particular */

void log_at(enum log_level level, const char *subsystem, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
