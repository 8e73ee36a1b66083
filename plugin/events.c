// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* events.c - from the broker's structs to calls of our own. */
#include "plugin/events.h"

#include "plugin/broker_api.h"
#include "plugin/plugin.h"
#include "plugin/proof.h"
#include "plugin/report.h"
#include "plugin/stats.h"
#include "plugin/wake.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_TICK_US 5000000

/* EVENT_CONNECT's and EVENT_CLIENT_OFFLINE's data begin as the disconnect event's do. */
struct client_event {
	void *future;
	struct mosquitto *client;
	int reason;
};

int on_reload(int event, void *event_data, void *userdata)
{
	struct plugin *p = userdata;

	(void)event;
	(void)event_data;
	/* SIGHUP: every known client is about to be authenticated again. Returning anything but
	 * 0 would end Mosquitto 2.1. */
	p->reloading = true;
	return MOSQ_ERR_SUCCESS;
}

/* The session of a client that an event is about, whose object it wakes. NULL: none of ours. */
static struct session *session_of(struct plugin *p, const struct mosquitto *client)
{
	struct session *s = connset_session(&p->conns, client);

	if (s == NULL && p->conns.hibernation.read_failures > 0)
		s = connset_rescue(&p->conns, client, mosquitto_client_username(client));
	return s;
}

/* ---- login ---- */

static void read_login(const struct mosquitto_evt_basic_auth *ev, struct login *out)
{
	const char *address = mosquitto_client_address(ev->client);

	/* 2.0.11 writes the IPv4 peer of a WebSocket as an IPv4-mapped IPv6 address. */
	if (address != NULL && strncmp(address, "::ffff:", 7) == 0)
		address += 7;
	*out = (struct login){.client = ev->client,
			      .client_id = mosquitto_client_id(ev->client),
			      .username = ev->username,
			      .password = ev->password,
			      .address = address != NULL ? address : "",
			      .websockets =
				      mosquitto_client_protocol(ev->client) == mp_websockets,
			      .clean = mosquitto_client_clean_session(ev->client),
			      .version = mosquitto_client_protocol_version(ev->client),
			      .keepalive = mosquitto_client_keepalive(ev->client)};
}

static void check_ticks(struct plugin *p)
{
	if (p->conns.turn > 0 || p->said_no_tick ||
	    clock_mono_us() - p->started_us < NO_TICK_US)
		return;
	p->said_no_tick = true;
	log_error("plugin", "the broker raises no tick events, so nothing can work: Mosquitto "
			    "2.0.11 does so under per_listener_settings true; set it to false");
}

static bool has_its_token(const struct session *s, const struct login *login)
{
	struct token_hash hash;

	if (login->password == NULL)
		return false;
	token_hash(login->password, strlen(login->password), &hash);
	return token_hash_equal(&hash, &s->token);
}

/* SIGHUP authenticates again whoever has a session. True if that is what this login is; *rc is
 * then its answer. A plugin that comes before us may have kept the reload from us (2.0), so a
 * session that shows its own token once more is taken for one too. */
static bool is_reauthentication(struct plugin *p, const struct login *login, int *rc)
{
	const struct session *s;

	s = session_of(p, login->client);
	if (p->reloading && connset_kicked(&p->conns, login->client)) {
		*rc = MOSQ_ERR_AUTH;
		return true;
	}
	if (s != NULL && s->state == SESSION_LOST && p->reloading) {
		*rc = MOSQ_ERR_AUTH;
		return true;
	}
	if (s != NULL && login->client_id != NULL &&
	    strcmp(s->client_id, login->client_id) == 0 &&
	    (p->reloading || (s->state != SESSION_ENDED && has_its_token(s, login)))) {
		*rc = s->state == SESSION_CLOSING ? MOSQ_ERR_AUTH : MOSQ_ERR_SUCCESS;
		return true;
	}
	if (!p->reloading)
		return false;
	/* A client that we do not know in the turn of a reload: not a new login, for every
	 * version reads its sockets before it reloads, and ends the turn before it reads them
	 * again. It is a session that outlived its connection (MQTT 5 session expiry, or a will
	 * that is delayed). It has nothing to gain: without a session of ours it is denied
	 * everything. And it is not refused, since 2.0 would put it into its list of expiring
	 * sessions a second time, or leave it in the one of delayed wills, free it once and go
	 * on reading it. WebSockets alone are read after the reload by 2.0, so there it is a
	 * login like any other; one that outlived its connection is called TCP by 2.0. */
	*rc = MOSQ_ERR_SUCCESS;
	return s == NULL && (!login->websockets || p->conns.has_connect_event);
}

