// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* broker_api.h - the broker's headers, which Mosquitto 2.1 has under other names: there
 * <mosquitto.h> is all of them, and the old names warn. */
#pragma once

#include <mosquitto.h>
#if !__has_include(<mosquitto/broker.h>)
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <mqtt_protocol.h>
#endif
