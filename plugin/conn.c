// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* conn.c - how a connection object moves: sessions come and go, and each change that matters is
 * told as one event with the next seq. What must not depend on the order in which a broker
 * version raises its events is decided here; see docs/connection-object.md. */
#include "plugin/conn.h"

#include "plugin/proof.h"
#include "plugin/stats.h"
#include "protocol/clock.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GENERATION_BLOCK 32 /* generations reserved at a time */

/* ---- the object's states ---- */

static const unsigned char moves[PRESENCE_UNKNOWN] = {
	/* a repeated state tells a finer reason, or another number of sessions */
	[PRESENCE_OFFLINE] = 1u << PRESENCE_OFFLINE | 1u << PRESENCE_ONLINE,
	[PRESENCE_RECONNECTING] =
		1u << PRESENCE_OFFLINE | 1u << PRESENCE_RECONNECTING | 1u << PRESENCE_ONLINE,
	[PRESENCE_ONLINE] =
		1u << PRESENCE_OFFLINE | 1u << PRESENCE_RECONNECTING | 1u << PRESENCE_ONLINE,
};

/* Keeps the list of those in their grace period, which runs from the loss: a reason that is
 * told more finely later does not start it anew. All periods are equally long, so the end of
 * the list is due last. */
static void follow_grace(struct connset *set, struct conn *conn, enum presence_state from,
			 enum presence_state to)
{
	if (from == to)
		return;
	if (from == PRESENCE_RECONNECTING)
		TAILQ_REMOVE(&set->grace, conn, of_grace);
	if (to == PRESENCE_RECONNECTING) {
		conn->grace_until_us =
			clock_mono_us() + set->options->reconnect_grace_ms * 1000;
		TAILQ_INSERT_TAIL(&set->grace, conn, of_grace);
	}
}

static void save(struct connset *set, struct conn *conn)
{
	struct object object = {.generation = conn->generation, .reserved = conn->reserved};
	struct err e;

	conn_presence(conn, &object.last);
	conn->unsaved = object_save(set->store, &object, &e) != ERR_OK;
	if (!conn->unsaved)
		return;
	stats_add(STAT_OBJECTS_NOT_STORED, 1);
	log_error("conn", "worker=%s not stored: %s", conn->id.text, e.msg);
}

/* An object of an earlier life is not counted: its sessions are none of ours. */
static void count_move(const struct connset *set, const struct conn_event *before,
		       enum presence_state to, enum presence_reason reason)
{
	stats_label(STAT_PRESENCE_EVENTS, to, 1);
	if (before->pos.boot == set->publish->boot)
		stats_label(STAT_WORKERS, before->state, -1);
	stats_label(STAT_WORKERS, to, 1);
	if (before->state == PRESENCE_ONLINE && to != PRESENCE_ONLINE)
		stats_label(STAT_DISCONNECTS, reason, 1);
}

void conn_presence(const struct conn *conn, struct presence *out)
{
	const struct conn_event *last = &conn->last;

	*out = (struct presence){.worker = conn->id,
				 .state = last->state,
				 .reason = last->reason,
				 .sessions = last->sessions,
				 .pos = last->pos,
				 .generation = last->generation,
				 .at_ms = last->at_ms,
				 .connected_since_ms = last->connected_since_ms,
				 .disconnected_since_ms = last->disconnected_since_ms};
	if (conn->detail != NULL)
		snprintf(out->detail, sizeof(out->detail), "%s", conn->detail);
}

/* `detail` may be the present one. */
static void set_detail(struct conn *conn, const char *detail)
{
	char *copy = detail != NULL && detail[0] != '\0' ? strndup(detail, PRESENCE_DETAIL_MAX)
							 : NULL;

	free(conn->detail);
	conn->detail = copy;
}

bool conn_move(struct connset *set, struct conn *conn, enum presence_state to,
	       enum presence_reason reason, const char *detail)
{
	struct conn_event *p = &conn->last;
	enum presence_state from = p->state;
	struct presence event;

