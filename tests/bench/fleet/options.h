// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* options.h - what the harness is asked to do: one table, which is also its --help. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct options {
	/* where */
	int64_t port, observer_port, http_port;
	bool tcp;
	const char *path;
	int64_t version, sources;
	/* who */
	int64_t count, keepalive;
	const char *ids, *user, *token;
	bool anonymous;
	const char *subscribe;
	const char *will_topic, *will_text;
	/* connecting */
	int64_t concurrency;
	double rate, timeout, settle;
	/* publishing */
	double publish_time, publish_rate;
	int64_t publishers, inflight, payload, publish_qos;
	bool reports;
	const char *publish_topic;
	/* commands */
	const char *commands; /* "http" or "mqtt" */
	double command_time;
	int64_t command_concurrency;
	const char *command_topic, *result_topic, *http_path, *http_body, *http_header;
	bool echo;
	/* watching */
	const char *watch, *observer_user, *observer_token;
	int64_t probes;
	/* at the end */
	double hold;
	bool reconnect, reset;
};

/* Parsed once by options_parse(), read by everybody. */
extern struct options opt;

/* Ends the program at --help and at what it does not know. */
void options_parse(int argc, char **argv);
