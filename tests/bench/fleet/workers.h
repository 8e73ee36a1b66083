// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* workers.h - the fleet: its members, how they connect, what they publish and answer. */
#pragma once

#include "tests/bench/fleet/mqtt.h"
#include "tests/bench/fleet/samples.h"

enum worker_state { WORKER_IDLE, WORKER_CONNECTING, WORKER_READY, WORKER_GONE };

struct publish_pending {
	uint32_t number; /* the packet's id, or with --reports the report's seq */
	int64_t at_us;
};

struct worker {
	struct mqtt mqtt; /* first */
	enum worker_state state;
	bool queued;                     /* waits for its reconnect */
	int64_t retry_us;                /* not before */
	struct publish_pending *pending; /* --inflight of them, made at the first publish */
	int pending_len;
	uint32_t seq;       /* of its last report */
	int64_t command_us; /* when the command that is under way was sent; 0: none */
};

/* Counts and durations of the fleet as a whole. */
struct fleet {
	struct worker *workers;
	int64_t started, ready, in_progress, failed, lost;
	int64_t first_loss_us, first_return_us, last_return_us, returned; /* of a reconnect */
	int64_t published, acknowledged, publish_until_us;
	int64_t delivered, command_until_us;
	struct samples tcp, login, publish, deliver;
};

extern struct fleet fleet;

void workers_load(void); /* ids and tokens */
const char *worker_id(const struct worker *w);

/* Starts logins that are due: first ones up to the rate and the concurrency if `connecting`,
 * and those of workers that were lost. */
void workers_pump(bool connecting, int64_t since_us);

/* Pings whose turn it is. Looks at the fleet once a second. */
void workers_keep_alive(void);

void worker_connect(struct worker *w);
void worker_drop(struct worker *w); /* without a goodbye */

/* False if as many are unanswered as may be. */
bool worker_publish(struct worker *w);
