// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* connset.c - all connection objects that are in memory, awake or asleep: their tables. */
#include "plugin/connset_internal.h"

#include "protocol/clock.h"
#include "protocol/htab.h"

#include <stdlib.h>
#include <string.h>

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
	/* Where it cannot be read, 32 bits must do: two objects of one worker would be worse.
	 */
	return !hibernate_id(set, number, &id) || worker_id_equal(&id, k->id);
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
	htab_init(&set->kicked, htab_hash_ptr);
	TAILQ_INIT(&set->pending);
	TAILQ_INIT(&set->closing);
	TAILQ_INIT(&set->ended);
	TAILQ_INIT(&set->grace);
	TAILQ_INIT(&set->idle);
	TAILQ_INIT(&set->awake);
	TAILQ_INIT(&set->unsaved);
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
	htab_fini(&set->kicked);
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

struct conn *connset_use(struct connset *set, uint32_t number, const struct worker_id *id)
{
	struct conn_stub *stub = slab_at(&set->conn_stubs, number);

	if (stub->asleep)
		return hibernate_wake(set, number, id);
	hibernate_used(set, stub->conn);
	return stub->conn;
}

struct conn *connset_find(struct connset *set, const struct worker_id *id)
{
	uint32_t number = find_conn(set, id);

	return number != 0 ? connset_use(set, number, id) : NULL;
}

static uint32_t find_session(const struct connset *set, const void *client)
{
	return numtab_find(&set->by_client, hash_client(client), match_client, client);
}

struct session *connset_session(struct connset *set, const void *client)
{
	uint32_t number = find_session(set, client);
	const struct session_stub *stub;

	if (number == 0)
		return NULL;
	stub = slab_at(&set->session_stubs, number);
	return connset_use(set, stub->conn, NULL) != NULL ? stub->session : NULL;
}

struct session *connset_rescue(struct connset *set, const void *client, const char *username)
{
	uint32_t number = find_session(set, client);
	const struct conn_stub *of_conn;
	const struct session_stub *stub;
	struct worker_id id;

	if (number == 0 || username == NULL ||
	    !worker_id_parse(username, strnlen(username, WORKER_ID_MAX + 1), &id))
		return NULL;
	stub = slab_at(&set->session_stubs, number);
	of_conn = slab_at(&set->conn_stubs, stub->conn);
	if (of_conn->id_hash != key_of(&id).hash)
		return NULL; /* the address has a new client */
	return connset_use(set, stub->conn, &id) != NULL ? stub->session : NULL;
}

static bool match_kicked(const void *item, const void *key)
{
	return item == key;
}

bool connset_kicked(const struct connset *set, const void *client)
{
	return set->kicked.len > 0 &&
	       htab_find(&set->kicked, htab_hash_ptr(client), match_kicked, client) != NULL;
}

void connset_gone(struct connset *set, const void *client)
{
	if (set->kicked.len > 0)
		htab_remove(&set->kicked, client);
}

void connset_disown(struct connset *set, const void *client)
{
	uint32_t number = find_session(set, client);
	struct session_stub *stub;

	if (number == 0)
		return;
	numtab_remove(&set->by_client, number);
	stub = slab_at(&set->session_stubs, number);
	stub->client = NULL;
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

bool conn_restore(struct connset *set, struct conn *conn)
{
	struct object object;
	const struct presence *p = &object.last;

	if (!object_load(set->store, &conn->id, &object))
		return false;
	conn->last = (struct conn_event){.state = p->state,
					 .reason = p->reason,
					 .sessions = p->sessions,
					 .pos = p->pos,
					 .generation = p->generation,
					 .at_ms = p->at_ms,
					 .connected_since_ms = p->connected_since_ms,
					 .disconnected_since_ms = p->disconnected_since_ms};
	conn->detail = p->detail[0] != '\0' ? strdup(p->detail) : NULL;
	conn->reserved = object.reserved;
	conn->connects_full_us = object.connects_full_us;
	conn->generation = object.generation;
	if (p->pos.boot < set->publish->boot)
		conn->generation = object.reserved > set->generation_floor
					   ? object.reserved
					   : set->generation_floor;
	return true;
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
	/* Not as a struct: behind its text may be whatever was on a stack, and it goes to a
	 * file. */
	memcpy(conn->id.text, id->text, strlen(id->text) + 1);
	conn->generation = set->generation_floor;
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
	struct conn *conn;

	if (number != 0)
		return connset_use(set, number, id);
	conn = new_conn(set, id);
	if (conn == NULL)
		return NULL;
	if (!numtab_add(&set->by_worker, conn->number)) {
		free_conn(set, conn);
		return NULL;
	}
	(void)conn_restore(set, conn);
	conn->used_us = set->now_us;
	TAILQ_INSERT_TAIL(&set->awake, conn, of_awake);
	return conn;
}

void connset_may_idle(struct connset *set, struct conn *conn)
{
	bool idle = TAILQ_EMPTY(&conn->sessions) && conn->unsettled == NULL &&
		    conn->last.state == PRESENCE_OFFLINE && !conn->unsaved;

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
			.client = client, .session = s, .conn = conn->number & INT32_MAX};
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

void connset_free_idle(struct connset *set)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&set->idle)) != NULL) {
		TAILQ_REMOVE(&set->idle, conn, of_idle);
		TAILQ_REMOVE(&set->awake, conn, of_awake);
		numtab_remove(&set->by_worker, conn->number);
		free_conn(set, conn);
	}
}
