// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* conn.h - the connection object: one a worker, with its set of sessions. It alone decides who
 *is connected. docs/connection-object.md draws its states and tells a session's life.
 *
 *	session_admit()   a login was accepted by us; the broker may still refuse it
 *	session_accept()  the broker has it: the session is live
 *	session_end()     the broker says that it ended; why is settled at the turn's end, when
 *	                  its will has been seen or not
 *	session_close()   we end it: notice, then close, a few turns later
 *
 * An object is in memory while it has a session, or may get one back within the grace period;
 * otherwise it is a record in storage. One that is idle hibernates (hibernate.h). A session is
 *found by the broker's client pointer, which is a key and never followed: the address of a dead
 *client may belong to a new one.
 *
 * Owns:   conns and sessions. Thread: the broker's.
 */
#pragma once

#include "plugin/directory.h"
#include "plugin/expiry.h"
#include "plugin/hibernate.h"
#include "plugin/numtab.h"
#include "plugin/object.h"
#include "plugin/options.h"
#include "plugin/publish.h"
#include "plugin/slab.h"
#include "protocol/htab.h"

#include <sys/queue.h>

enum session_state {
	SESSION_PENDING, /* admitted; no sign yet that the broker accepted it */
	SESSION_LIVE,
	SESSION_LOST,    /* as live, but what hibernation kept of it cannot be read back */
	SESSION_CLOSING, /* denied everything; its notice is on the way, then it is kicked */
	SESSION_ENDED,   /* until the turn's end, for its will may come after its end */
};

/* Why a session ended, as far as the broker's event tells. */
enum end_cause {
	END_UNKNOWN,   /* Mosquitto 2.0 never says */
	END_GOODBYE,   /* the client sent DISCONNECT */
	END_LOST,      /* the connection broke */
	END_KEEPALIVE, /* it was silent for 1.5 times its keepalive (MQTT 5 section 3.1.2.10) */
	END_PROTOCOL,  /* malformed or too large packet */
	END_KICKED,    /* by the broker's administrator, or us */
};

/* What BASIC_AUTH shows of a client. Strings are borrowed from the broker. */
struct login {
	const void *client;
	const char *client_id, *username, *password, *address;
	bool websockets, clean;
	int version; /* 3, 4 or 5 */
	int keepalive;
};

/* What of a session is always in memory, hibernated or not: 32 bytes. */
struct session_stub {
	const void *client;
	union {
		struct session *session; /* its object is awake */
		uint32_t next;           /* asleep: next stub of the object, 0 for none */
	};
	struct expiry expiry; /* of the token that it logged in with */
	uint32_t conn : 31;   /* number of its object's stub */
	uint32_t websockets : 1;
};

struct session {
	TAILQ_ENTRY(session) of_conn;
	TAILQ_ENTRY(session) of_list; /* pending, closing or ended list, by state */
	struct conn *conn;
	struct session_stub *stub;
	uint32_t number, body; /* of the stub; of this */
	enum session_state state;
	enum presence_reason close_reason; /* CLOSING */
	enum end_cause cause;              /* ENDED */
	bool will_seen;
	bool proves; /* PENDING: its token is a pending one, and its acceptance shows that it
			holds it */
	int turns;   /* turns of the loop since it entered its state (PENDING, CLOSING) */
	uint64_t will_turn;
	int64_t ended_ms;
	char *detail; /* the will's words, NULL if none; owned */
	/* From here to the end: what hibernation keeps, as it stands. No pointers to follow. */
	const void *client;
	int64_t generation;
	int64_t connected_ms, last_message_ms;
	int64_t messages_in, bytes_in, messages_out, bytes_out;
	struct token_hash token; /* that it logged in with */
	/* The one whose life the session shares: the same, or the one that replaced it since in
	 * a renewal, which never ends a session. */
	struct token_hash held;
	int version, keepalive;
	bool websockets;
	char client_id[CLIENT_ID_MAX + 1];
	char address[48];
};

TAILQ_HEAD(session_list, session);

/* What of an object is in memory while any of it is: 16 bytes. */
struct conn_stub {
	union {
		struct conn *conn;      /* awake */
		uint32_t first_session; /* asleep: its newest session's stub */
	};
	uint32_t id_hash;
	bool asleep;
};

/* The object's last event, but for the words that go with an end. */
struct conn_event {
	enum presence_state state;
	enum presence_reason reason;
	int sessions;
	struct presence_pos pos;
	int64_t generation, at_ms, connected_since_ms, disconnected_since_ms;
};

