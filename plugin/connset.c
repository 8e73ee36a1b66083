// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* connset.c - all connection objects that are in memory: tables, and the work of a turn's end.
 */
#include "plugin/conn.h"

#include "protocol/clock.h"
#include "protocol/htab.h"
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

static uint32_t hash_client(const void *client)
{
	return (uint32_t)htab_hash_ptr(client);
}

static uint32_t hash_session(const void *owner, uint32_t number)
{
	const struct connset *set = owner;
	const struct session_stub *stub = slab_at(&set->session_stubs, number);

	return hash_client(stub->client);
}

static bool match_client(const void *owner, uint32_t number, const void *client)
{
	const struct connset *set = owner;
	const struct session_stub *stub = slab_at(&set->session_stubs, number);

	return stub->client == client;
}

struct worker_key {
	const struct worker_id *id;
	uint32_t hash;
};

static struct worker_key key_of(const struct worker_id *id)
{
	return (struct worker_key){id, (uint32_t)htab_hash_str(id->text)};
}

static uint32_t hash_conn(const void *owner, uint32_t number)
{
	const struct connset *set = owner;
	const struct conn_stub *stub = slab_at(&set->conn_stubs, number);

	return stub->id_hash;
}

/* An object that is asleep has its id in the file: it is read only where the hash is right. */
static bool match_worker(const void *owner, uint32_t number, const void *key)
{
	const struct connset *set = owner;
	const struct conn_stub *stub = slab_at(&set->conn_stubs, number);
	const struct worker_key *k = key;
	struct worker_id id;

	if (stub->id_hash != k->hash)
		return false;
	if (!stub->asleep)
		return worker_id_equal(&stub->conn->id, k->id);
	return hibernate_id(set, number, &id) && worker_id_equal(&id, k->id);
}

enum err_code connset_open(struct connset *set, const struct options *options,
			   struct store *store, struct publish *publish,
			   void (*kick)(const char *client_id), struct err *e)
{
	*set = (struct connset){
		.options = options, .store = store, .publish = publish, .kick = kick};
	slab_init(&set->session_stubs, sizeof(struct session_stub));
	slab_init(&set->conn_stubs, sizeof(struct conn_stub));
	slab_init(&set->sessions, sizeof(struct session));
	slab_init(&set->conns, sizeof(struct conn));
	numtab_init(&set->by_client, set, hash_session);
	numtab_init(&set->by_worker, set, hash_conn);
	TAILQ_INIT(&set->pending);
	TAILQ_INIT(&set->closing);
	TAILQ_INIT(&set->ended);
	TAILQ_INIT(&set->grace);
	TAILQ_INIT(&set->idle);
	TAILQ_INIT(&set->awake);
	set->now_us = clock_mono_us();
	return hibernate_open(set, e);
}

void connset_close(struct connset *set)
{
	struct session *s;
	struct conn *conn;

	TAILQ_FOREACH(s, &set->ended, of_list)
	free(s->detail);
	TAILQ_FOREACH(conn, &set->awake, of_awake)
	{
		free(conn->detail);
		TAILQ_FOREACH(s, &conn->sessions, of_conn)
		free(s->detail);
	}
	numtab_fini(&set->by_client);
	numtab_fini(&set->by_worker);
	slab_fini(&set->session_stubs);
	slab_fini(&set->conn_stubs);
	slab_fini(&set->sessions);
	slab_fini(&set->conns);
	expiry_heap_fini(&set->expiries);
	hibernate_close(set);
}

/* The stub of the worker's object, awake or asleep; 0 if there is none. */
static uint32_t find_conn(const struct connset *set, const struct worker_id *id)
{
	struct worker_key key = key_of(id);

	return numtab_find(&set->by_worker, key.hash, match_worker, &key);
}

/* The object of a stub, which is in use from here on. NULL: it cannot be woken. */
static struct conn *use_conn(struct connset *set, uint32_t number)
{
	struct conn_stub *stub = slab_at(&set->conn_stubs, number);

	if (stub->asleep)
		return hibernate_wake(set, number);
	hibernate_used(set, stub->conn);
	return stub->conn;
}

struct conn *connset_find(struct connset *set, const struct worker_id *id)
{
	uint32_t number = find_conn(set, id);

	return number != 0 ? use_conn(set, number) : NULL;
}

struct session *connset_session(struct connset *set, const void *client)
{
	uint32_t number =
		numtab_find(&set->by_client, hash_client(client), match_client, client);
	const struct session_stub *stub;

	if (number == 0)
		return NULL;
	stub = slab_at(&set->session_stubs, number);
	return use_conn(set, stub->conn) != NULL ? stub->session : NULL;
}

static void visit_asleep(const struct connset *set, uint32_t number, session_visit_f fn,
			 void *arg)
{
	const struct session_stub *stub;
	struct session s;

	for (; number != 0; number = stub->next) {
		stub = slab_at(&set->session_stubs, number);
		if (hibernate_peek(set, number, &s))
			fn(arg, &s);
	}
}

bool connset_visit(const struct connset *set, const struct worker_id *id, session_visit_f fn,
		   void *arg)
{
	uint32_t number = find_conn(set, id);
	const struct conn_stub *stub;
	const struct session *s;

	if (number == 0)
		return false;
	stub = slab_at(&set->conn_stubs, number);
	if (stub->asleep) {
		visit_asleep(set, stub->first_session, fn, arg);
		return true;
	}
	TAILQ_FOREACH(s, &stub->conn->sessions, of_conn)
	fn(arg, s);
	return false;
}

