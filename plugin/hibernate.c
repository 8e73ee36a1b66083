// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/hibernate.h"

#include "plugin/conn.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a turn of the loop may spend on letting objects sleep. */
#define TURN_US 1000
#define TURN_STEP 16 /* objects between two looks at the clock */

#define SAY_AGAIN_US 60000000 /* between two lines of the log about a disk that fails */

/* An object that is used goes to the end of the list of those that are awake at most this many
 * times per hibernate_after: a worker with much traffic costs no list work. */
#define USES_NOTED 8

#define NEVER_US (INT64_MAX / 2) /* a sum with it is still a number */

/* A place in the file: the ends of struct conn and struct session, as they stand. Each session
 * carries its object's, so that an object with one session is one read. */
#define CONN_FROM offsetof(struct conn, last)
#define CONN_BYTES (sizeof(struct conn) - CONN_FROM)
#define SESSION_FROM offsetof(struct session, client)
#define SESSION_BYTES (sizeof(struct session) - SESSION_FROM)
#define PLACE_BYTES 512

_Static_assert(CONN_BYTES + SESSION_BYTES <= PLACE_BYTES, "a session fits into its place");

static struct iovec conn_part(const struct conn *conn)
{
	char *at;

	memcpy(&at, &conn, sizeof(at)); /* an iovec's base is not const for writes either */
	return (struct iovec){at + CONN_FROM, CONN_BYTES};
}

static struct iovec session_part(const struct session *s)
{
	char *at;

	memcpy(&at, &s, sizeof(at));
	return (struct iovec){at + SESSION_FROM, SESSION_BYTES};
}

enum err_code hibernate_open(struct connset *set, struct err *e)
{
	struct hibernation *h = &set->hibernation;
	int64_t after_s = set->options->hibernate_after;

	*h = (struct hibernation){.after_us = after_s > 0 ? after_s * 1000000 : NEVER_US};
	return swap_open(&h->swap, set->options->storage_path, PLACE_BYTES, e);
}

void hibernate_close(struct connset *set)
{
	swap_close(&set->hibernation.swap);
}

/* ---- falling asleep ---- */

/* A disk that fails, fails for one object after the other. */
static bool may_say(struct connset *set)
{
	struct hibernation *h = &set->hibernation;

	if (h->said_us != 0 && set->now_us - h->said_us < SAY_AGAIN_US)
		return false;
	h->said_us = set->now_us;
	return true;
}

static bool may_sleep(const struct conn *conn)
{
	const struct session *s;

	if (conn->last.state != PRESENCE_ONLINE || conn->unsettled != NULL || conn->unsaved ||
	    conn->forget)
		return false;
	TAILQ_FOREACH(s, &conn->sessions, of_conn)
	if (s->state != SESSION_LIVE)
		return false;
	return true;
}

static bool write_sessions(struct connset *set, const struct conn *conn)
{
	struct hibernation *h = &set->hibernation;
	const struct session *s;

	TAILQ_FOREACH(s, &conn->sessions, of_conn)
	{
		struct iovec parts[] = {conn_part(conn), session_part(s)};

		if (swap_write(&h->swap, s->number, parts, 2))
			continue;
		h->write_failures++;
		if (may_say(set))
			log_error("hibernate", "cannot write: %s; objects stay in memory",
				  strerror(errno));
		return false;
	}
	return true;
}

/* Takes the sessions' bodies away; their stubs form a chain, whose first is returned. */
static uint32_t drop_sessions(struct connset *set, struct conn *conn)
{
	uint32_t first = 0;
	struct session *s;

	while ((s = TAILQ_LAST(&conn->sessions, session_list)) != NULL) {
		TAILQ_REMOVE(&conn->sessions, s, of_conn);
		s->stub->next = first;
		first = s->number;
		session_not_will(s);
		slab_free(&set->sessions, s->body);
		set->hibernation.sessions++;
	}
	return first;
}

