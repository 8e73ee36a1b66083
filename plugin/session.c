// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* session.c - a session's life, from a login to its end. What must not depend on the order in
 * which a broker version raises its events is decided here; see docs/connection-object.md. */
#include "plugin/conn.h"

#include "plugin/limits.h"
#include "plugin/proof.h"
#include "plugin/stats.h"
#include "protocol/clock.h"
#include "protocol/log.h"
#include "protocol/text.h"
#include "protocol/topics.h"

#include <stdlib.h>
#include <string.h>

#define GENERATION_BLOCK 32 /* generations reserved at a time */
#define SECOND_US 1000000
#define MINUTE_US 60000000
#define PUBLISH_BURST_S 10 /* that may be published at once after a silence */

/* ---- states ---- */

static const unsigned char moves[] = {
	[SESSION_PENDING] = 1u << SESSION_LIVE | 1u << SESSION_ENDED,
	[SESSION_LIVE] = 1u << SESSION_CLOSING | 1u << SESSION_ENDED,
	[SESSION_LOST] = 1u << SESSION_CLOSING | 1u << SESSION_ENDED,
	[SESSION_CLOSING] = 1u << SESSION_ENDED,
	[SESSION_ENDED] = 0,
};

static const char *const state_names[] = {
	[SESSION_PENDING] = "pending", [SESSION_LIVE] = "live",   [SESSION_LOST] = "lost",
	[SESSION_CLOSING] = "closing", [SESSION_ENDED] = "ended",
};

/* The list of the sessions in this state, NULL if there is none. */
static struct session_list *list_of(struct connset *set, enum session_state state)
{
	switch (state) {
	case SESSION_PENDING:
		return &set->pending;
	case SESSION_CLOSING:
		return &set->closing;
	case SESSION_ENDED:
		return &set->ended;
	case SESSION_LIVE:
	case SESSION_LOST:
		break;
	}
	return NULL;
}

static int counts_in(enum session_state state)
{
	return state == SESSION_LIVE || state == SESSION_LOST || state == SESSION_CLOSING;
}

/* The one function that moves a session between states; its lists and the object's count follow
 * here. False, and nothing happens, where the table of moves does not allow it. */
static bool move(struct connset *set, struct session *s, enum session_state to)
{
	enum session_state from = s->state;
	int counted = counts_in(to) - counts_in(from);

	if (!(moves[from] & 1u << to)) {
		log_error("conn", "worker=%s client=%s cannot go from %s to %s",
			  s->conn->id.text, s->client_id, state_names[from], state_names[to]);
		return false;
	}
	if (list_of(set, from) != NULL)
		TAILQ_REMOVE(list_of(set, from), s, of_list);
	if (list_of(set, to) != NULL)
		TAILQ_INSERT_TAIL(list_of(set, to), s, of_list);
	s->conn->live += counted;
	if (counted != 0)
		stats_label(STAT_SESSIONS, s->websockets, counted);
	if (to == SESSION_CLOSING || to == SESSION_ENDED)
		expiry_remove(&set->expiries, &s->stub->expiry);
	if (to == SESSION_ENDED) {
		TAILQ_REMOVE(&s->conn->sessions, s, of_conn);
		s->ended_ms = clock_unix_ms();
	}
	s->state = to;
	s->turns = 0;
	return true;
}

/* ---- begin ---- */

static int64_t next_generation(struct conn *conn)
{
	if (++conn->generation > conn->reserved)
		conn->reserved = conn->generation + GENERATION_BLOCK;
	return conn->generation;
}

static struct session *session_new(struct connset *set, struct conn *conn,
				   const struct login *login, const struct dir_token *token)
{
	struct session *s = connset_new_session(set, conn, login->client);

	if (s == NULL)
		return NULL;
	s->websockets = login->websockets;
	s->stub->websockets = login->websockets;
	s->version = login->version;
	s->keepalive = login->keepalive;
	s->token = s->held = token->hash;
	s->proves = token->role == TOKEN_PENDING;
	s->connected_ms = clock_unix_ms();
	text_copy(s->client_id, sizeof(s->client_id), login->client_id);
	text_copy(s->address, sizeof(s->address), login->address);
	TAILQ_INSERT_HEAD(&conn->sessions, s, of_conn);
	TAILQ_INSERT_TAIL(&set->pending, s, of_list);
	return s;
}

