// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* events.h - the broker's callbacks. Its structs and error numbers stop in events.c; versions
 * of the broker differ there and nowhere else (docs/adr/0001-broker-versions.md). All have the
 * broker's callback signature; userdata is the struct plugin. */
#pragma once

/* Numbers of events that Mosquitto 2.1 added. A broker that lacks them answers the registration
 * with MOSQ_ERR_NOT_SUPPORTED, so one binary serves all. */
#define EVENT_CONNECT 11
#define EVENT_CLIENT_OFFLINE 28

int on_reload(int event, void *event_data, void *userdata);
int on_basic_auth(int event, void *event_data, void *userdata);
int on_acl_check(int event, void *event_data, void *userdata);
int on_control(int event, void *event_data, void *userdata);
int on_message(int event, void *event_data, void *userdata);
int on_tick(int event, void *event_data, void *userdata);
int on_connect(int event, void *event_data, void *userdata);
int on_disconnect(int event, void *event_data, void *userdata); /* and EVENT_CLIENT_OFFLINE */
