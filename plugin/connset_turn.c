// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* connset_turn.c - what the end of a turn of the broker's loop does with connection objects. */
#include "plugin/connset_internal.h"

#include "protocol/clock.h"
#include "protocol/log.h"

#include <string.h>

/* Turns of the loop after which a login that 2.0 has not refused was accepted: a refusal over
 * TCP comes within BASIC_AUTH's own turn, one over WebSocket a turn or two later. */
#define ACCEPT_TURNS_TCP 1
#define ACCEPT_TURNS_WEBSOCKETS 3

/* Turns that a notice needs to leave before its session is kicked. */
#define NOTICE_TURNS 4

/* A login that 2.1 neither accepts nor ends for so long never will be. */
#define PENDING_MAX_MS 90000

/* How many objects that storage refused are offered to it in a turn, and when again. */
#define SAVE_AT_ONCE 100
#define SAVE_AGAIN_US 1000000

static void accept_pending(struct connset *set)
{
	int64_t now_ms = clock_unix_ms();
	struct session *s, *next;

	for (s = TAILQ_FIRST(&set->pending); s != NULL; s = next) {
		next = TAILQ_NEXT(s, of_list);
		s->turns++;
		if (set->has_connect_event) {
			if (now_ms - s->connected_ms > PENDING_MAX_MS)
				session_end(set, s, END_UNKNOWN);
		} else if (s->turns >=
			   (s->websockets ? ACCEPT_TURNS_WEBSOCKETS : ACCEPT_TURNS_TCP)) {
			session_accept(set, s);
		}
	}
}

/* The broker kicks by client id, which hits whoever owns it now: leave a successor alone. */
static bool owns_its_id(const struct session *s)
{
	const struct session *other;

	TAILQ_FOREACH(other, &s->conn->sessions, of_conn)
	if (other != s && strcmp(other->client_id, s->client_id) == 0)
		return false;
	return true;
}

/* Told before the kick, within which the broker may raise the end. */
static void note_kick(struct connset *set, const struct session *s)
{
	void *client; /* the table's items are not const; this one is never followed */

	if (!s->websockets || set->has_connect_event || connset_kicked(set, s->client))
		return;
	/* Short of memory: a reload would take it for a login, as if nothing were known. */
	memcpy(&client, &s->client, sizeof(client));
	if (!htab_add(&set->kicked, client))
		log_warn("conn", "worker=%s out of memory", s->conn->id.text);
}

static void kick_closing(struct connset *set)
{
	struct session *s, *next;

	for (s = TAILQ_FIRST(&set->closing); s != NULL; s = next) {
		next = TAILQ_NEXT(s, of_list);
		/* A newcomer with its client id is accepted soon, which ends it, or refused. */
		if (++s->turns < NOTICE_TURNS || !owns_its_id(s))
			continue;
		/* The broker may raise the end within the call, or turns later; either way it
		 * is over from here on. */
		note_kick(set, s);
		set->kick(s->client_id);
		session_end(set, s, END_KICKED);
	}
}

static void settle_ended(struct connset *set)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&set->ended)) != NULL) {
		conn_settle(set, s->conn);
		session_free(set, s);
	}
}

static void end_grace(struct connset *set, int64_t now_us)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&set->grace)) != NULL && conn->grace_until_us <= now_us) {
		conn_move(set, conn, PRESENCE_OFFLINE, conn->last.reason, conn->detail);
		connset_may_idle(set, conn);
	}
}

/* Whose token has expired is told and closed, whether or not a bridge is there to say so. */
static void close_expired(struct connset *set)
{
	int64_t now_ms = clock_unix_ms();
	struct session_stub *stub;
	struct expiry *first;

	while ((first = expiry_first(&set->expiries)) != NULL && first->at_ms <= now_ms) {
		stub = CONTAINER_OF(first, struct session_stub, expiry);
		if (connset_use(set, stub->conn, NULL) == NULL)
			return; /* tried again in the next turn */
		session_close(set, stub->session, REASON_TOKEN_EXPIRED, "TOKEN_EXPIRED",
			      "the token of this session has expired");
	}
}

static void save_again(struct connset *set)
{
	struct conn *conn;

	if (TAILQ_EMPTY(&set->unsaved) || set->now_us < set->save_again_us)
		return;
	for (int n = 0; n < SAVE_AT_ONCE && (conn = TAILQ_FIRST(&set->unsaved)) != NULL; n++) {
		conn_save(set, conn);
		if (conn->unsaved) {
			set->save_again_us = set->now_us + SAVE_AGAIN_US;
			return;
		}
		connset_may_idle(set, conn);
	}
}

bool connset_tick(struct connset *set, int64_t now_us)
{
	bool more;

	set->now_us = now_us;
	accept_pending(set);
	close_expired(set);
	kick_closing(set);
	settle_ended(set);
	end_grace(set, now_us);
	save_again(set);
	connset_free_idle(set);
	more = hibernate_tick(set);
	set->turn++;
	return more || !TAILQ_EMPTY(&set->closing) ||
	       (!set->has_connect_event && !TAILQ_EMPTY(&set->pending));
}