	if (!(moves[from] & 1u << to)) {
		log_error("conn", "worker=%s cannot go from %s to %s", conn->id.text,
			  presence_state_name(from), presence_state_name(to));
		return false;
	}
	follow_grace(set, conn, from, to);
	count_move(set, p, to, reason);
	conn_presence(conn, &event);
	digest_remove(&set->publish->digest, &event);
	p->at_ms = clock_unix_ms();
	p->state = to;
	p->reason = reason;
	set_detail(conn, detail);
	p->sessions = conn->live;
	if (to == PRESENCE_ONLINE) {
		/* Ends tell the generation of what ended: after a restart the counter is ahead.
		 */
		p->generation = conn->generation;
		if (from != PRESENCE_ONLINE)
			p->connected_since_ms = p->at_ms;
		p->disconnected_since_ms = 0;
	} else if (from == PRESENCE_ONLINE) {
		p->connected_since_ms = 0;
		p->disconnected_since_ms =
			conn->unsettled != NULL ? conn->unsettled->ended_ms : p->at_ms;
	}
	p->pos = (struct presence_pos){set->publish->boot, publish_next_seq(set->publish)};
	save(set, conn);
	conn_presence(conn, &event);
	digest_add(&set->publish->digest, &event);
	publish_presence(set->publish, &event);
	return true;
}

static int64_t next_generation(struct conn *conn)
{
	if (++conn->generation > conn->reserved)
		conn->reserved = conn->generation + GENERATION_BLOCK;
	return conn->generation;
}

/* ---- begin ---- */

static struct session *session_new(struct connset *set, struct conn *conn,
				   const struct login *login, const struct dir_token *token)
{
	struct session *s = connset_new_session(set, conn, login->client);

	if (s == NULL)
		return NULL;
	s->websockets = login->websockets;
	s->version = login->version;
	s->keepalive = login->keepalive;
	s->token = s->held = token->hash;
	s->proves = token->role == TOKEN_PENDING;
	s->connected_ms = clock_unix_ms();
	snprintf(s->client_id, sizeof(s->client_id), "%s", login->client_id);
	snprintf(s->address, sizeof(s->address), "%s", login->address);
	TAILQ_INSERT_HEAD(&conn->sessions, s, of_conn);
	TAILQ_INSERT_TAIL(&set->pending, s, of_list);
	return s;
}

void session_reused(struct connset *set, const void *client)
{
	struct session *stale = connset_session(set, client);

	if (stale == NULL)
		return;
	session_end(set, stale, END_LOST);
	conn_settle(set, stale->conn);
	session_free(set, stale);
}

enum err_code session_admit(struct connset *set, const struct worker_id *id,
			    const struct login *login, const struct dir_token *token,
			    struct err *e)
{
	struct session *s;
	struct conn *conn;