struct other_sessions {
	const char *client_id;
	int n;
};

static void count_other(void *arg, const struct session *s)
{
	struct other_sessions *others = arg;

	others->n += strcmp(s->client_id, others->client_id) != 0;
}

int connset_other_sessions(const struct connset *set, const struct worker_id *id,
			   const char *client_id)
{
	struct other_sessions others = {.client_id = client_id};

	connset_visit(set, id, count_other, &others);
	return others.n;
}

bool connset_presence(struct connset *set, const struct worker_id *id, struct presence *out)
{
	uint32_t number = find_conn(set, id);
	const struct conn_stub *stub;
	struct object object;

	if (number != 0) {
		stub = slab_at(&set->conn_stubs, number);
		/* An answer must not say online and show no session: what ended earlier in this
		 * turn is told first. */
		if (!stub->asleep)
			conn_settle(set, stub->conn);
		if (!stub->asleep && stub->conn->last.pos.boot > 0) {
			conn_presence(stub->conn, out);
			return true;
		}
	}
	if (!object_load(set->store, id, &object))
		return false;
	*out = object.last;
	return true;
}

static void restore(struct connset *set, struct conn *conn, const struct object *object)
{
	const struct presence *p = &object->last;

	conn->last = (struct conn_event){.state = p->state,
					 .reason = p->reason,
					 .sessions = p->sessions,
					 .pos = p->pos,
					 .generation = p->generation,
					 .at_ms = p->at_ms,
					 .connected_since_ms = p->connected_since_ms,
					 .disconnected_since_ms = p->disconnected_since_ms};
	conn->detail = p->detail[0] != '\0' ? strdup(p->detail) : NULL;
	conn->reserved = object->reserved;
	conn->generation =
		p->pos.boot < set->publish->boot ? object->reserved : object->generation;
}

/* An object that is awake, with a stub, in no table. NULL: out of memory. */
static struct conn *new_conn(struct connset *set, const struct worker_id *id)
{
	uint32_t number = slab_new(&set->conn_stubs), body = slab_new(&set->conns);
	struct conn_stub *stub;
	struct conn *conn;

	if (number == 0 || body == 0) {
		if (number != 0)
			slab_free(&set->conn_stubs, number);
		if (body != 0)
			slab_free(&set->conns, body);
		return NULL;
	}
	conn = slab_at(&set->conns, body);
	conn->number = number;
	conn->body = body;
	conn->id = *id;
	TAILQ_INIT(&conn->sessions);
	stub = slab_at(&set->conn_stubs, number);
	stub->conn = conn;
	stub->id_hash = key_of(id).hash;
	return conn;
}

static void free_conn(struct connset *set, struct conn *conn)
{
	slab_free(&set->conn_stubs, conn->number);
	free(conn->detail);
	slab_free(&set->conns, conn->body);
}

struct conn *connset_load(struct connset *set, const struct worker_id *id)
{
	uint32_t number = find_conn(set, id);
	struct object object;
	struct conn *conn;

	if (number != 0)
		return use_conn(set, number);
	conn = new_conn(set, id);
	if (conn == NULL)
		return NULL;
	if (!numtab_add(&set->by_worker, conn->number)) {
		free_conn(set, conn);
		return NULL;
	}
	if (object_load(set->store, id, &object))
		restore(set, conn, &object);
	conn->used_us = set->now_us;
	TAILQ_INSERT_TAIL(&set->awake, conn, of_awake);
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

struct session *connset_new_session(struct connset *set, struct conn *conn, const void *client)
{
	uint32_t number = slab_new(&set->session_stubs), body = slab_new(&set->sessions);
	struct session *s;

	if (number != 0 && body != 0) {
		s = slab_at(&set->sessions, body);
		s->stub = slab_at(&set->session_stubs, number);
		*s->stub = (struct session_stub){
			.client = client, .session = s, .conn = conn->number};
		s->conn = conn;
		s->client = client;
		s->number = number;
		s->body = body;
		if (numtab_add(&set->by_client, number))
			return s;
	}
	if (number != 0)
		slab_free(&set->session_stubs, number);
	if (body != 0)
		slab_free(&set->sessions, body);
	return NULL;
}

void session_free(struct connset *set, struct session *s)
{
	TAILQ_REMOVE(&set->ended, s, of_list);
	numtab_remove(&set->by_client, s->number);
	slab_free(&set->session_stubs, s->number);
	free(s->detail);
	slab_free(&set->sessions, s->body);
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
		conn_move(set, conn, PRESENCE_OFFLINE, conn->last.reason, conn->detail);
		connset_may_idle(set, conn);
	}
}

static void free_idle(struct connset *set)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&set->idle)) != NULL) {
		TAILQ_REMOVE(&set->idle, conn, of_idle);
		TAILQ_REMOVE(&set->awake, conn, of_awake);
		numtab_remove(&set->by_worker, conn->number);
		free_conn(set, conn);
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
		if (use_conn(set, stub->conn) == NULL)
			return; /* tried again in the next turn */
		session_close(set, stub->session, REASON_TOKEN_EXPIRED, "TOKEN_EXPIRED",
			      "the token of this session has expired");
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
	free_idle(set);
	more = hibernate_tick(set);
	set->turn++;
	return more || !TAILQ_EMPTY(&set->closing) ||
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
	/* They went out of a sum that they had never been in; now all are offline. */
	set->publish->digest = (struct digest){0};
	return e->code;
}
