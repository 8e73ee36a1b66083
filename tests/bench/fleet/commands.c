// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/commands.h"

#include "protocol/clock.h"
#include "tests/bench/fleet/http.h"
#include "tests/bench/fleet/observer.h"
#include "tests/bench/fleet/options.h"
#include "tests/bench/fleet/text.h"
#include "tests/bench/fleet/workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX_US 5000000
#define STRIDE 7919 /* a prime: neighbours in time are no neighbours in the fleet */

/* One of the commands that are under way. */
struct slot {
	struct http http; /* first; unused with mqtt */
	struct worker *worker;
	int64_t sent_us, number;
	bool busy;
};

static struct slot *slots;
static struct commands_count count;
static struct samples round_trip;
static int64_t next_worker;

static bool by_http(void)
{
	return strcmp(opt.commands, "http") == 0;
}

static struct worker *pick_worker(void)
{
	for (int64_t tries = 0; tries < opt.count; tries++) {
		struct worker *w = &fleet.workers[next_worker++ * STRIDE % opt.count];

		if (w->state == WORKER_READY && w->command_us == 0)
			return w;
	}
	return NULL;
}

static void send_http(struct slot *s)
{
	char path[TEXT_MAX];

	text_expand(path, sizeof(path), opt.http_path, worker_id(s->worker));
	http_request(&s->http, "POST", path, opt.http_header, opt.http_body);
}

static void send_mqtt(struct slot *s)
{
	char topic[TEXT_MAX], body[128];
	int n = snprintf(body, sizeof(body), "{\"command_id\":\"%d.%lld\",\"type\":\"bench\"}",
			 (int)(s - slots), (long long)s->number);

	text_expand(topic, sizeof(topic), opt.command_topic, worker_id(s->worker));
	observer_publish(topic, body, (size_t)n);
}

static void issue(struct slot *s)
{
	int64_t now = clock_mono_us();

	s->busy = false;
	s->worker = now <= fleet.command_until_us ? pick_worker() : NULL;
	if (s->worker == NULL)
		return;
	s->busy = true;
	s->sent_us = s->worker->command_us = now;
	s->number++;
	count.sent++;
	if (by_http())
		send_http(s);
	else
		send_mqtt(s);
}

static void finish(struct slot *s)
{
	int64_t now = clock_mono_us();

	samples_add(&round_trip, now - s->sent_us);
	count.done += now <= fleet.command_until_us;
	issue(s);
}

static void answered(struct http *h, const struct http_answer *answer)
{
	struct slot *s = (struct slot *)h; /* its first member */

	if (!s->busy)
		return;
	if (answer->status >= 200 && answer->status < 300) {
		finish(s);
		return;
	}
	report_fault(FAULT_COMMAND, "HTTP status %d: %.*s", answer->status,
		     (int)(answer->len < 80 ? answer->len : 80), answer->body);
	s->worker->command_us = 0;
	issue(s);
}

void commands_heard(const struct mqtt_message *message)
{
	char id[40], *dot;
	int64_t slot;

	if (slots == NULL)
		return;
	text_member(message->payload, message->payload_len, "command_id", id, sizeof(id));
	dot = strchr(id, '.');
	slot = strtoll(id, NULL, 10);
	if (dot == NULL || slot < 0 || slot >= opt.command_concurrency || !slots[slot].busy ||
	    strtoll(dot + 1, NULL, 10) != slots[slot].number)
		return;
	finish(&slots[slot]);
}

void commands_open(void)
{
	slots = must_alloc((size_t)opt.command_concurrency, sizeof(*slots));
	for (int64_t i = 0; by_http() && i < opt.command_concurrency; i++)
		http_open(&slots[i].http, (int)opt.http_port, answered);
}

bool commands_ready(void)
{
	for (int64_t i = 0; by_http() && i < opt.command_concurrency; i++)
		if (!slots[i].http.ready)
			return false;
	return true;
}

void commands_begin(int64_t until_us)
{
	fleet.command_until_us = until_us;
	for (int64_t i = 0; i < opt.command_concurrency; i++)
		issue(&slots[i]);
}

void commands_turn(void)
{
	int64_t now = clock_mono_us();

	for (int64_t i = 0; i < opt.command_concurrency; i++) {
		struct slot *s = &slots[i];

		if (!s->busy) {
			issue(s);
		} else if (now - s->sent_us > ANSWER_MAX_US) {
			report_fault(FAULT_COMMAND_TIMEOUT, "a command was not answered");
			s->worker->command_us = 0;
			/* An HTTP connection cannot be asked again before it has answered. */
			if (by_http())
				s->sent_us = now;
			else
				issue(s);
		}
	}
}

struct commands_count commands_report(void)
{
	report_samples("command_delivered", &fleet.deliver);
	report_samples("command_answered", &round_trip);
	return count;
}
