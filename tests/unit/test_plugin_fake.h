// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* test_plugin_fake.h - the whole plugin on a broker that is none: it records what is published
 * and kicked, and shows clients that a test makes up. Each test file includes it once.
 *
 * A test plays the events of a broker version in the order in which that version raises them
 * (docs/adr/0001-broker-versions.md), then looks at what was told. */
#pragma once

#include "tests/unit/test_plugin_dir.h"

#include "plugin/broker_api.h"
#include "plugin/events.h"
#include "plugin/plugin.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#define EPOCH "epoch-1"
#define TOKEN "tk_right"
#define EVENTS_MAX 12000

/* ---- clients ---- */

struct mosquitto {
	const char *id, *username, *address;
	int protocol, version, keepalive;
	bool persistent;
};

const char *mosquitto_client_id(const struct mosquitto *client)
{
	return client->id;
}

const char *mosquitto_client_username(const struct mosquitto *client)
{
	return client->username;
}

const char *mosquitto_client_address(const struct mosquitto *client)
{
	return client->address;
}

int mosquitto_client_protocol(const struct mosquitto *client)
{
	return client->protocol;
}

int mosquitto_client_protocol_version(const struct mosquitto *client)
{
	return client->version;
}

int mosquitto_client_keepalive(const struct mosquitto *client)
{
	return client->keepalive;
}

bool mosquitto_client_clean_session(const struct mosquitto *client)
{
	return !client->persistent;
}

/* ---- what the plugin says ---- */

struct said {
	char client_id[128]; /* "" for everybody */
	char topic[256];
	char *payload;
	int len, qos;
	bool retain;
};

static struct {
	struct said said[EVENTS_MAX];
	size_t said_len;
	struct presence events[EVENTS_MAX]; /* of rollcall/v1/presence, in order */
	size_t events_len;
	char kicked[64][128];
	size_t kicked_len;
	void (*on_kick)(const char *client_id);
} broker;

static inline void broker_forget(void)
{
	for (size_t i = 0; i < broker.said_len; i++)
		free(broker.said[i].payload);
	memset(&broker, 0, sizeof(broker));
}

static inline void read_batch(const char *payload, size_t len)
{
	struct err e = {0};
	struct json_object *doc = jread_parse(payload, len, &e), *list, *item;
	struct jread r;

	assert_non_null(doc);
	jread_begin(&r, doc, &e);
	list = jread_array(&r, "events", 1, 500);
	assert_non_null(list);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		assert_in_range(broker.events_len, 0, EVENTS_MAX - 1);
		item = json_object_array_get_idx(list, i);
		jread_begin(&r, item, &e);
		presence_read(&r, &broker.events[broker.events_len++]);
		assert_int_equal(jread_end(&r), ERR_OK);
	}
	json_object_put(doc);
}

void *mosquitto_malloc(size_t size)
{
	return malloc(size);
}

void mosquitto_free(void *mem)
{
	free(mem);
}

int mosquitto_broker_publish(const char *client_id, const char *topic, int len, void *payload,
			     int qos, bool retain, mosquitto_property *properties)
{
	struct said *s = &broker.said[broker.said_len];

	mosquitto_property_free_all(&properties);
	if (strcmp(topic, TOPIC_PRESENCE_BATCH) == 0)
		read_batch(payload, (size_t)len);
	if (strcmp(topic, TOPIC_HEARTBEAT) == 0) {
		free(payload);
		return MOSQ_ERR_SUCCESS;
	}
	assert_in_range(broker.said_len, 0, EVENTS_MAX - 1);
	*s = (struct said){.payload = payload, .len = len, .qos = qos, .retain = retain};
	snprintf(s->client_id, sizeof(s->client_id), "%s", client_id != NULL ? client_id : "");
	snprintf(s->topic, sizeof(s->topic), "%s", topic);
	broker.said_len++;
	return MOSQ_ERR_SUCCESS;
}

static inline void fake_kick(const char *client_id)
{
	assert_in_range(broker.kicked_len, 0, ARRAY_LEN(broker.kicked) - 1);
	snprintf(broker.kicked[broker.kicked_len++], sizeof(broker.kicked[0]), "%s", client_id);
	if (broker.on_kick != NULL)
		broker.on_kick(client_id);
}

