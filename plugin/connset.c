// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* connset.c - all connection objects that are in memory: tables, and the work of a turn's end.
 */
#include "plugin/conn.h"

#include "protocol/clock.h"
#include "protocol/log.h"

#include <stdlib.h>
#include <string.h>

/* Turns of the loop after which a login that 2.0 has not refused was accepted: a refusal over
 * TCP comes within BASIC_AUTH's own turn, one over WebSocket a turn or two later. */
#define ACCEPT_TURNS_TCP 1
#define ACCEPT_TURNS_WEBSOCKETS 3

/* Turns that a notice needs to leave before its session is kicked. */
#define NOTICE_TURNS 4

/* A login that 2.1 neither accepts nor ends for so long never will be. */
#define PENDING_MAX_MS 90000

#define RESTART_PAGE 500

static uint64_t hash_session(const void *item)
{
	return htab_hash_ptr(((const struct session *)item)->client);
}

static bool match_client(const void *item, const void *client)
{
	return ((const struct session *)item)->client == client;
}

static uint64_t hash_conn(const void *item)
{
	return htab_hash_str(((const struct conn *)item)->id.text);
}

static bool match_worker(const void *item, const void *id)
{
	return worker_id_equal(&((const struct conn *)item)->id, id);
}

void connset_open(struct connset *set, const struct options *options, struct store *store,
		  struct publish *publish, void (*kick)(const char *client_id))
{
	*set = (struct connset){
		.options = options, .store = store, .publish = publish, .kick = kick};
	htab_init(&set->by_client, hash_session);
	htab_init(&set->by_worker, hash_conn);
	TAILQ_INIT(&set->pending);
	TAILQ_INIT(&set->closing);
	TAILQ_INIT(&set->ended);
	TAILQ_INIT(&set->grace);
	TAILQ_INIT(&set->idle);
}

void connset_close(struct connset *set)
{
	struct session *s;
	struct conn *conn;

	for (size_t pos = 0; (s = htab_next(&set->by_client, &pos)) != NULL;) {
		free(s->detail);
		free(s);
	}
	for (size_t pos = 0; (conn = htab_next(&set->by_worker, &pos)) != NULL;)
		free(conn);
	htab_fini(&set->by_client);
	htab_fini(&set->by_worker);
	expiry_heap_fini(&set->expiries);
}

struct conn *connset_find(const struct connset *set, const struct worker_id *id)
{
	return htab_find(&set->by_worker, htab_hash_str(id->text), match_worker, id);
}

struct session *connset_session(const struct connset *set, const void *client)
{
	return htab_find(&set->by_client, htab_hash_ptr(client), match_client, client);
}

int connset_other_sessions(const struct connset *set, const struct worker_id *id,
			   const char *client_id)
{
	const struct conn *conn = connset_find(set, id);
	const struct session *s;
	int n = 0;

	if (conn == NULL)
		return 0;
	TAILQ_FOREACH(s, &conn->sessions, of_conn)
	n += strcmp(s->client_id, client_id) != 0;
	return n;
}

bool connset_presence(struct connset *set, const struct worker_id *id, struct presence *out)
{
	const struct conn *conn = connset_find(set, id);
	struct object object;

	if (conn != NULL && conn->last.pos.boot > 0) {
		*out = conn->last;
		return true;
	}
	if (!object_load(set->store, id, &object))
		return false;
	*out = object.last;
	return true;
}

struct conn *connset_load(struct connset *set, const struct worker_id *id)
{
	struct conn *conn = connset_find(set, id);
	struct object object;

	if (conn != NULL)
		return conn;
	conn = calloc(1, sizeof(*conn));
	if (conn == NULL)
		return NULL;
	conn->id = *id;
	TAILQ_INIT(&conn->sessions);
	conn->last = (struct presence){.worker = *id, .state = PRESENCE_OFFLINE};
	if (object_load(set->store, id, &object)) {
		conn->last = object.last;
		conn->generation = object.generation;
		conn->reserved = object.reserved;
		if (object.last.pos.boot < set->publish->boot)
			conn->generation = object.reserved;
	}
	if (!htab_add(&set->by_worker, conn)) {
		free(conn);
		return NULL;
	}
	return conn;
}

