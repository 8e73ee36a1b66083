// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* worker.h - the parts of the example: worker.c connects, session.c talks, engine.c obeys. */
#pragma once
#include <json.h>
#include <MQTTClient.h>
#include <signal.h>
#include <stdbool.h>

/* Until the connection is lost or *stop is set. */
void session_run(MQTTClient connected, const char *id, volatile sig_atomic_t *stop);

/* Sends a printf-made JSON text to workers/{id}/NAME. Values must need no escaping. */
__attribute__((format(printf, 2, 3))) void publish(const char *name, const char *format, ...);

extern const char *engine_status;

void engine_obey(struct json_object *command);
void engine_results_stored(struct json_object *ack);
void engine_results_repeat(void);
