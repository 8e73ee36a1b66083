// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* report.h - what the harness says: one JSON object on stdout at the end, and on stderr lines
 * "E EPOCH_SECONDS event …", by which a script knows the moment to look at the server.
 */
#pragma once

#include "tests/bench/fleet/samples.h"

/* What goes wrong with connections, by name in the report. */
#define FAULT_LIST(X)                                                                          \
	X(CONNECT, "connect")   /* TCP did not come about */                                   \
	X(UPGRADE, "upgrade")   /* no WebSocket */                                             \
	X(REFUSED, "refused")   /* CONNACK said no */                                          \
	X(LOST, "lost")         /* the peer closed the connection */                           \
	X(PROTOCOL, "protocol") /* the peer said what cannot be understood */                  \
	X(LATE, "late")         /* a publish was due while others were unanswered */           \
	X(COMMAND, "command")   /* HTTP status that is not 2xx */                              \
	X(COMMAND_TIMEOUT, "command_timeout")

enum fault {
#define X(code, name) FAULT_##code,
	FAULT_LIST(X)
#undef X
		FAULT_COUNT
};

void report_begin(void);
void report_int(const char *name, int64_t value);
void report_num(const char *name, double value);
void report_str(const char *name, const char *value); /* must need no escaping */
void report_samples(const char *name, struct samples *s);
void report_end(void); /* with the faults */

/* Counts, and keeps the first one's words for the report. */
void report_fault(enum fault fault, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void report_event(const char *format, ...) __attribute__((format(printf, 1, 2)));