/* The newest message on the topic; one of length -1 if there was none. */
static inline const struct said *said_on(const char *topic)
{
	static const struct said nothing = {.len = -1};

	for (size_t i = broker.said_len; i-- > 0;)
		if (strcmp(broker.said[i].topic, topic) == 0)
			return &broker.said[i];
	return &nothing;
}

/* ---- the plugin ---- */

struct world {
	struct plugin p;
	char dir[64];
	bool connect_event; /* Mosquitto 2.1 */
};

static inline void quiet(enum log_level level, const char *subsystem, const char *text)
{
	(void)level;
	(void)subsystem;
	(void)text;
}

/* Starts the plugin on w->dir. Grace in milliseconds. */
static inline void world_start(struct world *w, const char *grace)
{
	const char *names[] = {"storage_path", "reconnect_grace_ms", "node_id",
			       "storage_size_mib"};
	const char *values[] = {w->dir, grace, "node-1", "64"};
	struct err e = {0};

	log_set_sink(quiet);
	memset(&w->p, 0, sizeof(w->p));
	assert_int_equal(options_parse(&w->p.options, names, values, ARRAY_LEN(names), &e),
			 ERR_OK);
	if (plugin_start(&w->p, fake_kick, w->connect_event, &e) != ERR_OK)
		fail_msg("%s", e.msg);
	if (w->p.directory.epoch[0] == '\0')
		assert_int_equal(directory_set_epoch(&w->p.directory, EPOCH, &e), ERR_OK);
}

static inline void world_open(struct world *w, bool connect_event, const char *grace)
{
	broker_forget();
	*w = (struct world){.connect_event = connect_event};
	make_dir(w->dir);
	world_start(w, grace);
}

static inline void world_stop(struct world *w)
{
	plugin_stop(&w->p);
}

static inline void world_close(struct world *w)
{
	plugin_stop(&w->p);
	remove_dir(w->dir);
	broker_forget();
}

/* The process dies, and another starts on what is in its files. */
static inline void world_crash(struct world *w, const char *grace)
{
	char copy[64];

	copy_dir(w->dir, copy);
	plugin_stop(&w->p);
	remove_dir(w->dir);
	memcpy(w->dir, copy, sizeof(copy));
	world_start(w, grace);
}

static inline void turn(struct world *w)
{
	plugin_tick(&w->p);
}

static inline void turns(struct world *w, int n)
{
	while (n-- > 0)
		turn(w);
}

static inline struct worker_id worker(const char *id)
{
	struct worker_id out;

	assert_true(worker_id_parse(id, strlen(id), &out));
	return out;
}

static inline struct dir_entry entry_of(const char *id, int64_t n, const char *token)
{
	struct dir_entry entry = {
		.id = worker(id), .revision = {.epoch = EPOCH, .n = n}
        };

	if (token != NULL) {
		entry.tokens_len = 1;
		token_hash(token, strlen(token), &entry.tokens[0].hash);
	}
	return entry;
}

/* Puts it as putWorkers does, with what follows for its sessions. */
static inline enum dir_change put_entry(struct world *w, const struct dir_entry *entry)
{
	struct dir_entry before;
	enum dir_change change;
	struct err e = {0};

	assert_int_equal(directory_apply(&w->p.directory, entry, &before, &change, &e), ERR_OK);
	return change;
}

static inline void put_worker(struct world *w, const char *id)
{
	struct dir_entry entry = entry_of(id, w->p.directory.max_n + 1, TOKEN);

	assert_int_equal(put_entry(w, &entry), DIR_APPLIED);
}

/* ---- the broker's events ---- */

static inline struct mosquitto tcp_client(const char *id, const char *user)
{
	return (struct mosquitto){.id = id,
				  .username = user,
				  .address = "127.0.0.1",
				  .protocol = mp_mqtt,
				  .version = 5,
				  .keepalive = 60};
}

static inline int basic_auth(struct world *w, struct mosquitto *c, const char *password)
{
	char username[128], secret[128];
	struct mosquitto_evt_basic_auth ev = {.client = c};

	snprintf(username, sizeof(username), "%s", c->username != NULL ? c->username : "");
	snprintf(secret, sizeof(secret), "%s", password != NULL ? password : "");
	ev.username = c->username != NULL ? username : NULL;
	ev.password = password != NULL ? secret : NULL;
	return on_basic_auth(MOSQ_EVT_BASIC_AUTH, &ev, &w->p);
}

