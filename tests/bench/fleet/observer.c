// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/observer.h"

#include "tests/bench/fleet/options.h"

#define FILTERS_MAX 4

static struct {
	struct mqtt mqtt;
	const char *filters[FILTERS_MAX];
	int count;
	observer_heard_f heard;
	bool ready;
} observer;

static struct mqtt_login login(struct mqtt *m)
{
	(void)m;
	return (struct mqtt_login){.client_id = "fleet-observer",
				   .user = opt.anonymous ? NULL : opt.observer_user,
				   .token = opt.observer_token};
}

static void accepted(struct mqtt *m)
{
	mqtt_subscribe(m, observer.filters, observer.count);
}

static void subscribed(struct mqtt *m)
{
	(void)m;
	observer.ready = true;
}

static void acknowledged(struct mqtt *m, uint16_t packet_id)
{
	(void)m;
	(void)packet_id;
}

static void on_message(struct mqtt *m, const struct mqtt_message *message)
{
	(void)m;
	observer.heard(message);
}

static void lost(struct mqtt *m)
{
	(void)m;
	observer.ready = false;
}

static const struct mqtt_events events = {login,        accepted,   subscribed,
					  acknowledged, on_message, lost};

void observer_open(const char *const filters[], int count, observer_heard_f heard)
{
	for (int i = 0; i < count && i < FILTERS_MAX; i++)
		observer.filters[i] = filters[i];
	observer.count = count;
	observer.heard = heard;
	observer.mqtt = (struct mqtt){
		.port = (int)opt.observer_port, .version = 4, .keepalive = 0 /* never pings */};
	mqtt_open(&observer.mqtt, &events, 0);
}

bool observer_ready(void)
{
	return observer.ready;
}

void observer_publish(const char *topic, const char *payload, size_t len)
{
	mqtt_publish(&observer.mqtt, topic, payload, len, 1);
}
