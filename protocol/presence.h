// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* presence.h - what the plugin says about one worker's connection: states, reasons, the event.
 * The plugin writes it, the bridge reads it. */
#pragma once

#include "protocol/ident.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"

#define NODE_ID_MAX 64
#define PRESENCE_DETAIL_MAX 256 /* bytes kept of a will's "reason" */
#define PRESENCE_ADDRESS_SIZE 48

/* X(NAME, text). "unknown" is the bridge's word for "the broker cannot be heard". */
#define PRESENCE_STATE_LIST(X)                                                                 \
	X(OFFLINE, "offline")                                                                  \
	X(RECONNECTING, "reconnecting")                                                        \
	X(ONLINE, "online")                                                                    \
	X(UNKNOWN, "unknown")

/* Why a worker is not online. Stored in LMDB by number: append only. */
#define PRESENCE_REASON_LIST(X)                                                                \
	X(NONE, NULL)                                                                          \
	X(CLIENT_DISCONNECT, "client_disconnect")                                              \
	X(CONNECTION_LOST, "connection_lost")                                                  \
	X(CONNECTION_CLOSED, "connection_closed")                                              \
	X(KEEPALIVE_TIMEOUT, "keepalive_timeout")                                              \
	X(PROTOCOL_ERROR, "protocol_error")                                                    \
	X(KICKED, "kicked")                                                                    \
	X(REVOKED, "revoked")                                                                  \
	X(DELETED, "deleted")                                                                  \
	X(TOKEN_EXPIRED, "token_expired")                                                      \
	X(BROKER_RESTART, "broker_restart")                                                    \
	X(BROKER_SHUTDOWN, "broker_shutdown")

enum presence_state {
#define X(name, text) PRESENCE_##name,
	PRESENCE_STATE_LIST(X)
#undef X
};

enum presence_reason {
#define X(name, text) REASON_##name,
	PRESENCE_REASON_LIST(X)
#undef X
		PRESENCE_REASONS
};

/* (boot, seq) of an event: within one node they only grow. */
struct presence_pos {
	int64_t boot, seq;
};

/* One presence event, and likewise the last event of an object in a list. */
struct presence {
	struct worker_id worker;
	enum presence_state state;
	enum presence_reason reason; /* REASON_NONE while online */
	int sessions;
	struct presence_pos pos;
	int64_t generation; /* number of the newest session, counted for ever */
	int64_t at_ms;      /* Unix milliseconds */
	int64_t connected_since_ms, disconnected_since_ms; /* 0: not so, or never */
	char detail[PRESENCE_DETAIL_MAX + 1];              /* the will's words; "" if none */
	char address[PRESENCE_ADDRESS_SIZE]; /* of the newest session; "" if not known. For
						bridges: not part of the event that others read
					      */
};

const char *presence_state_name(enum presence_state state);
const char *presence_reason_name(enum presence_reason reason); /* NULL for REASON_NONE */

/* True if a comes after b in the order of their node. */
bool presence_pos_after(struct presence_pos a, struct presence_pos b);

/* Writes the event as an object; `node` is the broker's name. */
void presence_write(struct jwrite *w, const char *key, const struct presence *p,
		    const char *node);

/* The fields of presence_write() into an object that is open already. */
void presence_write_fields(struct jwrite *w, const struct presence *p, const char *node);

/* Those of them that say when and why it last changed, likewise. */
void presence_write_change(struct jwrite *w, const struct presence *p);

/* The address behind them, for bridges alone: who may read a worker's presence need not know
 * where it is. */
void presence_write_address(struct jwrite *w, const struct presence *p);

/* Reads what presence_write() wrote (unknown keys are fine). Errors go to r's err. */
void presence_read(struct jread *r, struct presence *out);
