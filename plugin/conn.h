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
 * otherwise it is a record in storage. A session is found by the broker's client pointer, which
 * is a key and never followed: the address of a dead client may belong to a new one.
 *
 * Owns:   conns and sessions. Thread: the broker's.
 */
#pragma once

#include "plugin/directory.h"
#include "plugin/expiry.h"
#include "plugin/object.h"
#include "plugin/options.h"
#include "plugin/publish.h"
#include "protocol/htab.h"

#include <sys/queue.h>

enum session_state {
	SESSION_PENDING, /* admitted; no sign yet that the broker accepted it */
	SESSION_LIVE,
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

struct session {
	TAILQ_ENTRY(session) of_conn;
	TAILQ_ENTRY(session) of_list; /* pending, closing or ended list, by state */
	struct conn *conn;
	const void *client;
	enum session_state state;
	enum presence_reason close_reason; /* CLOSING */
	enum end_cause cause;              /* ENDED */
	bool will_seen, websockets;
	int turns; /* turns of the loop since it entered its state (PENDING, CLOSING) */
	int version, keepalive;
	uint64_t will_turn;
	int64_t generation;
	int64_t connected_ms, ended_ms, last_message_ms;
	int64_t messages_in, bytes_in, messages_out, bytes_out;
	char *detail;            /* the will's words, NULL if none; owned */
	struct token_hash token; /* that it logged in with */
	struct expiry expiry;    /* of that token */
	char client_id[CLIENT_ID_MAX + 1];
	char address[48];
};

TAILQ_HEAD(session_list, session);

struct conn {
	struct worker_id id;
	struct session_list sessions; /* newest first; not the ENDED ones */
	int live;                     /* sessions that are LIVE or CLOSING */
	int64_t generation, reserved;
	struct presence last; /* as of the last event told */
	/* Its last session has ended and the end is not told yet; NULL if nothing is open. */
	struct session *unsettled;
	int64_t grace_until_us; /* RECONNECTING */
	TAILQ_ENTRY(conn) of_grace;
	TAILQ_ENTRY(conn) of_idle; /* nothing keeps it in memory: freed at the turn's end */
	bool idle;
	bool forget; /* the worker was deleted: nothing may stay of the object */
};

TAILQ_HEAD(conn_list, conn);

struct connset {
	const struct options *options;
	struct store *store;
	struct publish *publish;
	struct htab by_client; /* sessions */
	struct htab by_worker; /* conns */
	struct session_list pending, closing, ended;
	struct expiry_heap expiries; /* of the sessions that are PENDING or LIVE */
	struct conn_list grace;      /* RECONNECTING, the one that is due first in front */
	struct conn_list idle;
	bool has_connect_event; /* Mosquitto 2.1 and later say when a login is accepted */
	uint64_t turn;          /* of the broker's loop */
	void (*kick)(const char *client_id); /* the broker's */
};

void connset_open(struct connset *set, const struct options *options, struct store *store,
		  struct publish *publish, void (*kick)(const char *client_id));
void connset_close(struct connset *set); /* frees all; tells nothing */

/* Borrowed; NULL if the worker has no object in memory, or the client no session of ours. */
struct conn *connset_find(const struct connset *set, const struct worker_id *id);
struct session *connset_session(const struct connset *set, const void *client);

/* Sessions that count against max_sessions_per_worker when `client_id` logs in: all but the one
 * that it would take over. */
int connset_other_sessions(const struct connset *set, const struct worker_id *id,
			   const char *client_id);

/* The object, from memory or storage. False if the worker was never connected. */
bool connset_presence(struct connset *set, const struct worker_id *id, struct presence *out);

/* The broker gave this address to a new client: if a session of ours is known by it, its end
 * was not told to us. */
void session_reused(struct connset *set, const void *client);

/* Starts a PENDING session. */
enum err_code session_admit(struct connset *set, const struct worker_id *id,
			    const struct login *login, const struct dir_token *token,
			    struct err *e) MUST_CHECK;

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

/* What is known of the worker's tokens changed: sessions of a token that is gone are closed,
 * others get its new end. */
void conn_tokens_changed(struct connset *set, const struct dir_entry *entry);

/* Forgets a deleted worker once its sessions are gone: record, reported state, retained event.
 */
void conn_forget(struct connset *set, const struct worker_id *id);

/* ---- between conn.c, which moves objects, and connset.c, which keeps them ---- */

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

/* Frees an ENDED session, which leaves the tables. */
void session_free(struct connset *set, struct session *s);

/* The turn's end. True if the loop must turn again soon. */
bool connset_tick(struct connset *set, int64_t now_us);

/* At start: tells the end of whatever the earlier life left open, and renews retained events.
 * Blocks. On failure some may still be stored as online: the plugin must not start. */
enum err_code connset_restart(struct connset *set, bool was_shut_down,
			      struct err *e) MUST_CHECK;
