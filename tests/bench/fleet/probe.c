// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/probe.h"

#include "protocol/clock.h"
#include "tests/bench/fleet/options.h"
#include "tests/bench/fleet/workers.h"

#include <string.h>

#define GIVE_UP_US 10000000
#define REST_US 5000
#define STRIDE 7919 /* a prime: neighbours in time are no neighbours in the fleet */

static struct {
	const char *id; /* NULL: nothing is waited for */
	bool connected;
	int64_t heard_us; /* 0: not yet */
} wanted;

static struct samples gone, back;
static int64_t missed;

/* What the message says of the worker that is probed: 1 connected, 0 gone, -1 nothing. Anything
 * on its topics that is no presence event is its will. */
static int says(const struct mqtt_message *m)
{
	const char *end = m->payload + m->payload_len, *at, *value;
	size_t len = strlen(wanted.id);

	at = memmem(m->payload, m->payload_len, wanted.id, len);
	if (at != NULL &&
	    (value = memmem(at, (size_t)(end - at), "\"connected\":", 12)) != NULL)
		return value + 12 < end && value[12] == 't';
	return memmem(m->topic, m->topic_len, wanted.id, len) != NULL ? 0 : -1;
}

void probe_heard(const struct mqtt_message *message)
{
	if (wanted.id != NULL && wanted.heard_us == 0 && says(message) == wanted.connected)
		wanted.heard_us = clock_mono_us();
}

static void want(struct worker *w, bool connected)
{
	wanted.id = worker_id(w);
	wanted.connected = connected;
	wanted.heard_us = 0;
}

static void wait_heard(struct samples *s, const int64_t *since_us, void (*turn)(void))
{
	int64_t end = clock_mono_us() + GIVE_UP_US;

	while (wanted.heard_us == 0 && clock_mono_us() < end)
		turn();
	if (wanted.heard_us == 0)
		missed++;
	else
		samples_add(s, wanted.heard_us - *since_us);
}

static void rest(void (*turn)(void))
{
	int64_t end = clock_mono_us() + REST_US;

	wanted.id = NULL;
	while (clock_mono_us() < end)
		turn();
}

void probe_one(int64_t number, void (*turn)(void))
{
	struct worker *w = &fleet.workers[number * STRIDE % opt.count];
	int64_t closed_us;

	if (w->state != WORKER_READY)
		return;
	want(w, false);
	closed_us = clock_mono_us();
	worker_drop(w);
	wait_heard(&gone, &closed_us, turn);
	rest(turn);
	if (opt.will_topic != NULL)
		return; /* a will tells of losses alone */
	want(w, true);
	worker_connect(w);
	wait_heard(&back, &w->mqtt.connect_us, turn);
	while (w->state == WORKER_CONNECTING)
		turn();
	rest(turn);
}

void probe_report(void)
{
	report_samples("gone", &gone);
	report_samples("back", &back);
	report_int("missed", missed);
}
