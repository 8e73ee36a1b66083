// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* control_conn.c - commands about one connection: get, send, disconnect. */
#include "plugin/control.h"

#include "protocol/clock.h"
#include "protocol/topics.h"

#include <stdlib.h>
#include <string.h>

#define SEND_PAYLOAD_MAX (256u * 1024)
#define MESSAGE_TEXT_MAX 500

/* ---- getConnection ---- */

static void write_session(void *arg, const struct session *s)
{
	struct jwrite *w = arg;

	if (s->state != SESSION_LIVE && s->state != SESSION_CLOSING)
		return;
	jwrite_object(w, NULL);
	jwrite_str(w, "client_id", s->client_id);
	jwrite_i64(w, "generation", s->generation);
	jwrite_str(w, "transport", s->websockets ? "websockets" : "tcp");
	jwrite_str(w, "address", s->address);
	jwrite_str(w, "protocol_version",
		   s->version == 5   ? "5"
		   : s->version == 4 ? "3.1.1"
				     : "3.1");
	jwrite_i64(w, "keepalive", s->keepalive);
	jwrite_time(w, "connected_at", s->connected_ms);
	jwrite_time(w, "last_message_at", s->last_message_ms);
	jwrite_i64(w, "messages_received", s->messages_in);
	jwrite_i64(w, "bytes_received", s->bytes_in);
	jwrite_i64(w, "messages_sent", s->messages_out);
	jwrite_i64(w, "bytes_sent", s->bytes_out);
	jwrite_object_end(w);
}

static void write_reported_state(struct jwrite *w, struct store *store,
				 const struct worker_id *id)
{
	struct reported_state state;

	if (!reported_load(store, id, &state)) {
		jwrite_null(w, "reported_state");
		jwrite_null(w, "reported_at");
		return;
	}
	jwrite_raw(w, "reported_state", state.json.data, state.json.len);
	jwrite_time(w, "reported_at", state.at_ms);
}

static void write_connection(struct control_call *call, const struct presence *p)
{
	struct control *c = call->control;
	struct jwrite *w = call->out;
	bool hibernated;

	jwrite_object(w, "connection");
	jwrite_str(w, "worker_id", p->worker.text);
	jwrite_str(w, "state", presence_state_name(p->state));
	jwrite_bool(w, "connected", p->state == PRESENCE_ONLINE);
	jwrite_i64(w, "session_count", p->sessions);
	jwrite_str(w, "node", c->publish->node);
	jwrite_i64(w, "boot", p->pos.boot);
	jwrite_i64(w, "seq", p->pos.seq);
	jwrite_i64(w, "generation", p->generation);
	presence_write_change(w, p);
	write_reported_state(w, c->store, &p->worker);
	jwrite_array(w, "sessions");
	hibernated = connset_visit(c->conns, &p->worker, write_session, w);
	jwrite_array_end(w);
	jwrite_bool(w, "hibernated", hibernated);
	jwrite_object_end(w);
}

static bool is_known(struct control *c, const struct worker_id *id)
{
	struct dir_entry entry;

	return directory_get(c->directory, id, &entry) && entry.status != DIR_DELETED;
}

enum err_code control_get_connection(struct control_call *call)
{
	struct worker_id id;
	struct presence p;

	if (!control_read_worker(&call->in, &id))
		return call->e->code;
	if (!connset_presence(call->control->conns, &id, &p)) {
		if (!is_known(call->control, &id))
			return err_set(call->e, ERR_WORKER_NOT_FOUND, NULL);
		p = (struct presence){.worker = id, .state = PRESENCE_OFFLINE};
	}
	write_connection(call, &p);
	return ERR_OK;
}

/* ---- send ---- */

struct send_order {
	char topic[TOPIC_MAX];
	const char *payload;
	size_t len;
	const char *target; /* "any", "all" or a client id */
	uint32_t expiry_s;
};

static void read_payload(struct jread *r, struct send_order *order)
{
	struct json_object *value = jread_any(r, "payload");

	if (value == NULL) {
		jread_fail(r, "payload", "is missing");
		return;
	}
	if (json_object_is_type(value, json_type_string)) {
		order->payload = json_object_get_string(value);
		order->len = (size_t)json_object_get_string_len(value);
	} else {
		order->payload = json_object_to_json_string_length(
			value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
			&order->len);
	}
	if (order->payload == NULL || order->len > SEND_PAYLOAD_MAX)
		jread_fail(r, "payload", "has more than %u bytes", SEND_PAYLOAD_MAX);
}

static void read_topic(struct jread *r, const char *root, const struct worker_id *id,
		       struct send_order *order)
{
	const char *name = jread_str(r, "topic", 1, 200);
	enum worker_topic kind;
	struct worker_id same;
	struct buf topic;

