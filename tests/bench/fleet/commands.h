// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* commands.h - commands to workers, a fixed number under way at any time: by HTTP requests, or
 * by publishes of the observer, whose round trip ends with the worker's result.
 */
#pragma once

#include "tests/bench/fleet/mqtt.h"

struct commands_count {
	int64_t sent, done; /* done: the answer came in time */
};

void commands_open(void); /* the HTTP connections */
bool commands_ready(void);
void commands_begin(int64_t until_us);
void commands_turn(void);                                /* gives up what nobody answers */
void commands_heard(const struct mqtt_message *message); /* what the observer hears */
struct commands_count commands_report(void);             /* with the durations */
