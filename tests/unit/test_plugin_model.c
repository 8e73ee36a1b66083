// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Whatever a broker raises, in whatever order its version does: an object is online exactly
 * while the broker has a session of its worker. A model of the broker plays at random, from a
 * seed that a failure names, and compares when things have settled. Addresses of clients are
 * used again. */
#include "tests/unit/test_plugin_fake.h"

#include "bridge/presence/mirror_table.h"
#include "plugin/dirsync.h"

#define WORKERS 3
#define CLIENT_IDS 3
#define SLOTS 16
#define STEPS 6000
#define SETTLED_TURNS 6

enum slot_state {
	FREE,
	CONNECTED,
	ZOMBIE, /* the broker let it go, and raises its end later (WebSockets on 2.0) */
	SPENT,  /* free from the next turn on */
};

struct slot {
	struct mosquitto client;
	enum slot_state state;
	int worker;
	int64_t messages; /* that it has sent */
};

static const char *const workers[WORKERS] = {"wrk_a", "wrk_b", "imported"};
static const char *const client_ids[WORKERS][CLIENT_IDS] = {
	{"wrk_a",    "wrk_a.b",    "wrk_a.c"   },
	{"wrk_b",    "wrk_b.b",    "wrk_b.c"   },
	{"imported", "imported.b", "imported.c"}
};

static struct world world;
static struct slot slots[SLOTS];
static int64_t revision;
static uint64_t seed, dice;
static uint64_t woken; /* objects, in the run's earlier boots */
static int64_t newest_generation[WORKERS];
static struct presence_pos last;   /* event that was checked */
static struct mirror_table mirror; /* what a bridge knows that has heard all events */

/* xorshift64: the same numbers on every machine. */
static unsigned roll(unsigned sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)(dice >> 33) % sides;
}

static bool is_slow(const struct slot *s)
{
	return !world.connect_event && s->client.protocol == mp_websockets;
}

static void end(struct slot *s, int reason)
{
	disconnect(&world, &s->client, world.connect_event ? reason : -1);
	s->state = SPENT;
}

/* An end with its will in one of the orders, or none. */
static void lose(struct slot *s, int reason)
{
	unsigned order = roll(4);

	if (order == 0)
		will(&world, &s->client, "{\"reason\":\"x\"}");
	end(s, reason);
	if (order == 1)
		will(&world, &s->client, "{\"reason\":\"y\"}");
}

static struct slot *owner_of(const char *client_id, const struct slot *but)
{
	for (int i = 0; i < SLOTS; i++)
		if (&slots[i] != but && slots[i].state == CONNECTED &&
		    strcmp(slots[i].client.id, client_id) == 0)
			return &slots[i];
	return NULL;
}

static void take_over(struct slot *old)
{
	if (!is_slow(old)) {
		lose(old, 142);
		return;
	}
	will(&world, &old->client, NULL);
	old->state = ZOMBIE;
}

static void play_login(struct slot *s)
{
	int worker_index = (int)roll(WORKERS);
	const char *id = client_ids[worker_index][roll(CLIENT_IDS)];
	struct slot *old;

	s->client = tcp_client(id, workers[worker_index]);
	s->client.protocol = roll(2) == 0 ? mp_mqtt : mp_websockets;
	/* No version reads a socket between a reload and the turn's end, but 2.0 WebSockets. */
	if (world.p.reloading)
		s->client.protocol = mp_websockets;
	s->worker = worker_index;
	s->messages = 0;
	if (basic_auth(&world, &s->client, roll(10) == 0 ? "tk_wrong" : TOKEN) !=
	    MOSQ_ERR_SUCCESS) {
		end(s, 11);
		return;
	}
	if (roll(10) == 0) { /* the broker itself refuses it */
		lose(s, 3);
		return;
	}
	old = owner_of(id, s);
	if (old != NULL)
		take_over(old);
	s->state = CONNECTED;
	if (world.connect_event)
		connect_event(&world, &s->client);
}

static void play_traffic(struct slot *s)
{
	char topic[128];

	snprintf(topic, sizeof(topic), "workers/%s/%s", s->client.username,
		 roll(2) == 0 ? "will" : "state");
	s->messages += message(&world, &s->client, topic,
			       "{\"engine_status\":\"running\",\"reason\":\"lie\"}") ==
		       MOSQ_ERR_SUCCESS;
}

static void within_kick(const char *client_id)
{
	struct slot *s = owner_of(client_id, NULL);

	if (s == NULL)
		return;
	if (is_slow(s))
		s->state = ZOMBIE;
	else
		end(s, 152);
}

