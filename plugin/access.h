// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* access.h - may this client do that? Pure rules: no tables, no broker. */
#pragma once

#include "protocol/topics.h"

enum access_op { ACCESS_READ, ACCESS_WRITE, ACCESS_SUBSCRIBE, ACCESS_UNSUBSCRIBE };

enum access {
	ACCESS_ALLOW,
	ACCESS_DENY,
	ACCESS_DEFER, /* not ours: the broker's other means decide */
};

/* The phase a worker's client is in, as far as its rights go. */
enum access_phase {
	PHASE_LIVE,
	PHASE_ENDED, /* nothing but its will may come from it */
	PHASE_NONE,  /* closing, or of no session that we know: no rights */
};

struct access_request {
	enum access_op op;
	const char *topic;
	bool retain;
};

struct access_rules {
	const char *topic_root;
	bool app_retain;
};

/* A worker. *kind gets what the topic is: WORKER_TOPIC_OTHER if it is another worker's. */
enum access access_worker(const struct access_rules *rules, const struct worker_id *worker,
			  enum access_phase phase, const struct access_request *rq,
			  enum worker_topic *kind);

/* A client that logged in as one of control_users. */
enum access access_control(const struct access_rules *rules, const struct access_request *rq);

/* Everybody else. */
enum access access_other(const struct access_rules *rules, const struct access_request *rq);