bool hibernate_sleep(struct connset *set, struct conn *conn)
{
	struct conn_stub *stub = slab_at(&set->conn_stubs, conn->number);

	if (!may_sleep(conn) || !write_sessions(set, conn))
		return false;
	stub->first_session = drop_sessions(set, conn);
	stub->asleep = true;
	TAILQ_REMOVE(&set->awake, conn, of_awake);
	free(conn->detail);
	slab_free(&set->conns, conn->body);
	set->hibernation.conns++;
	set->hibernation.slept++;
	return true;
}

static void move_to_end(struct connset *set, struct conn *conn)
{
	TAILQ_REMOVE(&set->awake, conn, of_awake);
	TAILQ_INSERT_TAIL(&set->awake, conn, of_awake);
	conn->used_us = set->now_us;
}

void hibernate_used(struct connset *set, struct conn *conn)
{
	if (set->now_us - conn->used_us > set->hibernation.after_us / USES_NOTED)
		move_to_end(set, conn);
}

bool hibernate_tick(struct connset *set)
{
	int64_t after_us = set->hibernation.after_us, deadline_us = 0;
	struct conn *conn;

	/* Those that were used just before their use would have been noted get their time. */
	for (int n = 1; (conn = TAILQ_FIRST(&set->awake)) != NULL &&
			set->now_us - conn->used_us > after_us + after_us / USES_NOTED;
	     n++) {
		if (!hibernate_sleep(set, conn))
			move_to_end(set, conn);
		if (n % TURN_STEP != 0)
			continue;
		if (deadline_us == 0)
			deadline_us = clock_mono_us() + TURN_US;
		else if (clock_mono_us() > deadline_us)
			return true;
	}
	return false;
}

/* ---- waking ---- */

bool hibernate_id(const struct connset *set, uint32_t conn_number, struct worker_id *out)
{
	const struct conn_stub *stub = slab_at(&set->conn_stubs, conn_number);
	struct conn conn = {0};
	struct iovec part = conn_part(&conn);

	if (!swap_read(&set->hibernation.swap, stub->first_session, &part, 1))
		return false;
	*out = conn.id;
	return true;
}

bool hibernate_peek(const struct connset *set, uint32_t session_number, struct session *out)
{
	struct conn conn;
	struct iovec parts[] = {conn_part(&conn), session_part(out)};

	*out = (struct session){.state = SESSION_LIVE};
	return swap_read(&set->hibernation.swap, session_number, parts, 2);
}

/* A session of a stub, in a body of its own, at the list's end. NULL: out of memory. */
static struct session *attach_session(struct connset *set, struct conn *conn, uint32_t number)
{
	uint32_t body = slab_new(&set->sessions);
	struct session *s;

	if (body == 0)
		return NULL;
	s = slab_at(&set->sessions, body);
	s->conn = conn;
	s->stub = slab_at(&set->session_stubs, number);
	s->client = s->stub->client;
	s->number = number;
	s->body = body;
	TAILQ_INSERT_TAIL(&conn->sessions, s, of_conn);
	return s;
}

/* Fills a session, and its object with it, from the file. */
static bool read_session(const struct connset *set, struct conn *conn, struct session *s)
{
	struct iovec parts[] = {conn_part(conn), session_part(s)};

	return swap_read(&set->hibernation.swap, s->number, parts, 2) &&
	       s->client == s->stub->client;
}

/* What stands in for a session that the file does not give back. */
static void lose_session(struct session *s)
{
	memset((char *)s + SESSION_FROM, 0, SESSION_BYTES);
	s->client = s->stub->client;
	s->websockets = s->stub->websockets;
	s->state = SESSION_LOST;
}

/* Attaches and fills all sessions of the chain; how many of them are lost, -1: out of memory.
 */
static int read_sessions(struct connset *set, struct conn *conn, uint32_t first)
{
	struct session *s;
	int lost = 0;

	for (uint32_t number = first; number != 0; number = s->stub->next) {
		s = attach_session(set, conn, number);
		if (s == NULL)
			return -1;
		s->state = SESSION_LIVE;
		if (read_session(set, conn, s))
			continue;
		lose_session(s);
		lost++;
	}
	return lost;
}

