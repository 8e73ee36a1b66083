// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/workers.h"

#include "protocol/clock.h"
#include "tests/bench/fleet/options.h"
#include "tests/bench/fleet/reports.h"
#include "tests/bench/fleet/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX 64
#define TOKEN_MAX 95
#define RETRY_US 20000 /* after a loss, or a failed attempt to come back */
#define PAYLOAD_MAX 60000

struct fleet fleet;

static char (*ids)[ID_MAX + 1], (*tokens)[TOKEN_MAX + 1];

/* Those that wait to reconnect. All wait equally long, so it is sorted by time. */
static struct {
	struct worker **ring;
	size_t head, tail, cap;
	int64_t paused_until_us; /* the server is down: no use in asking 5,000 times */
} retries;

/* ---- who ---- */

static size_t index_of(const struct worker *w)
{
	return (size_t)(w - fleet.workers);
}

const char *worker_id(const struct worker *w)
{
	return ids[index_of(w)];
}

static void load_ids(FILE *f)
{
	for (int64_t i = 0; i < opt.count; i++) {
		if (f == NULL) {
			snprintf(ids[i], sizeof(ids[i]), "w%06lld", (long long)i + 1);
			snprintf(tokens[i], sizeof(tokens[i]), "%s", opt.token);
		} else if (fscanf(f, "%64s %95s", ids[i], tokens[i]) != 2) {
			die("too few ids in the file");
		}
	}
}

void workers_load(void)
{
	FILE *f = NULL;

	fleet.workers = must_alloc((size_t)opt.count, sizeof(*fleet.workers));
	ids = must_alloc((size_t)opt.count, sizeof(*ids));
	tokens = must_alloc((size_t)opt.count, sizeof(*tokens));
	retries.cap = (size_t)opt.count + 1;
	retries.ring = must_alloc(retries.cap, sizeof(struct worker *));
	if (opt.ids != NULL && (f = fopen(opt.ids, "r")) == NULL)
		die(opt.ids);
	load_ids(f);
	if (f != NULL)
		fclose(f);
	for (int64_t i = 0; i < opt.count; i++)
		fleet.workers[i].mqtt = (struct mqtt){.conn = {.fd = -1},
						      .port = (int)opt.port,
						      .version = (int)opt.version,
						      .keepalive = (int)opt.keepalive,
						      .websocket = !opt.tcp};
}

/* ---- connecting ---- */

static struct worker *of_mqtt(struct mqtt *m)
{
	return (struct worker *)m; /* its first member */
}

static struct mqtt_login login(struct mqtt *m)
{
	static char path[TEXT_MAX], will[TEXT_MAX];
	const char *id = worker_id(of_mqtt(m));
	struct mqtt_login out = {.client_id = id, .path = path};

	text_expand(path, sizeof(path), opt.path, id);
	if (!opt.anonymous) {
		out.user = opt.user != NULL ? opt.user : id;
		out.token = tokens[index_of(of_mqtt(m))];
	}
	if (opt.will_topic != NULL) {
		text_expand(will, sizeof(will), opt.will_topic, id);
		out.will_topic = will;
		out.will_text = opt.will_text;
	}
	return out;
}

static void subscribed(struct mqtt *m)
{
	int64_t now = clock_mono_us();

	of_mqtt(m)->state = WORKER_READY;
	fleet.in_progress--;
	fleet.ready++;
	if (fleet.first_loss_us == 0) {
		samples_add(&fleet.tcp, m->connect_us - m->conn.opened_us);
		samples_add(&fleet.login, now - m->connect_us);
		return;
	}
	if (fleet.returned++ == 0) {
		fleet.first_return_us = now;
		report_event("first_return");
	}
	fleet.last_return_us = now;
}

/* Ready is who has its subscription, where one is asked for. */
static void accepted(struct mqtt *m)
{
	char topic[TEXT_MAX];
	const char *filter = topic;

	if (opt.subscribe == NULL) {
		subscribed(m);
		return;
	}
	text_expand(topic, sizeof(topic), opt.subscribe, worker_id(of_mqtt(m)));
	mqtt_subscribe(m, &filter, 1);
}

static void retry(struct worker *w)
{
	if (w->queued)
		return;
	w->queued = true;
	w->retry_us = retries.paused_until_us = clock_mono_us() + RETRY_US;
	retries.ring[retries.tail++ % retries.cap] = w;
}

static void lost(struct mqtt *m)
{
	struct worker *w = of_mqtt(m);
	bool returning = fleet.first_loss_us != 0;

	w->pending_len = 0;
	if (w->state == WORKER_READY) {
		fleet.ready--;
		fleet.lost++;
		if (!returning) {
			fleet.first_loss_us = clock_mono_us();
			report_event("first_loss");
		}
	} else if (w->state == WORKER_CONNECTING) {
		fleet.in_progress--;
		fleet.failed += !(opt.reconnect && returning);
	}
	w->state = WORKER_GONE;
	if (opt.reconnect && fleet.first_loss_us != 0)
		retry(w);
}

/* ---- publishing and answering ---- */

