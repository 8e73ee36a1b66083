// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/options.h"

#include "protocol/util.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORTS_PER_ADDRESS 20000 /* of the 28,000 that Linux gives out */

struct options opt = {
	.path = "/ws/%s",
	.version = 4,
	.count = 1,
	.keepalive = 120,
	.token = "secret",
	.will_text = "{\"reason\":\"lost\"}",
	.concurrency = 64,
	.timeout = 120,
	.inflight = 1,
	.payload = 200,
	.publish_qos = 1,
	.publish_topic = "workers/%s/metrics",
	.command_concurrency = 1,
	.command_topic = "workers/%s/commands",
	.result_topic = "workers/%s/results",
	.http_body = "{}",
	.observer_user = "rollcall-bridge",
	.observer_token = "secret",
};

enum kind { INTEGER, NUMBER, TEXT, FLAG };

static const struct row {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *help;
} rows[] = {
#define ROW(name, kind, member, help)                                                          \
	{                                                                                      \
		name, kind, offsetof(struct options, member), help                             \
	}
	ROW("port", INTEGER, port, "the broker's, for the workers"),
	ROW("tcp", FLAG, tcp, "plain MQTT; otherwise MQTT over WebSocket"),
	ROW("path", TEXT, path,
	    "of the WebSocket; %s is the worker's id in this and all topics"),
	ROW("version", INTEGER, version, "of MQTT: 4 (3.1.1) or 5"),
	ROW("sources", INTEGER, sources, "source addresses; default one per 20,000 workers"),
	ROW("count", INTEGER, count, "workers"),
	ROW("ids", TEXT, ids, "file with a line \"id token\" per worker; default w000001…"),
	ROW("user", TEXT, user, "user name; default the worker's id"),
	ROW("token", TEXT, token, "password, without --ids"),
	ROW("anonymous", FLAG, anonymous, "no user name and password"),
	ROW("subscribe", TEXT, subscribe,
	    "topic that workers subscribe to before they are ready"),
	ROW("keepalive", INTEGER, keepalive, "seconds; a ping goes out after three quarters"),
	ROW("will-topic", TEXT, will_topic, "workers have a will there"),
	ROW("will-text", TEXT, will_text, "its payload"),
	ROW("concurrency", INTEGER, concurrency, "logins under way at the same time"),
	ROW("rate", NUMBER, rate, "connects a second; 0: as fast as possible"),
	ROW("timeout", NUMBER, timeout, "seconds after which connecting is given up"),
	ROW("settle", NUMBER, settle, "seconds of rest after connecting"),
	ROW("publish-time", NUMBER, publish_time, "seconds; 0: no publishing"),
	ROW("publish-rate", NUMBER, publish_rate, "a second, all together; 0: on each answer"),
	ROW("publishers", INTEGER, publishers, "workers that publish; default all"),
	ROW("inflight", INTEGER, inflight, "unanswered publishes a worker"),
	ROW("payload", INTEGER, payload, "bytes"),
	ROW("publish-qos", INTEGER, publish_qos, "0 makes sense with --reports alone"),
	ROW("reports", FLAG, reports,
	    "numbered metric reports, answered when the bridge says that they are stored"),
	ROW("publish-topic", TEXT, publish_topic, ""),
	ROW("commands", TEXT, commands, "http or mqtt: who sends them"),
	ROW("command-time", NUMBER, command_time, "seconds"),
	ROW("command-concurrency", INTEGER, command_concurrency, "under way at the same time"),
	ROW("command-topic", TEXT, command_topic, "of mqtt"),
	ROW("result-topic", TEXT, result_topic, ""),
	ROW("echo", FLAG, echo, "workers answer commands on the result topic"),
	ROW("http-port", INTEGER, http_port, ""),
	ROW("http-path", TEXT, http_path, "of a POST"),
	ROW("http-body", TEXT, http_body, ""),
	ROW("http-header", TEXT, http_header, "one more line"),
	ROW("watch", TEXT, watch, "topic filter by which an observer hears of workers"),
	ROW("observer-port", INTEGER, observer_port, "plain MQTT; default --port"),
	ROW("observer-user", TEXT, observer_user, ""),
	ROW("observer-token", TEXT, observer_token, ""),
	ROW("probes", INTEGER, probes, "workers lost and back, one at a time, under --watch"),
	ROW("hold", NUMBER, hold, "seconds at most of idling at the end; SIGTERM ends it"),
	ROW("reconnect", FLAG, reconnect, "while holding; ends when all are back"),
	ROW("reset", FLAG, reset, "losses are TCP resets"),
#undef ROW
};

static _Noreturn void usage(int status)
{
	FILE *out = status == 0 ? stdout : stderr;

	fputs("usage: fleet --port PORT [option…]\n"
	      "A fleet of MQTT workers on 127.0.0.1: connects, then publishes, sends "
	      "commands,\n"
	      "probes and holds, as far as asked to; prints one JSON object.\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		fprintf(out, "  --%-20s %s\n", rows[i].name, rows[i].help);
	exit(status);
}

static void set(const struct row *row, const char *value)
{
	void *member = (char *)&opt + row->offset;

	switch (row->kind) {
	case INTEGER:
		*(int64_t *)member = strtoll(value, NULL, 10);
		break;
	case NUMBER:
		*(double *)member = strtod(value, NULL);
		break;
	case TEXT:
		*(const char **)member = value;
		break;
	case FLAG:
		*(bool *)member = true;
		break;
	}
}

static void settle_defaults(void)
{
	if (opt.port <= 0 || opt.count < 1 || opt.inflight < 1 || opt.command_concurrency < 1)
		usage(2);
	if (opt.sources <= 0)
		opt.sources = 1 + opt.count / PORTS_PER_ADDRESS;
	if (opt.observer_port <= 0)
		opt.observer_port = opt.port;
	if (opt.publishers <= 0 || opt.publishers > opt.count)
		opt.publishers = opt.count;
}

void options_parse(int argc, char **argv)
{
	struct option longs[ARRAY_LEN(rows) + 1] = {0};
	int i;

	for (size_t k = 0; k < ARRAY_LEN(rows); k++)
		longs[k] = (struct option){
			rows[k].name, rows[k].kind == FLAG ? no_argument : required_argument,
			NULL, (int)k + 1};
	while ((i = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (i < 1 || i > (int)ARRAY_LEN(rows))
			usage(2);
		set(&rows[i - 1], optarg);
	}
	if (optind < argc)
		usage(strcmp(argv[optind], "help") == 0 ? 0 : 2);
	settle_defaults();
}