/* The object itself, when some or all of its sessions are lost. */
static bool restore(struct connset *set, struct conn *conn, const struct worker_id *id)
{
	const struct session *s;

	if (id == NULL)
		return false;
	memcpy(conn->id.text, id->text, strlen(id->text) + 1);
	conn->live = 0;
	TAILQ_FOREACH(s, &conn->sessions, of_conn)
	conn->live++;
	return conn_restore(set, conn);
}

static void drop_body(struct connset *set, struct conn *conn)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&conn->sessions)) != NULL) {
		TAILQ_REMOVE(&conn->sessions, s, of_conn);
		slab_free(&set->sessions, s->body);
	}
	slab_free(&set->conns, conn->body);
}

/* The object is whole: from here on it is the one that its stubs lead to. */
static void put_in_use(struct connset *set, struct conn *conn, struct conn_stub *stub)
{
	struct session *s;

	TAILQ_FOREACH(s, &conn->sessions, of_conn)
	{
		s->stub->session = s;
		set->hibernation.sessions--;
	}
	stub->asleep = false;
	stub->conn = conn;
	conn->used_us = set->now_us;
	TAILQ_INSERT_TAIL(&set->awake, conn, of_awake);
	set->hibernation.conns--;
}

static struct conn *wake(struct connset *set, uint32_t conn_number, const struct worker_id *id)
{
	struct conn_stub *stub = slab_at(&set->conn_stubs, conn_number);
	uint32_t body = slab_new(&set->conns);
	struct conn *conn;
	int lost;

	if (body == 0)
		return NULL;
	conn = slab_at(&set->conns, body);
	conn->number = conn_number;
	conn->body = body;
	TAILQ_INIT(&conn->sessions);
	lost = read_sessions(set, conn, stub->first_session);
	if (lost > 0)
		set->hibernation.read_failures++;
	if (lost != 0 && (lost < 0 || !restore(set, conn, id))) {
		drop_body(set, conn);
		return NULL;
	}
	put_in_use(set, conn, stub);
	return conn;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct conn *hibernate_wake(struct connset *set, uint32_t conn_number,
			    const struct worker_id *id)
{
	struct hibernation *h = &set->hibernation;
	int64_t from_ns = now_ns();
	struct conn *conn = wake(set, conn_number, id);

	if (conn == NULL) {
		if (may_say(set))
			log_error("hibernate", "an object cannot be woken: %s",
				  strerror(errno));
		return NULL;
	}
	histogram_add(&h->wakes, now_ns() - from_ns);
	h->woken++;
	return conn;
}

/* ---- figures ---- */

static size_t stub_bytes(const struct connset *set)
{
	return set->session_stubs.mapped_bytes + set->conn_stubs.mapped_bytes +
	       (set->by_client.cap + set->by_worker.cap) * sizeof(uint32_t) +
	       set->expiries.cap * sizeof(struct expiry *);
}

void hibernate_stats(const struct connset *set, struct hibernate_stats *out)
{
	const struct hibernation *h = &set->hibernation;

	*out = (struct hibernate_stats){.conns_awake = set->conns.used,
					.conns_asleep = h->conns,
					.sessions_awake = set->sessions.used,
					.sessions_asleep = h->sessions,
					.slept = h->slept,
					.woken = h->woken,
					.write_failures = h->write_failures,
					.read_failures = h->read_failures,
					.wake_median_ns = histogram_quantile(&h->wakes, 0.5),
					.wake_p99_ns = histogram_quantile(&h->wakes, 0.99),
					.wake_max_ns = h->wakes.max_ns,
					.stub_bytes = stub_bytes(set),
					.awake_bytes = set->sessions.mapped_bytes +
						       set->conns.mapped_bytes};
}