/* EVENT_CONNECT's data begin so in Mosquitto 2.1. */
struct fake_event {
	void *future;
	struct mosquitto *client;
	int reason;
	void *rest[8];
};

static inline void connect_event(struct world *w, struct mosquitto *c)
{
	struct fake_event ev = {.client = c};

	on_connect(EVENT_CONNECT, &ev, &w->p);
}

/* A login that the broker accepts, as its version tells it. */
static inline void log_in(struct world *w, struct mosquitto *c)
{
	assert_int_equal(basic_auth(w, c, TOKEN), MOSQ_ERR_SUCCESS);
	if (w->connect_event)
		connect_event(w, c);
	else
		turns(w, c->protocol == mp_websockets ? 3 : 1);
}

static inline void disconnect(struct world *w, struct mosquitto *c, int reason)
{
	struct fake_event ev = {.client = c, .reason = reason};

	on_disconnect(MOSQ_EVT_DISCONNECT, &ev, &w->p);
}

static inline int acl(struct world *w, struct mosquitto *c, int access, const char *topic,
		      const char *payload)
{
	struct mosquitto_evt_acl_check ev = {.client = c, .topic = topic, .access = access};

	ev.payload = payload;
	ev.payloadlen = payload != NULL ? (uint32_t)strlen(payload) : 0;
	return on_acl_check(MOSQ_EVT_ACL_CHECK, &ev, &w->p);
}

static inline int will(struct world *w, struct mosquitto *c, const char *payload)
{
	char topic[256];

	snprintf(topic, sizeof(topic), "workers/%s/will", c->username);
	return acl(w, c, MOSQ_ACL_WRITE, topic, payload);
}

/* A message that a client sends: the check, then the event, unless it is denied. */
static inline int message(struct world *w, struct mosquitto *c, const char *topic,
			  const char *payload)
{
	char copy[16384], name[256];
	struct mosquitto_evt_message ev = {.client = c, .topic = name, .payload = copy};
	int rc = acl(w, c, MOSQ_ACL_WRITE, topic, payload);

	if (rc != MOSQ_ERR_SUCCESS)
		return rc;
	snprintf(name, sizeof(name), "%s", topic);
	snprintf(copy, sizeof(copy), "%s", payload);
	ev.payloadlen = (uint32_t)strlen(copy);
	on_message(MOSQ_EVT_MESSAGE, &ev, &w->p);
	return rc;
}

static inline void reload(struct world *w)
{
	on_reload(MOSQ_EVT_RELOAD, NULL, &w->p);
}

/* ---- what was told ---- */

static inline struct presence presence_of(struct world *w, const char *id)
{
	struct worker_id worker_id = worker(id);
	struct presence p = {0};

	p.worker = worker_id;
	(void)connset_presence(&w->p.conns, &worker_id, &p);
	return p;
}

static inline enum presence_state state_of(struct world *w, const char *id)
{
	return presence_of(w, id).state;
}

static inline enum presence_reason reason_of_worker(struct world *w, const char *id)
{
	return presence_of(w, id).reason;
}

/* Says the events of all workers since the last call, "online offline/kicked", for comparison.
 */
static inline void assert_told(const char *expected)
{
	static size_t told;
	static char text[4096];
	size_t len = 0;

	if (told > broker.events_len)
		told = 0;
	if (expected == NULL) { /* start anew */
		told = broker.events_len;
		return;
	}
	text[0] = '\0';
	for (; told < broker.events_len; told++) {
		const struct presence *p = &broker.events[told];

		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%s%s%s", len > 0 ? " " : "",
			presence_state_name(p->state), p->reason != REASON_NONE ? "/" : "",
			p->reason != REASON_NONE ? presence_reason_name(p->reason) : "");
	}
	assert_string_equal(text, expected);
}

/* seq counts the boot's events from 1, without a gap. */
static inline void assert_no_gap(void)
{
	for (size_t i = 1; i < broker.events_len; i++) {
		const struct presence *a = &broker.events[i - 1], *b = &broker.events[i];

		if (a->pos.boot == b->pos.boot)
			assert_int_equal(b->pos.seq, a->pos.seq + 1);
		else
			assert_true(b->pos.boot > a->pos.boot && b->pos.seq == 1);
	}
}