/* Counts and tells a refusal. Past the limit of an address's failures they are all the same. */
static int finish_login(struct plugin *p, const struct login *login, enum refusal refusal,
			const char *worker)
{
	if (refusal_of_stranger(refusal) &&
	    limits_failure(&p->limits, login->address, clock_mono_us())) {
		stats_label(STAT_LIMITED, LIMIT_AUTH_FAILURES, 1);
		refusal = REFUSED_RATE_LIMITED;
	}
	stats_label(STAT_CONNECTS, refusal, 1);
	if (refusal == ADMITTED) {
		p->logins++;
		return MOSQ_ERR_SUCCESS;
	}
	audit_refused(&p->audit, refusal, worker, login->client_id, login->address);
	return MOSQ_ERR_AUTH;
}

/* Who comes with a token that is right is let in, whatever others do; what may be refused is
 * that it comes too often itself. */
static int login_worker(struct plugin *p, const struct login *login)
{
	struct dir_token token;
	struct worker_id id;
	struct err e = {0};
	enum refusal refusal;
	int rc;

	if (is_reauthentication(p, login, &rc))
		return rc;
	check_ticks(p);
	refusal = admit_worker(&p->directory, &p->conns, login, &id, &token);
	if (refusal == ADMITTED && session_admit(&p->conns, &id, login, &token, &e) != ERR_OK) {
		if (e.code != ERR_RATE_LIMITED) {
			log_error("admit", "worker=%s %s", id.text, e.msg);
			return MOSQ_ERR_AUTH;
		}
		stats_label(STAT_LIMITED, LIMIT_CONNECTS, 1);
		refusal = REFUSED_RATE_LIMITED;
	}
	return finish_login(p, login, refusal, id.text);
}

int on_basic_auth(int event, void *event_data, void *userdata)
{
	const struct mosquitto_evt_basic_auth *ev = event_data;
	struct plugin *p = userdata;
	struct worker_id id;
	struct login login;
	bool control;

	(void)event;
	wake_event();
	read_login(ev, &login);
	control =
		login.username != NULL && options_is_control_user(&p->options, login.username);
	if (!control && login.username != NULL && directory_owns(&p->directory, login.username))
		return login_worker(p, &login);
	session_reused(&p->conns, login.client);
	/* Somebody else. The broker throws out whoever has the client id, so nobody may come
	 * with a worker's. */
	if (admit_is_worker_client_id(&p->directory, login.client_id, &id)) {
		return finish_login(p, &login, REFUSED_CLIENT_ID_REFUSED, id.text);
	}
	if (control)
		control_client_add(&p->control, ev->client);
	return MOSQ_ERR_PLUGIN_DEFER;
}

/* ---- access ---- */

static int to_mosq(enum access access)
{
	switch (access) {
	case ACCESS_ALLOW:
		return MOSQ_ERR_SUCCESS;
	case ACCESS_DENY:
		return MOSQ_ERR_ACL_DENIED;
	case ACCESS_DEFER:
		break;
	}
	return MOSQ_ERR_PLUGIN_DEFER;
}

static bool to_op(int access, enum access_op *op)
{
	switch (access) {
	case MOSQ_ACL_READ:
		*op = ACCESS_READ;
		return true;
	case MOSQ_ACL_WRITE:
		*op = ACCESS_WRITE;
		return true;
	case MOSQ_ACL_SUBSCRIBE:
		*op = ACCESS_SUBSCRIBE;
		return true;
	case MOSQ_ACL_UNSUBSCRIBE:
		*op = ACCESS_UNSUBSCRIBE;
		return true;
	default:
		return false;
	}
}

/* What the topic is to the session's worker; WORKER_TOPIC_OTHER if it is another's, or none. */
static enum worker_topic kind_of(const struct plugin *p, const struct session *s,
				 const char *topic)
{
	enum worker_topic kind;

	return topic_match_own(p->options.topic_root, topic, &s->conn->id, &kind)
		       ? kind
		       : WORKER_TOPIC_OTHER;
}