	session_reused(set, login->client);
	conn = connset_load(set, id);
	if (conn == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	s = session_new(set, conn, login, token);
	connset_may_idle(set, conn); /* what ended earlier in this turn may have made it idle */
	if (s == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (!expiry_set(&set->expiries, &s->stub->expiry, token->expires_ms)) {
		session_end(set, s, END_UNKNOWN);
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	return ERR_OK;
}

/* The newest PENDING session with the client id of `s`: it takes s over. */
static struct session *heir_of(const struct session *s)
{
	struct session *other;

	TAILQ_FOREACH(other, &s->conn->sessions, of_conn)
	if (other != s && other->state == SESSION_PENDING &&
	    strcmp(other->client_id, s->client_id) == 0)
		return other;
	return NULL;
}

/* Takes a session that is over out of its lists; it stays findable by its client pointer. */
static void move_to_ended(struct connset *set, struct session *s)
{
	expiry_remove(&set->expiries, &s->stub->expiry);
	if (s->state == SESSION_PENDING)
		TAILQ_REMOVE(&set->pending, s, of_list);
	else if (s->state == SESSION_CLOSING)
		TAILQ_REMOVE(&set->closing, s, of_list);
	if (s->state != SESSION_PENDING) {
		s->conn->live--;
		stats_label(STAT_SESSIONS, s->websockets, -1);
	}
	TAILQ_REMOVE(&s->conn->sessions, s, of_conn);
	TAILQ_INSERT_TAIL(&set->ended, s, of_list);
	s->state = SESSION_ENDED;
	s->ended_ms = clock_unix_ms();
}

/* A broker has one client of an id: what logged in before `s`, which it has accepted, is over,
 * and its end is no news whenever it is told (by a WebSocket on 2.0 seconds later). */
static void end_elders(struct connset *set, const struct session *s)
{
	struct session *elder, *next;

	for (elder = TAILQ_NEXT(s, of_conn); elder != NULL; elder = next) {
		next = TAILQ_NEXT(elder, of_conn);
		if (strcmp(elder->client_id, s->client_id) == 0)
			move_to_ended(set, elder);
	}
}

void session_accept(struct connset *set, struct session *s)
{
	struct conn *conn = s->conn;

	if (s->state != SESSION_PENDING)
		return;
	publish_cause(set->publish);
	end_elders(set, s);
	if (conn->unsettled != NULL && strcmp(conn->unsettled->client_id, s->client_id) != 0)
		conn_settle(set, conn);
	conn->unsettled = NULL;
	conn->forget =
		false; /* it was deleted and put again before its last session was gone */
	TAILQ_REMOVE(&set->pending, s, of_list);
	s->state = SESSION_LIVE;
	s->generation = next_generation(conn);
	conn->live++;
	stats_label(STAT_SESSIONS, s->websockets, 1);
	conn_move(set, conn, PRESENCE_ONLINE, REASON_NONE, NULL);
	if (s->proves)
		proof_note(set->store, set->publish, &conn->id, &s->token, PROOF_LOGIN);
	log_debug("conn", "worker=%s client=%s online, generation %lld", conn->id.text,
		  s->client_id, (long long)s->generation);
}

/* ---- end ---- */

static enum presence_reason reason_of(const struct session *s)
{
	if (s->close_reason != REASON_NONE)
		return s->close_reason;
	switch (s->cause) {
	case END_KEEPALIVE:
		return REASON_KEEPALIVE_TIMEOUT;
	case END_PROTOCOL:
		return REASON_PROTOCOL_ERROR;
	case END_LOST:
		return REASON_CONNECTION_LOST;
	case END_KICKED:
		return REASON_KICKED;
	case END_GOODBYE:
		return s->will_seen ? REASON_CONNECTION_LOST : REASON_CLIENT_DISCONNECT;
	case END_UNKNOWN:
		break;
	}
	/* 2.0 gives no reason: a will proves the loss, and without one it cannot be told. */
	return s->will_seen ? REASON_CONNECTION_LOST : REASON_CONNECTION_CLOSED;
}

/* Ends that no quick return is expected after: the client or somebody in charge meant them. */
static bool was_meant(enum presence_reason reason)
{
	return reason == REASON_CLIENT_DISCONNECT || reason == REASON_KICKED ||
	       reason == REASON_REVOKED || reason == REASON_DELETED ||
	       reason == REASON_TOKEN_EXPIRED;
}

static void forget_now(struct connset *set, struct conn *conn)
{
	struct err e;

	if (object_forget(set->store, &conn->id, &e) != ERR_OK)
		log_error("conn", "worker=%s not forgotten: %s", conn->id.text, e.msg);
	publish_forget(set->publish, &conn->id);
}

void conn_settle(struct connset *set, struct conn *conn)
{
	const struct session *s = conn->unsettled;
	enum presence_reason reason;
	bool grace;

	if (s == NULL)
		return;
	reason = conn->forget ? REASON_DELETED : reason_of(s);
	grace = !was_meant(reason) && set->options->reconnect_grace_ms > 0;
	conn_move(set, conn, grace ? PRESENCE_RECONNECTING : PRESENCE_OFFLINE, reason,
		  s->detail);
	conn->unsettled = NULL;
	if (conn->forget)
		forget_now(set, conn);
	connset_may_idle(set, conn);
}

void session_end(struct connset *set, struct session *s, enum end_cause cause)
{
	struct conn *conn = s->conn;
	bool was_pending = s->state == SESSION_PENDING;
	struct session *heir;

	if (s->state == SESSION_ENDED)
		return;
	if (s->will_turn != set->turn)
		session_not_will(s); /* a message on the will topic, some turns ago */
	publish_cause(set->publish);
	s->cause = cause;
	heir = was_pending ? NULL : heir_of(s);
	move_to_ended(set, s);
	if (conn->live > 0) {
		if (heir == NULL && conn->last.sessions != conn->live)
			conn_move(set, conn, PRESENCE_ONLINE, REASON_NONE, NULL);
	} else if (!was_pending) {
		conn->unsettled = s;
	}
	/* 2.0 raises no connect event, but that it closed the elder proves that it accepted the
	 * heir. */
	if (heir != NULL && !set->has_connect_event)
		session_accept(set, heir);
	connset_may_idle(set, conn);
}

void session_will(struct connset *set, struct session *s, const char *detail)
{
	if (s->will_seen && s->will_turn == set->turn && detail == NULL)
		return;
	free(s->detail);
	s->detail = detail != NULL ? strndup(detail, PRESENCE_DETAIL_MAX) : NULL;
	s->will_seen = true;
	s->will_turn = set->turn;
}

void session_not_will(struct session *s)
{
	if (s->state == SESSION_ENDED)
		return;
	s->will_seen = false;
	free(s->detail);
	s->detail = NULL;
}

void conn_late_will(struct connset *set, const struct worker_id *id, const char *detail)
{
	struct conn *conn;
	struct object object;
	enum presence_reason reason;

	/* Only a loss that nobody could name yet, or named without words, gets finer. */
	if (!object_load(set->store, id, &object) || object.last.state == PRESENCE_ONLINE ||
	    (object.last.reason != REASON_CONNECTION_CLOSED &&
	     object.last.reason != REASON_CONNECTION_LOST &&
	     object.last.reason != REASON_KEEPALIVE_TIMEOUT) ||
	    object.last.pos.boot != set->publish->boot)
		return;
	reason = object.last.reason == REASON_CONNECTION_CLOSED ? REASON_CONNECTION_LOST
								: object.last.reason;
	conn = connset_load(set, id);
	if (conn == NULL || conn->unsettled != NULL)
		return;
	conn_move(set, conn, conn->last.state, reason, detail);
	connset_may_idle(set, conn);
}

/* ---- we end it ---- */

static void send_notice(struct connset *set, const struct session *s, const char *code,
			const char *message)
{
	char topic[TOPIC_MAX];
	struct buf payload;
	struct jwrite w;

	buf_init(&payload, 2048);
	jwrite_begin(&w, &payload);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "code", code);
	jwrite_str(&w, "message", message);
	jwrite_object_end(&w);
	topic_of_worker(set->options->topic_root, &s->conn->id, WORKER_TOPIC_NOTICE, topic);
	if (!payload.failed)
		publish_to_session(set->publish, s->client_id, s->websockets, topic,
				   payload.data, payload.len, 0);
	buf_fini(&payload);
}

void session_close(struct connset *set, struct session *s, enum presence_reason reason,
		   const char *code, const char *message)
{
	if (s->state != SESSION_PENDING && s->state != SESSION_LIVE)
		return;
	if (s->state == SESSION_PENDING)
		session_accept(set,
			       s); /* it may be connected: it is told, and ends like others */
	stats_add(STAT_NOTICES, 1);
	send_notice(set, s, code, message);
	expiry_remove(&set->expiries, &s->stub->expiry);
	s->state = SESSION_CLOSING;
	s->close_reason = reason;
	s->turns = 0;
	TAILQ_INSERT_TAIL(&set->closing, s, of_list);
	log_info("conn", "worker=%s client=%s closing: %s", s->conn->id.text, s->client_id,
		 code);
}

int conn_close_sessions(struct connset *set, const struct worker_id *id,
			enum presence_reason reason, const char *code, const char *message,
			session_pick_f which, const void *arg)
{
	struct conn *conn = connset_find(set, id);
	struct session *s;
	int n = 0;

	if (conn == NULL)
		return 0;
	/* The session itself stays in the list; one that it takes over may leave it. */
	TAILQ_FOREACH(s, &conn->sessions, of_conn)
	{
		if (s->state == SESSION_CLOSING || (which != NULL && !which(s, arg)))
			continue;
		session_close(set, s, reason, code, message);
		n++;
	}
	return n;
}

static const struct dir_token *token_of_role(const struct dir_entry *entry,
					     enum token_role role)
{
	for (int i = 0; i < entry->tokens_len; i++)
		if (entry->tokens[i].role == role)
			return &entry->tokens[i];
	return NULL;
}

static bool had_role(const struct dir_entry *entry, const struct dir_token *token,
		     enum token_role role)
{
	const struct dir_token *known = dir_entry_token(entry, &token->hash);

	return known != NULL && known->role == role;
}

/* The token that this one, the session's, has been renewed by with this change; NULL: it was
 * not. One that was `previous` before was so when the session began, and a new token that was
 * never pending did not come by a renewal. */
static const struct dir_token *renewed_by(const struct dir_entry *before,
					  const struct dir_entry *entry,
					  const struct dir_token *token)
{
	const struct dir_token *current = token_of_role(entry, TOKEN_CURRENT);

	return token->role == TOKEN_PREVIOUS && !had_role(before, token, TOKEN_PREVIOUS) &&
			       current != NULL && had_role(before, current, TOKEN_PENDING)
		       ? current
		       : NULL;
}

/* The token that the session goes on with; NULL: none is left. */
static const struct dir_token *token_after(const struct session *s,
					   const struct dir_entry *before,
					   const struct dir_entry *entry)
{
	const struct dir_token *token = dir_entry_token(entry, &s->held), *renewed;

	/* What it had acknowledged was given up since; its own may still be good. */
	if (token == NULL)
		token = dir_entry_token(entry, &s->token);
	renewed = token != NULL ? renewed_by(before, entry, token) : NULL;
	return renewed != NULL ? renewed : token;
}

static bool hold(struct connset *set, struct session *s, const struct dir_token *token)
{
	s->held = token->hash;
	return expiry_set(&set->expiries, &s->stub->expiry, token->expires_ms);
}

void conn_tokens_changed(struct connset *set, const struct dir_entry *before,
			 const struct dir_entry *entry)
{
	struct conn *conn = connset_find(set, &entry->id);
	const struct dir_token *token;
	struct session *s;

	if (conn == NULL)
		return;
	/* As above: one that is taken over while its heir is closed is gone from the list. */
	TAILQ_FOREACH(s, &conn->sessions, of_conn)
	{
		token = token_after(s, before, entry);
		if (s->state == SESSION_CLOSING)
			continue;
		if (token == NULL)
			session_close(set, s, REASON_REVOKED, "TOKEN_REVOKED",
				      "the token of this session is no longer valid");
		else if (!hold(set, s, token))
			session_close(set, s, REASON_KICKED, "KICKED", "out of memory");
	}
}

void session_took_token(struct connset *set, struct session *s, const struct dir_token *token)
{
	if (s->state != SESSION_LIVE)
		return;
	proof_note(set->store, set->publish, &s->conn->id, &token->hash, PROOF_ACK);
	if (!hold(set, s, token))
		session_close(set, s, REASON_KICKED, "KICKED", "out of memory");
}

void conn_forget(struct connset *set, const struct worker_id *id)
{
	struct object object;
	struct conn *conn;

	if (connset_find(set, id) == NULL && !object_load(set->store, id, &object))
		return;
	conn = connset_load(set, id);
	if (conn == NULL)
		return;
	conn->forget = true;
	/* Boot 0: it was never connected, and there is nothing to tell. */
	if (conn->live == 0 && conn->unsettled == NULL && conn->last.pos.boot > 0) {
		conn_move(set, conn, PRESENCE_OFFLINE, REASON_DELETED, NULL);
		forget_now(set, conn);
	}
	connset_may_idle(set, conn);
}
