// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/phases.h"

#include "protocol/clock.h"
#include "protocol/util.h"
#include "tests/bench/fleet/commands.h"
#include "tests/bench/fleet/observer.h"
#include "tests/bench/fleet/options.h"
#include "tests/bench/fleet/probe.h"
#include "tests/bench/fleet/reports.h"
#include "tests/bench/fleet/text.h"
#include "tests/bench/fleet/workers.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#define TURN_MS 5
#define LAST_ANSWERS_S 0.5

static volatile sig_atomic_t stopped;

void phases_stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static double cpu_s(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void turn(void)
{
	workers_pump(false, 0);
	net_poll(TURN_MS);
	workers_keep_alive();
}

/* Goes on until the condition holds (NULL: never), the time is over, or a signal came. */
static void turn_until(bool (*done)(void), double seconds)
{
	int64_t end = clock_mono_us() + (int64_t)(seconds * 1e6);

	while (!stopped && clock_mono_us() < end && (done == NULL || !done()))
		turn();
}

/* The harness' own share of a processor: near 100 it measures itself. */
static void report_own_cpu(const char *name, double since_cpu_s, double seconds)
{
	report_num(name, 100 * (cpu_s() - since_cpu_s) / seconds);
}

/* ---- observe ---- */

static bool commands_by_mqtt(void)
{
	return opt.commands != NULL && strcmp(opt.commands, "mqtt") == 0;
}

static bool observe_wanted(void)
{
	return opt.watch != NULL || commands_by_mqtt();
}

static void heard(const struct mqtt_message *message)
{
	probe_heard(message);
	commands_heard(message);
}

static void observe(void)
{
	static char results[TEXT_MAX];
	const char *filters[2];
	int n = 0;

	if (opt.watch != NULL)
		filters[n++] = opt.watch;
	text_expand(results, sizeof(results), opt.result_topic, "+");
	if (commands_by_mqtt())
		filters[n++] = results;
	observer_open(filters, n, heard);
	turn_until(observer_ready, opt.timeout);
	if (!observer_ready())
		report_fault(FAULT_CONNECT, "the observer is not connected");
}

/* ---- connect ---- */

static bool always(void)
{
	return true;
}

static void connect_all(void)
{
	int64_t begin = clock_mono_us(), end = begin + (int64_t)(opt.timeout * 1e6);
	double cpu = cpu_s(), seconds;

	report_event("connect");
	while (!stopped && fleet.ready + fleet.failed < opt.count && clock_mono_us() < end) {
		workers_pump(true, begin);
		net_poll(opt.rate > 0 ? 1 : TURN_MS);
	}
	seconds = (double)(clock_mono_us() - begin) / 1e6;
	report_event("connected ready=%lld failed=%lld", (long long)fleet.ready,
		     (long long)fleet.failed);
	report_int("count", opt.count);
	report_int("connected", fleet.ready);
	report_int("connect_failed", fleet.failed);
	report_num("connect_s", seconds);
	report_num("connects_per_s", (double)fleet.ready / seconds);
	report_own_cpu("connect_own_cpu_pct", cpu, seconds);
	report_samples("tcp", &fleet.tcp);
	report_samples("login", &fleet.login);
	turn_until(NULL, opt.settle);
}

/* ---- publish ---- */

static bool publish_wanted(void)
{
	return opt.publish_time > 0;
}

static void publish_due(int64_t begin)
{
	static int64_t due;
	int64_t want = (int64_t)(opt.publish_rate * (double)(clock_mono_us() - begin) / 1e6);

	for (; due < want; due++)
		if (!worker_publish(&fleet.workers[due % opt.publishers]))
			report_fault(FAULT_LATE, "a publish was late");
}

static bool all_acknowledged(void)
{
	for (int64_t i = 0; i < opt.publishers; i++)
		if (fleet.workers[i].pending_len > 0)
			return false;
	return true;
}

static void publish(void)
{
	int64_t begin = clock_mono_us();
	double cpu = cpu_s(), seconds;

	fleet.publish_until_us = begin + (int64_t)(opt.publish_time * 1e6);
	report_event("publish");
	for (int64_t i = 0; opt.publish_rate <= 0 && i < opt.publishers; i++)
		while (worker_publish(&fleet.workers[i]))
			;
	while (!stopped && clock_mono_us() < fleet.publish_until_us) {
		if (opt.publish_rate > 0)
			publish_due(begin);
		net_poll(opt.publish_rate > 0 ? 1 : TURN_MS);
	}
	seconds = (double)(clock_mono_us() - begin) / 1e6;
	report_event("published");
	report_own_cpu("publish_own_cpu_pct", cpu, seconds);
	turn_until(all_acknowledged, LAST_ANSWERS_S);
	report_int("published", fleet.published);
	report_num("acknowledged_per_s", (double)fleet.acknowledged / seconds);
	report_samples("publish", &fleet.publish);
	if (opt.reports) {
		report_int("report_acks", reports_acks);
		report_int("report_rejections", reports_rejections);
	}
}

/* ---- commands ---- */

static bool commands_wanted(void)
{
	return opt.commands != NULL && opt.command_time > 0;
}

static void send_commands(void)
{
	int64_t begin, until;
	struct commands_count count;
	double cpu = cpu_s(), seconds;

	commands_open();
	turn_until(commands_ready, opt.timeout);
	begin = clock_mono_us();
	until = begin + (int64_t)(opt.command_time * 1e6);
	report_event("commands");
	commands_begin(until);
	while (!stopped && clock_mono_us() < until) {
		turn();
		commands_turn();
	}
	seconds = (double)(clock_mono_us() - begin) / 1e6;
	report_event("commanded");
	report_own_cpu("command_own_cpu_pct", cpu, seconds);
	turn_until(NULL, LAST_ANSWERS_S);
	count = commands_report();
	report_int("commands_sent", count.sent);
	report_num("commands_delivered_per_s", (double)fleet.delivered / seconds);
	report_num("commands_answered_per_s", (double)count.done / seconds);
}

/* ---- probe ---- */

static bool probe_wanted(void)
{
	return opt.probes > 0 && opt.watch != NULL;
}

static void probe(void)
{
	report_event("probe");
	for (int64_t i = 0; i < opt.probes && !stopped; i++)
		probe_one(i, turn);
	probe_report();
}

/* ---- hold ---- */

static bool hold_wanted(void)
{
	return opt.hold > 0;
}

static bool all_back(void)
{
	return opt.reconnect && fleet.first_loss_us != 0 && fleet.lost >= opt.count &&
	       fleet.ready == opt.count;
}

static void hold(void)
{
	report_event("hold ready=%lld", (long long)fleet.ready);
	turn_until(all_back, opt.hold);
	report_int("ready_at_end", fleet.ready);
	if (fleet.first_loss_us == 0)
		return;
	if (all_back())
		report_event("all_back");
	/* What watches the server may still ask about them. */
	turn_until(NULL, opt.hold);
	report_int("lost", fleet.lost);
	report_int("returned", fleet.returned);
	report_num("loss_to_first_ms",
		   (double)(fleet.first_return_us - fleet.first_loss_us) / 1e3);
	report_num("loss_to_all_ms",
		   (double)(fleet.last_return_us - fleet.first_loss_us) / 1e3);
}

const struct phase phases[] = {
	{observe_wanted,  observe      },
        {always,          connect_all  },
        {publish_wanted,  publish      },
	{commands_wanted, send_commands},
        {probe_wanted,    probe        },
        {hold_wanted,     hold         },
};

const int phases_len = ARRAY_LEN(phases);