static enum access_phase phase_of(const struct session *s)
{
	switch (s->state) {
	case SESSION_PENDING:
	case SESSION_LIVE:
		return PHASE_LIVE;
	case SESSION_ENDED:
		return PHASE_ENDED;
	case SESSION_LOST:
	case SESSION_CLOSING:
		break;
	}
	return PHASE_NONE;
}

static void count_message(struct session *s, enum access_op op, uint32_t len)
{
	if (op == ACCESS_WRITE) {
		s->messages_in++;
		s->bytes_in += len;
		stats_add(STAT_MESSAGES_RECEIVED, 1);
		stats_add(STAT_BYTES_RECEIVED, len);
		s->last_message_ms = clock_unix_ms();
	} else if (op == ACCESS_READ) {
		s->messages_out++;
		s->bytes_out += len;
		stats_add(STAT_MESSAGES_SENT, 1);
		stats_add(STAT_BYTES_SENT, len);
	}
}

/* A write that passes: a will, or a message; and whether its payload may pass. */
static enum access check_write(struct plugin *p, struct session *s,
			       const struct mosquitto_evt_acl_check *ev, enum worker_topic kind)
{
	char detail[PRESENCE_DETAIL_MAX + 1];
	bool has_detail;

	if (kind == WORKER_TOPIC_WILL) {
		has_detail = report_will_reason(ev->payload, ev->payloadlen, detail);
		session_will(&p->conns, s, has_detail ? detail : NULL);
	} else if (kind == WORKER_TOPIC_STATE && ev->payloadlen > REPORTED_MAX_BYTES) {
		stats_label(STAT_DENIED, DENY_TOO_LARGE, 1);
		return ACCESS_DENY;
	}
	if (s->state == SESSION_LIVE && !session_may_publish(&p->conns, s)) {
		stats_label(STAT_DENIED, DENY_RATE, 1);
		return ACCESS_DENY;
	}
	return ACCESS_ALLOW;
}

static void count_denied(enum access_phase phase, const struct access_request *rq)
{
	enum deny_rule rule = phase != PHASE_LIVE          ? DENY_NO_SESSION
			      : rq->op == ACCESS_SUBSCRIBE ? DENY_SUBSCRIBE
			      : rq->op == ACCESS_READ      ? DENY_READ
			      : rq->retain                 ? DENY_RETAIN
							   : DENY_PUBLISH;

	stats_label(STAT_DENIED, rule, 1);
}

static enum access check_session_access(struct plugin *p, struct session *s,
					const struct mosquitto_evt_acl_check *ev,
					const struct access_request *rq)
{
	enum worker_topic kind;
	enum access access;

	/* On 2.0, that it may ask proves that it was accepted; but a will may also be that of a
	 * client that the broker refused. */
	if (!p->conns.has_connect_event && s->state == SESSION_PENDING &&
	    !(rq->op == ACCESS_WRITE && kind_of(p, s, ev->topic) == WORKER_TOPIC_WILL))
		session_accept(&p->conns, s);
	access = access_worker(&p->rules, &s->conn->id, phase_of(s), rq, &kind);
	if (access == ACCESS_DENY)
		count_denied(phase_of(s), rq);
	/* After the end a write can only be the will: a loss, whatever becomes of the message.
	 */
	if (s->state == SESSION_ENDED && rq->op == ACCESS_WRITE)
		session_will(&p->conns, s, NULL);
	if (access == ACCESS_ALLOW && rq->op == ACCESS_WRITE)
		access = check_write(p, s, ev, kind);
	if (access == ACCESS_ALLOW)
		count_message(s, rq->op, ev->payloadlen);
	return access;
}

/* A client with a worker's name and no session of ours: its will, delayed beyond its end; a
 * session that outlived its connection; or the broker asking on behalf of a retained message's
 * author (check_retain_source), with a pointer to nothing. */
static enum access check_absent_worker(struct plugin *p, const char *username,
				       const struct mosquitto_evt_acl_check *ev,
				       const struct access_request *rq)
{
	char detail[PRESENCE_DETAIL_MAX + 1];
	struct worker_id id;
	enum worker_topic kind;
	enum access access;

	if (!worker_id_parse(username, strlen(username), &id))
		return ACCESS_DENY;
	access = access_worker(&p->rules, &id, PHASE_ENDED, rq, &kind);
	if (access == ACCESS_ALLOW && report_will_reason(ev->payload, ev->payloadlen, detail))
		conn_late_will(&p->conns, &id, detail);
	else if (access == ACCESS_ALLOW)
		conn_late_will(&p->conns, &id, NULL);
	if (rq->op == ACCESS_WRITE && rq->retain && p->options.app_retain)
		access = access_worker(&p->rules, &id, PHASE_LIVE, rq, &kind);
	return access;
}

