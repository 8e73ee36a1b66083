// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* logging.h - where the bridge's log goes: stderr, as text or as JSON lines. */
#pragma once

struct config;

/* Before any thread starts. */
void logging_start(const struct config *config);