static size_t render_report(char *out, int64_t now)
{
	size_t want = (size_t)opt.payload < PAYLOAD_MAX ? (size_t)opt.payload : PAYLOAD_MAX;
	int n = snprintf(out, PAYLOAD_MAX, "{\"cpu\":%.2f,\"memory\":512.5,\"extra\":\"",
			 (double)(now % 10000) / 100);
	size_t len = (size_t)n;

	for (; len + 2 < want; len++)
		out[len] = (char)('a' + len % 26);
	out[len++] = '"';
	out[len++] = '}';
	return len;
}

bool worker_publish(struct worker *w)
{
	static char body[PAYLOAD_MAX + 2];
	char topic[TEXT_MAX];
	int64_t now = clock_mono_us();
	uint32_t number;
	size_t len;

	if (w->state != WORKER_READY || w->pending_len >= opt.inflight)
		return false;
	if (w->pending == NULL)
		w->pending = must_alloc((size_t)opt.inflight, sizeof(*w->pending));
	text_expand(topic, sizeof(topic), opt.publish_topic, worker_id(w));
	len = opt.reports ? reports_render(body, ++w->seq) : render_report(body, now);
	number = mqtt_publish(&w->mqtt, topic, body, len, (int)opt.publish_qos);
	w->pending[w->pending_len++] =
		(struct publish_pending){opt.reports ? w->seq : number, now};
	fleet.published++;
	return true;
}

static void answered(void *arg, uint32_t number)
{
	struct worker *w = arg;
	int64_t now = clock_mono_us();
	int i = 0;

	while (i < w->pending_len && w->pending[i].number != number)
		i++;
	if (i == w->pending_len)
		return; /* an answer to a command */
	samples_add(&fleet.publish, now - w->pending[i].at_us);
	w->pending_len--;
	memmove(&w->pending[i], &w->pending[i + 1],
		(size_t)(w->pending_len - i) * sizeof(*w->pending));
	if (now > fleet.publish_until_us)
		return;
	fleet.acknowledged++;
	if (opt.publish_rate <= 0)
		worker_publish(w);
}

static void acknowledged(struct mqtt *m, uint16_t packet_id)
{
	if (!opt.reports) /* they are answered by the bridge */
		answered(of_mqtt(m), packet_id);
}

static bool is_report_ack(const struct mqtt_message *message)
{
	static const char end[] = "/metrics/ack";
	const size_t len = sizeof(end) - 1;

	return message->topic_len > len &&
	       memcmp(message->topic + message->topic_len - len, end, len) == 0;
}

static void on_message(struct mqtt *m, const struct mqtt_message *message)
{
	struct worker *w = of_mqtt(m);
	char id[ID_MAX], answer[2 * ID_MAX], topic[TEXT_MAX];
	int64_t now = clock_mono_us();
	int n;

	if (is_report_ack(message)) {
		reports_read_ack(message->payload, message->payload_len, answered, w);
		return;
	}
	if (w->command_us != 0) {
		samples_add(&fleet.deliver, now - w->command_us);
		w->command_us = 0;
		fleet.delivered += now <= fleet.command_until_us;
	}
	text_member(message->payload, message->payload_len, "command_id", id, sizeof(id));
	if (!opt.echo || id[0] == '\0')
		return;
	n = snprintf(answer, sizeof(answer), "{\"command_id\":\"%s\",\"status\":\"done\"}", id);
	text_expand(topic, sizeof(topic), opt.result_topic, worker_id(w));
	mqtt_publish(m, topic, answer, (size_t)n, 1);
}

static const struct mqtt_events events = {login,        accepted,   subscribed,
					  acknowledged, on_message, lost};

/* ---- what the phases do with them ---- */

void worker_connect(struct worker *w)
{
	w->state = WORKER_CONNECTING;
	w->queued = false;
	fleet.in_progress++;
	mqtt_open(&w->mqtt, &events, (unsigned int)index_of(w));
}

void worker_drop(struct worker *w)
{
	if (w->state != WORKER_READY)
		return;
	mqtt_close(&w->mqtt, opt.reset);
	w->state = WORKER_GONE;
	w->pending_len = 0;
	fleet.ready--;
}

void workers_pump(bool connecting, int64_t since_us)
{
	int64_t now = clock_mono_us();
	struct worker *w;

	while (connecting && fleet.in_progress < opt.concurrency && fleet.started < opt.count &&
	       (opt.rate <= 0 ||
		(double)fleet.started < opt.rate * (double)(now - since_us) / 1e6 + 1))
		worker_connect(&fleet.workers[fleet.started++]);
	while (retries.head < retries.tail && fleet.in_progress < opt.concurrency &&
	       now >= retries.paused_until_us) {
		w = retries.ring[retries.head % retries.cap];
		if (w->retry_us > now)
			break;
		retries.head++;
		worker_connect(w);
	}
}

void workers_keep_alive(void)
{
	static int64_t last_us;
	int64_t now = clock_mono_us();

	if (opt.keepalive <= 0 || now - last_us < 1000000)
		return;
	last_us = now;
	for (int64_t i = 0; i < opt.count; i++) {
		struct worker *w = &fleet.workers[i];

		if (w->state == WORKER_READY &&
		    now - w->mqtt.conn.sent_us > opt.keepalive * 750000)
			mqtt_ping(&w->mqtt);
	}
}