/* What a client gets in batches is not delivered to it one by one. That it subscribes to
 * `workers/+/metrics` all the same keeps MQTT 5 from telling workers that nobody listens. */
static enum access check_control_access(struct plugin *p, const void *client,
					const struct access_request *rq)
{
	enum worker_topic kind;
	struct worker_id id;

	if (rq->op == ACCESS_SUBSCRIBE)
		control_client_subscribes(&p->control, client, rq->topic);
	else if (rq->op == ACCESS_READ && control_client_takes_batches(&p->control, client) &&
		 topic_match_worker(p->options.topic_root, rq->topic, &id, &kind) &&
		 kind == WORKER_TOPIC_METRICS)
		return ACCESS_DENY;
	return access_control(&p->rules, rq);
}

int on_acl_check(int event, void *event_data, void *userdata)
{
	const struct mosquitto_evt_acl_check *ev = event_data;
	struct access_request rq = {.topic = ev->topic, .retain = ev->retain};
	struct plugin *p = userdata;
	struct session *s;
	const char *username;
	enum access access;

	(void)event;
	wake_event();
	if (!to_op(ev->access, &rq.op))
		return MOSQ_ERR_PLUGIN_DEFER;
	if (rq.op == ACCESS_SUBSCRIBE)
		publish_subscribed(&p->publish, rq.topic);
	s = session_of(p, ev->client);
	if (s != NULL) {
		session_found(&p->conns, s, mosquitto_client_id(ev->client));
		return to_mosq(check_session_access(p, s, ev, &rq));
	}
	username = mosquitto_client_username(ev->client);
	if (username != NULL && options_is_control_user(&p->options, username) &&
	    control_client_known(&p->control, ev->client))
		return to_mosq(check_control_access(p, ev->client, &rq));
	if (username != NULL && directory_owns(&p->directory, username))
		return to_mosq(check_absent_worker(p, username, ev, &rq));
	access = access_other(&p->rules, &rq);
	if (access == ACCESS_DENY)
		stats_label(STAT_DENIED, DENY_FOREIGN, 1);
	return to_mosq(access);
}

/* ---- messages ---- */

/* An acknowledgement counts from here on, whether or not a bridge hears it. */
static void take_token_ack(struct plugin *p, struct session *s,
			   const struct mosquitto_evt_message *ev)
{
	const struct dir_token *token;
	struct dir_entry entry;

	if (!directory_get(&p->directory, &s->conn->id, &entry))
		return;
	token = proof_acknowledged(&entry, ev->payload, ev->payloadlen);
	if (token != NULL)
		session_took_token(&p->conns, s, token);
}

static void take_state(struct plugin *p, const struct session *s,
		       const struct mosquitto_evt_message *ev)
{
	struct err e = {0};

	if (report_state(p->store, &s->conn->id, ev->payload, ev->payloadlen, &e) == ERR_OK)
		return;
	stats_add(STAT_STATES_DROPPED, 1);
	log_debug("report", "worker=%s state left out: %s", s->conn->id.text, e.msg);
}

int on_message(int event, void *event_data, void *userdata)
{
	const struct mosquitto_evt_message *ev = event_data;
	struct plugin *p = userdata;
	struct session *s = session_of(p, ev->client);
	enum worker_topic kind;

	(void)event;
	wake_event();
	if (s == NULL || ev->topic == NULL)
		return MOSQ_ERR_SUCCESS;
	kind = kind_of(p, s, ev->topic);
	/* A will raises no message event: what looked like one was a message of a live client.
	 */
	if (kind == WORKER_TOPIC_WILL)
		session_not_will(s);
	else if (kind == WORKER_TOPIC_METRICS && control_batches_wanted(&p->control))
		gather_add(&p->gather, &s->conn->id, ev->payload, ev->payloadlen);
	else if (kind == WORKER_TOPIC_TOKEN_ACK)
		take_token_ack(p, s, ev);
	else if (kind == WORKER_TOPIC_STATE)
		take_state(p, s, ev);
	return MOSQ_ERR_SUCCESS;
}

