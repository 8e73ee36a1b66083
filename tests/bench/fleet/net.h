// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* net.h - non-blocking TCP connections to 127.0.0.1 on one epoll descriptor. What a connection
 * speaks is its kind's business. One thread.
 */
#pragma once

#include "tests/bench/fleet/bytes.h"
#include "tests/bench/fleet/report.h"

#include <stdbool.h>

struct conn;

struct conn_kind {
	void (*opened)(struct conn *c);
	/* Digests what has come; returns how much of it was used. May close. */
	size_t (*received)(struct conn *c, const char *data, size_t len);
	void (*lost)(struct conn *c); /* it is closed already, and counted */
};

struct conn {
	const struct conn_kind *kind;
	int fd; /* -1: closed */
	bool connecting, wants_out;
	struct bytes in, out; /* undigested, unsent */
	int64_t opened_us;    /* when net_open() was called */
	int64_t sent_us;      /* last */
};

/* A process has 28,000 ports for each source address: connections are spread over `sources`
 * addresses from 127.0.0.1 upwards. */
void net_start(int sources);

/* `number` picks the source address. Ends the program when descriptors run out. */
void net_open(struct conn *c, const struct conn_kind *kind, int port, unsigned int number);

void net_send(struct conn *c, const void *data, size_t len);

/* With `reset` the peer sees a TCP reset, else the end of the stream. */
void net_close(struct conn *c, bool reset);

/* Counts the fault, closes, tells the kind. */
void net_fail(struct conn *c, enum fault fault, const char *why);

/* Waits for what happens, that long at most, and lets the kinds handle it. */
void net_poll(int timeout_ms);