struct conn {
	struct session_list sessions; /* newest first; not the ENDED ones */
	/* Its last session has ended and the end is not told yet; NULL if nothing is open. */
	struct session *unsettled;
	uint32_t number, body;  /* of its stub; of this */
	int64_t grace_until_us; /* RECONNECTING */
	TAILQ_ENTRY(conn) of_grace;
	TAILQ_ENTRY(conn) of_idle;  /* nothing keeps it in memory: freed at the turn's end */
	TAILQ_ENTRY(conn) of_awake; /* the one that was used least recently in front */
	int64_t used_us;            /* when it went to that list's end */
	char *detail;               /* of the last event; NULL if none; owned */
	bool idle;
	bool forget;  /* the worker was deleted: nothing may stay of the object */
	bool unsaved; /* storage refused its last event, so memory alone has it: it stays */
	TAILQ_ENTRY(conn) of_unsaved;
	/* From here to the end: what hibernation keeps, as it stands. */
	struct conn_event last;
	int64_t generation, reserved;
	int64_t connects_full_us;  /* limits.h, in Unix time: kept in storage */
	int64_t publishes_full_us; /* limits.h */
	int64_t limit_told_us;     /* when it last got a notice that it publishes too much */
	int live;                  /* sessions that are LIVE or CLOSING */
	struct worker_id id;
};

TAILQ_HEAD(conn_list, conn);

struct connset {
	const struct options *options;
	struct store *store;
	struct publish *publish;
	struct slab session_stubs, conn_stubs; /* of all */
	struct slab sessions, conns;           /* bodies of those that are awake */
	struct numtab by_client;               /* session stubs */
	struct numtab by_worker;               /* conn stubs */
	struct htab kicked;                    /* clients, see connset_kicked() */
	struct session_list pending, closing, ended;
	struct expiry_heap expiries; /* of the sessions that are PENDING or LIVE */
	struct conn_list grace;      /* RECONNECTING, the one that is due first in front */
	struct conn_list idle;
	struct conn_list awake; /* all objects that are not hibernated */
	struct hibernation hibernation;
	bool has_connect_event;   /* Mosquitto 2.1 and later say when a login is accepted */
	uint64_t turn;            /* of the broker's loop */
	int64_t now_us;           /* when that turn began */
	int64_t generation_floor; /* see lifecycle.c */
	struct conn_list unsaved; /* storage refused their last events */
	int64_t save_again_us;
	void (*kick)(const char *client_id); /* the broker's */
};

enum err_code connset_open(struct connset *set, const struct options *options,
			   struct store *store, struct publish *publish,
			   void (*kick)(const char *client_id), struct err *e) MUST_CHECK;
void connset_close(struct connset *set); /* frees all; tells nothing */

/* Borrowed; NULL if the worker is not connected (nor was a moment ago), or the client has no
 * session of ours. A hibernated object wakes: whoever asks so, uses it. */
struct conn *connset_find(struct connset *set, const struct worker_id *id);
struct session *connset_session(struct connset *set, const void *client);

/* Calls fn for each session that the worker has, the newest first, without waking its object.
 * Of a hibernated one `s` is a copy, to be read during the call. True if it is hibernated. */
typedef void (*session_visit_f)(void *arg, const struct session *s);
bool connset_visit(const struct connset *set, const struct worker_id *id, session_visit_f fn,
		   void *arg);

/* Sessions that count against max_sessions_per_worker when `client_id` logs in: all but the one
 * that it would take over. */
int connset_other_sessions(const struct connset *set, const struct worker_id *id,
			   const char *client_id);

/* The object, from memory or storage; wakes nothing, but tells an end that would be told at the
 * turn's end. False if the worker was never connected. */
bool connset_presence(struct connset *set, const struct worker_id *id, struct presence *out);

/* Whether the broker was told to end this client, and has yet to. Mosquitto 2.0 does so with a
 * WebSocket when its library has given the connection up, which takes seconds where the peer is
 * out of reach; a reload authenticates it again until then, although its session is over. */
bool connset_kicked(const struct connset *set, const void *client);
void connset_gone(struct connset *set, const void *client); /* it is no such client any more */

/* The broker gave this address to a new client: if a session of ours is known by it, its end
 * was not told to us. */
void session_reused(struct connset *set, const void *client);

/* Starts a PENDING session. ERR_RATE_LIMITED: the worker connects too often; its sessions stay
 * as they are. */