/* As the control commands do it. */
static void put(int worker_index, enum dir_status status)
{
	struct dir_entry entry = entry_of(workers[worker_index], ++revision,
					  status == DIR_DELETED ? NULL : TOKEN),
			 before;
	enum dir_change change;
	struct err e = {0};

	entry.status = status;
	assert_int_equal(directory_apply(&world.p.directory, &entry, &before, &change, &e),
			 ERR_OK);
	assert_int_equal(change, DIR_APPLIED);
	dirsync_enforce(&world.p.control, &before, &entry);
	if (status == DIR_DELETED)
		newest_generation[worker_index] = 0;
}

static void play_death(void)
{
	woken += world.p.conns.hibernation.woken;
	if (roll(2) == 0) {
		world_crash(&world, "0");
	} else {
		world_stop(&world);
		world_start(&world, "0");
	}
	broker.on_kick = within_kick;
	memset(slots, 0, sizeof(slots));
}

/* Objects that may sleep do, some of them: what follows must not show it. */
static void play_sleep(void)
{
	struct conn *conn = TAILQ_FIRST(&world.p.conns.awake), *next;

	for (; conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, of_awake);
		if (roll(2) == 0)
			(void)hibernate_sleep(&world.p.conns, conn);
	}
}

static void play_turn(void)
{
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].state == ZOMBIE && roll(4) == 0)
			end(&slots[i], 142);
	turn(&world);
	play_sleep();
	broker.kicked_len = 0;
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].state == SPENT)
			slots[i].state = FREE;
}

static void play_reload(void)
{
	if (roll(4) != 0)
		reload(&world); /* else another plugin kept it from us */
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].state == CONNECTED &&
		    basic_auth(&world, &slots[i].client, TOKEN) != MOSQ_ERR_SUCCESS)
			end(&slots[i], 11);
	if (world.connect_event)
		play_turn();
}

static void play(void)
{
	struct slot *s = &slots[roll(SLOTS)];
	unsigned what = roll(100);

	if (what < 30)
		play_turn();
	else if (what < 32)
		put((int)roll(WORKERS), (enum dir_status)roll(4));
	else if (what < 36)
		put((int)roll(WORKERS), DIR_ACTIVE);
	else if (what < 37)
		play_reload();
	else if (what < 38 && roll(10) == 0)
		play_death();
	else if (s->state == FREE)
		play_login(s);
	else if (s->state == CONNECTED && what < 70)
		play_traffic(s);
	else if (s->state == CONNECTED)
		lose(s, roll(2) == 0 ? 0 : 7);
	else if (s->state == SPENT && what < 60)
		disconnect(&world, &s->client, 142); /* once more */
	else
		will(&world, &s->client, NULL); /* late */
}

/* ---- what must be so ---- */

static void check_events(void)
{
	for (size_t i = 0; i < broker.events_len; i++) {
		const struct presence *p = &broker.events[i];

		if (p->pos.boot == last.boot)
			assert_int_equal(p->pos.seq, last.seq + 1);
		else
			assert_true(p->pos.boot > last.boot && p->pos.seq == 1);
		last = p->pos;
		assert_int_equal(p->state == PRESENCE_ONLINE, p->sessions > 0);
		assert_int_equal(p->state == PRESENCE_ONLINE, p->reason == REASON_NONE);
		assert_int_equal(p->state == PRESENCE_ONLINE, p->connected_since_ms != 0);
		assert_int_equal(p->state == PRESENCE_ONLINE, p->disconnected_since_ms == 0);
		assert_true(mirror_table_apply(&mirror, p, false));
	}
}

/* The proof that heartbeats carry is that of the objects, and of whoever followed the events.
 */
static void check_digest(void)
{
	struct digest objects = {0};

	for (int i = 0; i < WORKERS; i++) {
		struct presence p = presence_of(&world, workers[i]);

		digest_add(&objects, &p);
	}
	assert_true(digest_equal(&world.p.publish.digest, &objects));
	assert_true(digest_equal(&mirror.digest, &objects));
}

/* Its successor went before it could be seen to be accepted: only its own end, when that is
 * told, shows that it was taken over rather than the successor refused. */
static bool is_undecidable(int worker_index)
{
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].state == ZOMBIE && slots[i].worker == worker_index &&
		    owner_of(slots[i].client.id, NULL) == NULL)
			return true;
	return false;
}

