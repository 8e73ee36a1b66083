// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* worker.c - a worker: connects, and comes back when the connection is lost. Debian:
 * libpaho-mqtt-dev libjson-c-dev. ROLLCALL_WS_URL, ROLLCALL_WORKER_ID and
 * ROLLCALL_WORKER_TOKEN do instead of the options.
 *
 * cc -O2 *.c -o worker $(pkg-config --cflags --libs json-c) -lpaho-mqtt3c
 * ./worker --url ws://HOST:9001 --id wrk_... --token tk_...
 */
#define _GNU_SOURCE
#include "worker.h"
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { KEEPALIVE_S = 20, BACKOFF_DOUBLINGS = 5 };

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	stopping = number;
}

static const char *option(char **argv, const char *name, const char *variable)
{
	while (*argv && strcmp(*argv, name) != 0)
		argv++;
	return *argv && argv[1] ? argv[1] : getenv(variable);
}

/* A fleet that lost its broker must not come back all at once. */
static void pause_before(unsigned attempt)
{
	unsigned doublings = attempt < BACKOFF_DOUBLINGS ? attempt : BACKOFF_DOUBLINGS;

	if (!stopping)
		usleep((useconds_t)(500000 + rand() % 500000) << doublings);
}

static void run(MQTTClient client, const char *id, MQTTClient_connectOptions *options)
{
	unsigned attempt = 0;

	while (!stopping) {
		int rc = MQTTClient_connect(client, options);

		if (rc == MQTTCLIENT_SUCCESS) {
			attempt = 0;
			session_run(client, id, &stopping);
		}
		if (!stopping)
			printf("not connected (%d)\n", rc);
		pause_before(attempt++);
	}
	MQTTClient_disconnect(client, 1000);
}

int main(int argc, char **argv)
{
	MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer_ws;
	MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
	const char *url = option(argv, "--url", "ROLLCALL_WS_URL");
	const char *id = option(argv, "--id", "ROLLCALL_WORKER_ID");
	char address[512], will_topic[128];
	MQTTClient client;

	options.username = id;
	options.password = option(argv, "--token", "ROLLCALL_WORKER_TOKEN");
	if (argc == 0 || !url || !id || !options.password) {
		fputs("usage: worker --url ws://HOST:PORT --id ID --token TOKEN\n", stderr);
		return 2;
	}
	snprintf(address, sizeof(address), "%s%s%s", url, strstr(url, "/ws/") ? "" : "/ws/",
		 strstr(url, "/ws/") ? "" : id);
	snprintf(will_topic, sizeof(will_topic), "workers/%s/will", id);
	will.topicName = will_topic;
	will.message = "{\"reason\":\"the worker vanished\"}";
	will.qos = 1;
	options.will = &will;
	options.keepAliveInterval = KEEPALIVE_S;
	options.cleansession = 1;
	options.reliable = 0; /* several messages may be on their way at once */
	setlinebuf(stdout);
	srand((unsigned)time(NULL) ^ (unsigned)getpid());
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (MQTTClient_create(&client, address, id, MQTTCLIENT_PERSISTENCE_NONE, NULL) !=
	    MQTTCLIENT_SUCCESS)
		return 1;
	run(client, id, &options);
	MQTTClient_destroy(&client);
	return 0;
}