enum err_code session_admit(struct connset *set, const struct worker_id *id,
			    const struct login *login, const struct dir_token *token,
			    struct err *e) MUST_CHECK;

/* The worker publishes a message. False: one too many, and the session has been told so if that
 * is not a minute ago. */
bool session_may_publish(struct connset *set, struct session *s);

/* PENDING to LIVE; nothing in other states. A live session with the same client id is taken
 * over: the broker closes it, and no offline shows in between. */
void session_accept(struct connset *set, struct session *s);

/* The broker says that the client is gone. */
void session_end(struct connset *set, struct session *s, enum end_cause cause);

/* A will of this session was published, or a message on its will topic: which of the two shows
 * session_not_will(), which follows for a message. `detail` is borrowed, may be NULL. */
void session_will(struct connset *set, struct session *s, const char *detail);
void session_not_will(struct session *s);

/* A will that fired after its session had been told (will delay). */
void conn_late_will(struct connset *set, const struct worker_id *id, const char *detail);

/* Ends the session: a notice with code and message, no rights from now on, then a kick. */
void session_close(struct connset *set, struct session *s, enum presence_reason reason,
		   const char *code, const char *message);

/* The same for all sessions of the worker that `which` picks (NULL: all); how many they were.
 */
typedef bool (*session_pick_f)(const struct session *s, const void *arg);
int conn_close_sessions(struct connset *set, const struct worker_id *id,
			enum presence_reason reason, const char *code, const char *message,
			session_pick_f which, const void *arg);

/* LOST to CLOSING: the broker has shown who it is, so that it can be kicked. */
void session_found(struct connset *set, struct session *s, const char *client_id);

/* What is known of the worker's tokens changed: sessions of a token that is gone are closed,
 * others get its new end. A session whose token was replaced in a renewal (it became
 * `previous`) goes on with the token that replaced it. */
void conn_tokens_changed(struct connset *set, const struct dir_entry *before,
			 const struct dir_entry *entry);

/* The worker acknowledged this pending token over this session: noted for the bridge, and the
 * session goes on with it, whether or not a bridge is there. */
void session_took_token(struct connset *set, struct session *s, const struct dir_token *token);

/* Forgets a deleted worker once its sessions are gone: record, reported state, retained event.
 */
void conn_forget(struct connset *set, const struct worker_id *id);

/* ---- between those who move objects and sessions, and connset.c, which keeps them ---- */

/* The object in memory, loaded or made if need be. NULL: out of memory. */
struct conn *connset_load(struct connset *set, const struct worker_id *id);

/* Keeps or frees: called after whatever may have taken an object's last reason to be in memory.
 */
void connset_may_idle(struct connset *set, struct conn *conn);

/* Tells an end that is still open, if there is one. */
void conn_settle(struct connset *set, struct conn *conn);

/* The one function that moves an object between states, and tells it. False, and nothing
 * happens, where the table of moves does not allow it. */
bool conn_move(struct connset *set, struct conn *conn, enum presence_state to,
	       enum presence_reason reason, const char *detail);

/* A session with its place in the tables, and nothing else. NULL: out of memory. */
struct session *connset_new_session(struct connset *set, struct conn *conn, const void *client);

/* The session of a client whose object cannot be woken by what it wrote: with the name that the
 * client logged in with, it wakes nevertheless, and the session is LOST. NULL: it is none of
 * ours, or the object is not in storage either. */
struct session *connset_rescue(struct connset *set, const void *client, const char *username);

/* The address has a new client; the session that had it, if there is one, cannot be woken. */
void connset_disown(struct connset *set, const void *client);

/* Stores the object. Where storage refuses, it is unsaved: it stays in memory, and is offered
 * again at the ends of turns. */
void conn_save(struct connset *set, struct conn *conn);

/* What storage knows of an object, into one that has its id and nothing else. False: it knows
 * nothing. */
bool conn_restore(struct connset *set, struct conn *conn);

/* The object's last event, whole. */
void conn_presence(const struct conn *conn, struct presence *out);

/* Frees an ENDED session, which leaves the tables. */
void session_free(struct connset *set, struct session *s);

/* The turn's end. True if the loop must turn again soon. */
bool connset_tick(struct connset *set, int64_t now_us);

/* At start: tells the end of whatever the earlier life left open, and renews retained events.
 * Blocks. On failure some may still be stored as online: the plugin must not start. */
enum err_code connset_restart(struct connset *set, bool was_shut_down,
			      struct err *e) MUST_CHECK;