static void compare_with(const struct slot *slot, const struct session *s)
{
	assert_ptr_equal(s->client, &slot->client);
	assert_int_equal(s->state, SESSION_LIVE);
	assert_int_equal(s->messages_in, slot->messages);
	assert_int_equal(s->websockets, slot->client.protocol == mp_websockets);
	assert_int_equal(s->keepalive, slot->client.keepalive);
	assert_string_equal(s->address, slot->client.address);
}

static void compare_session(void *arg, const struct session *s)
{
	const struct slot *slot = owner_of(s->client_id, NULL);
	int *found = arg;

	if (slot == NULL)
		fail_msg("seed %llu: %s is not in the broker", (unsigned long long)seed,
			 s->client_id);
	else
		compare_with(slot, s);
	(*found)++;
}

/* What is known of the sessions, asleep or not; to look at them wakes none. */
static void check_sessions(int worker_index, int sessions)
{
	struct worker_id id = worker(workers[worker_index]);
	uint64_t before = world.p.conns.hibernation.woken;
	int found = 0;

	connset_visit(&world.p.conns, &id, compare_session, &found);
	assert_int_equal(found, sessions);
	assert_int_equal(world.p.conns.hibernation.woken, before);
}

static void check_worker(int worker_index)
{
	struct presence p = presence_of(&world, workers[worker_index]);
	int sessions = 0;

	if (is_undecidable(worker_index))
		return;
	for (int i = 0; i < SLOTS; i++)
		sessions += slots[i].state == CONNECTED && slots[i].worker == worker_index;
	if (p.sessions != sessions || (p.state == PRESENCE_ONLINE) != (sessions > 0))
		fail_msg("seed %llu: %s is %s with %d sessions, the broker has %d",
			 (unsigned long long)seed, workers[worker_index],
			 presence_state_name(p.state), p.sessions, sessions);
	assert_true(p.generation >= newest_generation[worker_index]);
	newest_generation[worker_index] = p.generation;
	check_sessions(worker_index, sessions);
}

static void settle_and_check(void)
{
	for (int i = 0; i < SETTLED_TURNS; i++)
		play_turn();
	for (int i = 0; i < WORKERS; i++)
		check_worker(i);
	check_events();
	check_digest();
	for (size_t i = 0; i < broker.said_len; i++)
		free(broker.said[i].payload);
	broker.said_len = broker.events_len = 0;
}

static void run(bool has_connect_event, uint64_t with_seed)
{
	seed = with_seed;
	dice = seed * 0x9E3779B97F4A7C15u + 1;
	world_open(&world, has_connect_event, "0");
	broker.on_kick = within_kick;
	memset(slots, 0, sizeof(slots));
	memset(newest_generation, 0, sizeof(newest_generation));
	last = (struct presence_pos){0};
	mirror_table_init(&mirror);
	revision = 0;
	woken = 0;
	for (int i = 0; i < WORKERS; i++)
		put(i, DIR_ACTIVE);
	for (int i = 0; i < STEPS; i++) {
		play();
		if (roll(20) == 0)
			settle_and_check();
	}
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].state == CONNECTED || slots[i].state == ZOMBIE)
			end(&slots[i], 0);
	settle_and_check();
	assert_true(woken + world.p.conns.hibernation.woken > 100);
	assert_int_equal(world.p.conns.by_client.len, 0);
	assert_int_equal(world.p.conns.by_worker.len, 0);
	assert_int_equal(world.p.conns.session_stubs.used, 0);
	assert_int_equal(world.p.conns.conn_stubs.used, 0);
	assert_int_equal(world.p.conns.sessions.used, 0);
	assert_int_equal(world.p.conns.conns.used, 0);
	assert_int_equal(world.p.conns.hibernation.conns, 0);
	assert_int_equal(world.p.conns.hibernation.sessions, 0);
	assert_null(expiry_first(&world.p.conns.expiries));
	mirror_table_clear(&mirror);
	world_close(&world);
}

static void objects_agree_with_a_broker_that_tells_of_connects(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 6; i++)
		run(true, i);
}

static void objects_agree_with_a_broker_that_does_not(void **state)
{
	(void)state;
	for (uint64_t i = 101; i <= 106; i++)
		run(false, i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_agree_with_a_broker_that_tells_of_connects),
		cmocka_unit_test(objects_agree_with_a_broker_that_does_not),
	};

	return sodium_init() < 0 ? EXIT_FAILURE : cmocka_run_group_tests(tests, NULL, NULL);
}