	if (name == NULL)
		return;
	buf_init(&topic, TOPIC_MAX - 1);
	buf_printf(&topic, "%s/%s/%s", root, id->text, name);
	if (topic.failed || strpbrk(name, "+#") != NULL ||
	    !topic_match_worker(root, topic.data, &same, &kind) ||
	    !worker_may_subscribe(kind) || kind == WORKER_TOPIC_PRESENCE)
		jread_fail(r, "topic", "a worker does not receive '%.60s'", name);
	else
		memcpy(order->topic, topic.data, topic.len + 1);
	buf_fini(&topic);
}

static void deliver(struct connset *set, struct session *s, const struct send_order *order)
{
	publish_to_session(set->publish, s->client_id, s->websockets, order->topic,
			   order->payload, order->len, s->version == 5 ? order->expiry_s : 0);
	s->messages_out++;
	s->bytes_out += (int64_t)order->len;
}

static struct session *newest_live(const struct conn *conn)
{
	struct session *s, *newest = NULL;

	TAILQ_FOREACH(s, &conn->sessions, of_conn)
	if (s->state == SESSION_LIVE && (newest == NULL || s->generation > newest->generation))
		newest = s;
	return newest;
}

/* Delivers to the live sessions that the target names; how many they were, and the newest. */
static int deliver_to_targets(struct connset *set, struct conn *conn,
			      const struct send_order *order, int64_t *generation)
{
	struct session *s;
	bool all = strcmp(order->target, "all") == 0;
	int n = 0;

	if (strcmp(order->target, "any") == 0) {
		s = newest_live(conn);
		if (s == NULL)
			return 0;
		deliver(set, s, order);
		*generation = s->generation;
		return 1;
	}
	TAILQ_FOREACH(s, &conn->sessions, of_conn)
	{
		if (s->state != SESSION_LIVE ||
		    (!all && strcmp(s->client_id, order->target) != 0))
			continue;
		deliver(set, s, order);
		if (s->generation > *generation)
			*generation = s->generation;
		n++;
	}
	return n;
}

enum err_code control_send(struct control_call *call)
{
	struct control *c = call->control;
	struct send_order order = {0};
	int64_t generation = 0;
	struct worker_id id;
	struct conn *conn;
	int n;

	if (!control_read_worker(&call->in, &id))
		return call->e->code;
	read_topic(&call->in, c->options->topic_root, &id, &order);
	read_payload(&call->in, &order);
	order.target = jread_str_or(&call->in, "target", 1, CLIENT_ID_MAX, "any");
	order.expiry_s = (uint32_t)jread_i64_or(&call->in, "message_expiry", 0, 0, UINT32_MAX);
	if (jread_failed(&call->in))
		return call->e->code;
	conn = connset_find(c->conns, &id);
	n = conn != NULL ? deliver_to_targets(c->conns, conn, &order, &generation) : 0;
	if (n == 0)
		return is_known(c, &id) ? err_set(call->e, ERR_NOT_CONNECTED, NULL)
					: err_set(call->e, ERR_WORKER_NOT_FOUND, NULL);
	jwrite_i64(call->out, "generation", generation);
	jwrite_i64(call->out, "sessions", n);
	return ERR_OK;
}

/* ---- disconnect ---- */

static const struct {
	const char *code;
	enum presence_reason reason;
} close_codes[] = {
	{"KICKED",         REASON_KICKED       },
	{"WORKER_REVOKED", REASON_REVOKED      },
	{"WORKER_DELETED", REASON_DELETED      },
	{"TOKEN_EXPIRED",  REASON_TOKEN_EXPIRED},
};

static bool has_client_id(const struct session *s, const void *client_id)
{
	return strcmp(s->client_id, client_id) == 0;
}

enum err_code control_disconnect(struct control_call *call)
{
	const char *client_id = jread_str_or(&call->in, "client_id", 1, CLIENT_ID_MAX, NULL);
	const char *code = jread_str_or(&call->in, "code", 1, 32, "KICKED");
	const char *message = jread_str_or(&call->in, "message", 0, MESSAGE_TEXT_MAX,
					   "closed by an operator");
	struct worker_id id;
	size_t i = 0;
	int n;

	if (!control_read_worker(&call->in, &id))
		return call->e->code;
	while (i < ARRAY_LEN(close_codes) && strcmp(close_codes[i].code, code) != 0)
		i++;
	if (i == ARRAY_LEN(close_codes)) {
		jread_fail(&call->in, "code", "'%s' is none that is known", code);
		return call->e->code;
	}
	n = conn_close_sessions(call->control->conns, &id, close_codes[i].reason, code, message,
				client_id != NULL ? has_client_id : NULL, client_id);
	if (n == 0)
		return err_set(call->e, ERR_NOT_CONNECTED, NULL);
	jwrite_i64(call->out, "sessions", n);
	return ERR_OK;
}
