// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* observer.h - one more client of the broker: hears of workers, and sends commands where MQTT
 * does that.
 */
#pragma once

#include "tests/bench/fleet/mqtt.h"

typedef void (*observer_heard_f)(const struct mqtt_message *message);

/* Connects and subscribes to the filters; up to 4. */
void observer_open(const char *const filters[], int count, observer_heard_f heard);

bool observer_ready(void);
void observer_publish(const char *topic, const char *payload, size_t len);