void session_reused(struct connset *set, const void *client)
{
	struct session *stale = connset_session(set, client);

	connset_gone(set, client);
	if (stale == NULL) {
		connset_disown(set, client);
		return;
	}
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
	bool may;

	session_reused(set, login->client);
	conn = connset_load(set, id);
	if (conn == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	may = limits_take(&conn->connects_full_us, clock_unix_ms() * 1000,
			  set->options->connects_per_minute, MINUTE_US, 1);
	s = may ? session_new(set, conn, login, token) : NULL;
	connset_may_idle(set, conn); /* what ended earlier in this turn may have made it idle */
	if (!may)
		return err_set(e, ERR_RATE_LIMITED, NULL);
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

/* A broker has one client of an id: what logged in before `s`, which it has accepted, is over,
 * and its end is no news whenever it is told (by a WebSocket on 2.0 seconds later). */
static void end_elders(struct connset *set, const struct session *s)
{
	struct session *elder, *next;

	for (elder = TAILQ_NEXT(s, of_conn); elder != NULL; elder = next) {
		next = TAILQ_NEXT(elder, of_conn);
		if (strcmp(elder->client_id, s->client_id) == 0)
			(void)move(set, elder, SESSION_ENDED);
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
	(void)move(set, s, SESSION_LIVE);
	s->generation = next_generation(conn);
	conn_move(set, conn, PRESENCE_ONLINE, REASON_NONE, NULL);
	if (s->proves)
		proof_note(set->store, set->publish, &conn->id, &s->token, PROOF_LOGIN);
}

/* ---- end ---- */

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
	(void)move(set, s, SESSION_ENDED);
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

/* ---- we end it ---- */

static void send_notice(struct connset *set, const struct session *s, const char *code,
			const char *message)
{
	char topic[TOPIC_MAX];
	struct buf payload;
	struct jwrite w;

	stats_add(STAT_NOTICES, 1);
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

bool session_may_publish(struct connset *set, struct session *s)
{
	struct conn *conn = s->conn;

	if (limits_take(&conn->publishes_full_us, set->now_us,
			set->options->publishes_per_second, SECOND_US, PUBLISH_BURST_S))
		return true;
	stats_label(STAT_LIMITED, LIMIT_PUBLISHES, 1);
	if (conn->limit_told_us == 0 || set->now_us - conn->limit_told_us >= MINUTE_US) {
		conn->limit_told_us = set->now_us;
		send_notice(set, s, "RATE_LIMITED",
			    "this worker publishes too much: what is above the limit is lost");
	}
	return false;
}

void session_close(struct connset *set, struct session *s, enum presence_reason reason,
		   const char *code, const char *message)
{
	if (s->state != SESSION_PENDING && s->state != SESSION_LIVE)
		return;
	if (s->state == SESSION_PENDING)
		session_accept(set,
			       s); /* it may be connected: it is told, and ends like others */
	send_notice(set, s, code, message);
	(void)move(set, s, SESSION_CLOSING);
	s->close_reason = reason;
	log_info("conn", "worker=%s client=%s closing: %s", s->conn->id.text, s->client_id,
		 code);
}

void session_found(struct connset *set, struct session *s, const char *client_id)
{
	if (s->state != SESSION_LOST)
		return;
	text_copy(s->client_id, sizeof(s->client_id), client_id);
	send_notice(set, s, "KICKED", "the broker has lost this session: connect again");
	(void)move(set, s, SESSION_CLOSING);
	s->close_reason = REASON_KICKED;
	log_warn("conn", "worker=%s client=%s closing: what hibernation kept of it is lost",
		 s->conn->id.text, s->client_id);
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