/* What MQTT 5 says about where the answer goes. */
static void read_answer_properties(const mosquitto_property *props, struct control_route *out)
{
	char *topic = NULL;
	void *correlation = NULL;
	uint16_t len = 0;

	mosquitto_property_read_string(props, MQTT_PROP_RESPONSE_TOPIC, &topic, false);
	mosquitto_property_read_binary(props, MQTT_PROP_CORRELATION_DATA, &correlation, &len,
				       false);
	if (topic != NULL && strlen(topic) < sizeof(out->topic))
		memcpy(out->topic, topic, strlen(topic) + 1);
	else if (topic != NULL)
		log_warn("control", "client=%s response topic too long: not used",
			 out->client_id);
	if (correlation != NULL && len <= sizeof(out->correlation)) {
		memcpy(out->correlation, correlation, len);
		out->correlation_len = len;
	} else if (correlation != NULL) {
		log_warn("control", "client=%s correlation data too long: not returned",
			 out->client_id);
	}
	free(topic);
	free(correlation);
}

/* False if the client cannot be answered. */
static bool read_route(const struct mosquitto_evt_control *ev, struct control_route *out)
{
	const char *client_id = mosquitto_client_id(ev->client);

	*out = (struct control_route){.qos = ev->qos > 0};
	if (client_id == NULL || strlen(client_id) >= sizeof(out->client_id))
		return false;
	memcpy(out->client_id, client_id, strlen(client_id) + 1);
	memcpy(out->topic, TOPIC_CONTROL_RESPONSE, sizeof(TOPIC_CONTROL_RESPONSE));
	if (ev->properties != NULL)
		read_answer_properties(ev->properties, out);
	return true;
}

int on_control(int event, void *event_data, void *userdata)
{
	const struct mosquitto_evt_control *ev = event_data;
	struct plugin *p = userdata;
	const char *username = mosquitto_client_username(ev->client);
	struct control_route route;

	(void)event;
	wake_event();
	/* Always 0: any other answer disconnects the client. */
	if (!control_client_known(&p->control, ev->client) || username == NULL ||
	    !options_is_control_user(&p->options, username)) {
		/* Not louder: any client of a listener without the plugin can cause it on 2.1.
		 */
		log_debug("control", "a client that is not one of control_users was ignored");
		return MOSQ_ERR_SUCCESS;
	}
	if (read_route(ev, &route))
		control_message(&p->control, ev->client, &route, ev->payload, ev->payloadlen);
	else
		log_warn("control", "a client whose id is too long to be answered was ignored");
	return MOSQ_ERR_SUCCESS;
}

/* ---- the connection's life ---- */

int on_connect(int event, void *event_data, void *userdata)
{
	const struct client_event *ev = event_data;
	struct plugin *p = userdata;
	struct session *s = session_of(p, ev->client);

	(void)event;
	wake_event();
	if (s != NULL)
		session_accept(&p->conns, s);
	return MOSQ_ERR_SUCCESS;
}

static enum end_cause cause_of(int reason)
{
	switch (reason) {
	case -1: /* 2.0, always */
		return END_UNKNOWN;
	case MOSQ_ERR_SUCCESS:
		return END_GOODBYE;
	case MOSQ_ERR_KEEPALIVE:
		return END_KEEPALIVE;
	case MOSQ_ERR_PROTOCOL:
	case MOSQ_ERR_MALFORMED_PACKET:
	case MOSQ_ERR_MALFORMED_UTF8:
	case MOSQ_ERR_OVERSIZE_PACKET:
	case MOSQ_ERR_PAYLOAD_SIZE:
		return END_PROTOCOL;
	case MOSQ_ERR_AUTH:
	case MQTT_RC_ADMINISTRATIVE_ACTION:
		return END_KICKED;
	default:
		return END_LOST;
	}
}

int on_disconnect(int event, void *event_data, void *userdata)
{
	const struct client_event *ev = event_data;
	struct plugin *p = userdata;
	struct session *s = session_of(p, ev->client);

	(void)event;
	wake_event();
	/* Unknown pointers are failed logins, repeated or late events, and other users. */
	if (s != NULL)
		session_end(&p->conns, s, cause_of(ev->reason));
	connset_gone(&p->conns, ev->client);
	control_client_remove(&p->control, ev->client);
	return MOSQ_ERR_SUCCESS;
}

int on_tick(int event, void *event_data, void *userdata)
{
	(void)event;
	(void)event_data;
	plugin_tick(userdata);
	return MOSQ_ERR_SUCCESS;
}
