// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* logging.h - where the bridge's log goes: stderr, as text or as JSON lines.
 *
 *	2026-11-23T14:05:08.542Z warn  command: request=pg-31Xgv2sFzSyoG worker=wrk_a too late
 *	{"at":"…","level":"warn","subsystem":"command","request":"pg-31Xgv2sFzSyoG",
 *	 "message":"worker=wrk_a too late","worker":"wrk_a"}
 *
 * In JSON each key=value of the message is a member too, whole numbers as numbers.
 */
#pragma once

#include "protocol/buf.h"
#include "protocol/log.h"

#include <stdint.h>

struct config;

/* One line of the log, with its line feed; what it says of the time is `at_ms`. */
void logging_text(struct buf *line, int64_t at_ms, enum log_level level, const char *subsystem,
		  const char *text);
void logging_json(struct buf *line, int64_t at_ms, enum log_level level, const char *subsystem,
		  const char *text);

/* Before any thread starts. */
void logging_start(const struct config *config);
