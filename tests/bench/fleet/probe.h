// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* probe.h - how soon the observer hears that a worker is gone, and back: one at a time.
 *
 * "Gone" is counted from the close() of its connection, "back" from the sending of its CONNECT:
 * both a little before the broker can know.
 */
#pragma once

#include "tests/bench/fleet/mqtt.h"

void probe_heard(const struct mqtt_message *message);

/* Lets one worker go and, unless it has a will, come back; `turn` runs the loop once. */
void probe_one(int64_t number, void (*turn)(void));
void probe_report(void);
