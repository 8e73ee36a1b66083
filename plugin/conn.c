// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* conn.c - how a connection object moves between offline, reconnecting and online, and what
 * each move tells. What its sessions do is session.c's; see docs/connection-object.md. */
#include "plugin/conn.h"

#include "plugin/stats.h"
#include "protocol/clock.h"
#include "protocol/log.h"
#include "protocol/text.h"

#include <stdlib.h>
#include <string.h>

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

void conn_save(struct connset *set, struct conn *conn)
{
	struct object object = {.generation = conn->generation,
				.reserved = conn->reserved,
				.connects_full_us = conn->connects_full_us};
	bool was_unsaved = conn->unsaved;
	struct err e;

	conn_presence(conn, &object.last);
	conn->unsaved = object_save(set->store, &object, &e) != ERR_OK;
	if (conn->unsaved && !was_unsaved) {
		TAILQ_INSERT_TAIL(&set->unsaved, conn, of_unsaved);
		stats_add(STAT_OBJECTS_NOT_STORED, 1);
		log_debug("conn", "worker=%s not stored: %s", conn->id.text, e.msg);
	} else if (!conn->unsaved && was_unsaved) {
		TAILQ_REMOVE(&set->unsaved, conn, of_unsaved);
	}
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

/* Where its newest live session comes from. */
static void write_address(const struct conn *conn, struct presence *out)
{
	const struct session *s;

	TAILQ_FOREACH(s, &conn->sessions, of_conn)
	if (s->state == SESSION_LIVE) {
		text_copy(out->address, sizeof(out->address), s->address);
		return;
	}
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
		text_copy(out->detail, sizeof(out->detail), conn->detail);
	if (last->state == PRESENCE_ONLINE)
		write_address(conn, out);
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
	conn_save(set, conn);
	conn_presence(conn, &event);
	digest_add(&set->publish->digest, &event);
	publish_presence(set->publish, &event);
	return true;
}

/* ---- ends, and what is known of them later ---- */

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

	if (conn->unsaved)
		TAILQ_REMOVE(&set->unsaved, conn, of_unsaved);
	conn->unsaved = false;
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