void connset_may_idle(struct connset *set, struct conn *conn)
{
	bool idle = TAILQ_EMPTY(&conn->sessions) && conn->unsettled == NULL &&
		    conn->last.state == PRESENCE_OFFLINE;

	if (idle && !conn->idle)
		TAILQ_INSERT_TAIL(&set->idle, conn, of_idle);
	else if (!idle && conn->idle)
		TAILQ_REMOVE(&set->idle, conn, of_idle);
	conn->idle = idle;
}

void session_free(struct connset *set, struct session *s)
{
	TAILQ_REMOVE(&set->ended, s, of_list);
	htab_remove(&set->by_client, s);
	free(s->detail);
	free(s);
}

/* ---- the turn's end ---- */

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
		char detail[PRESENCE_DETAIL_MAX + 1];

		memcpy(detail, conn->last.detail, sizeof(detail));
		conn_move(set, conn, PRESENCE_OFFLINE, conn->last.reason, detail);
		connset_may_idle(set, conn);
	}
}

static void free_idle(struct connset *set)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&set->idle)) != NULL) {
		TAILQ_REMOVE(&set->idle, conn, of_idle);
		htab_remove(&set->by_worker, conn);
		free(conn);
	}
}

/* Whose token has expired is told and closed, whether or not a bridge is there to say so. */
static void close_expired(struct connset *set)
{
	int64_t now_ms = clock_unix_ms();
	struct expiry *first;

	while ((first = expiry_first(&set->expiries)) != NULL && first->at_ms <= now_ms)
		session_close(set, CONTAINER_OF(first, struct session, expiry),
			      REASON_TOKEN_EXPIRED, "TOKEN_EXPIRED",
			      "the token of this session has expired");
}

bool connset_tick(struct connset *set, int64_t now_us)
{
	accept_pending(set);
	close_expired(set);
	kick_closing(set);
	settle_ended(set);
	end_grace(set, now_us);
	free_idle(set);
	set->turn++;
	return !TAILQ_EMPTY(&set->closing) ||
	       (!set->has_connect_event && !TAILQ_EMPTY(&set->pending));
}

/* ---- start ---- */

struct restart_page {
	struct object objects[RESTART_PAGE];
	size_t len;
};

static void collect(void *arg, const char *key, size_t key_len, struct slice value)
{
	struct restart_page *page = arg;

	if (page->len == RESTART_PAGE)
		return;
	if (object_decode(key, key_len, value, &page->objects[page->len]))
		page->len++;
	else
		log_error("conn", "a stored object of %zu bytes is damaged", value.len);
}

static enum err_code restart_one(struct connset *set, const struct object *object,
				 bool was_shut_down, struct err *e)
{
	const struct presence *last = &object->last;
	struct conn *conn;

	if (last->state == PRESENCE_OFFLINE) {
		publish_retained(set->publish, last);
		return ERR_OK;
	}
	conn = connset_load(set, &last->worker);
	if (conn == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	/* What was in its grace period had ended already, for a reason that is known. */
	if (last->state == PRESENCE_RECONNECTING)
		TAILQ_INSERT_TAIL(&set->grace, conn, of_grace);
	conn_move(set, conn, PRESENCE_OFFLINE,
		  last->state == PRESENCE_RECONNECTING ? last->reason
		  : was_shut_down                      ? REASON_BROKER_SHUTDOWN
						       : REASON_BROKER_RESTART,
		  last->state == PRESENCE_RECONNECTING ? last->detail : NULL);
	connset_may_idle(set, conn);
	return ERR_OK;
}

enum err_code connset_restart(struct connset *set, bool was_shut_down, struct err *e)
{
	struct restart_page *page = malloc(sizeof(*page));
	char next[STORE_KEY_MAX + 1], after[STORE_KEY_MAX + 1];
	bool more = true, first = true;

	if (page == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	e->code = ERR_OK;
	while (more && e->code == ERR_OK) {
		page->len = 0;
		more = store_page(set->store, STORE_OBJECTS, first ? NULL : after, RESTART_PAGE,
				  collect, page, next);
		for (size_t i = 0; i < page->len && e->code == ERR_OK; i++)
			(void)(restart_one(set, &page->objects[i], was_shut_down, e) == ERR_OK);
		memcpy(after, next, sizeof(after));
		first = false;
		free_idle(set);
		/* Page by page, for what may wait in the store has a limit. */
		if (e->code == ERR_OK)
			(void)(store_sync(set->store, e) == ERR_OK);
	}
	free(page);
	return e->code;
}
