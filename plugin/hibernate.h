// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* hibernate.h - connection objects that have nothing to do leave memory, and come back.
 *
 * An object is asleep or awake. Asleep it is a conn_stub with a session_stub a session, which
 * the tables go on finding; the rest lies in the swap file (swap.h), and its last event in
 * storage, as of any object. Whatever needs the object goes through connset_find() or
 * connset_session(), which wake it, so that nobody else knows of this. Only what reads without
 * use (connset_presence(), connset_visit()) does not wake.
 *
 * It falls asleep after hibernate_after seconds without use, a bounded number in a turn of the
 * loop. MQTT's pings raise no event in a plugin, so a worker that only pings stays asleep.
 *
 * Thread: the broker's.
 */
#pragma once

#include "plugin/histogram.h"
#include "plugin/swap.h"
#include "protocol/ident.h"

#include <stddef.h>

struct conn;
struct connset;
struct session;

/* Part of a connset. */
struct hibernation {
	struct swap swap;
	int64_t after_us;        /* without use, until it sleeps */
	size_t conns, sessions;  /* asleep now */
	uint64_t slept, woken;   /* since start */
	uint64_t write_failures; /* stayed awake, for the file could not be written */
	uint64_t read_failures;
	int64_t said_us; /* when the log last spoke of either */
	struct histogram wakes;
};

/* By connset_open() and connset_close(). */
enum err_code hibernate_open(struct connset *set, struct err *e) MUST_CHECK;
void hibernate_close(struct connset *set);

struct hibernate_stats {
	size_t conns_awake, conns_asleep, sessions_awake, sessions_asleep;
	uint64_t slept, woken, write_failures, read_failures;
	int64_t wake_median_ns, wake_p99_ns, wake_max_ns;
	size_t stub_bytes;  /* of stubs, tables and heap, for all objects */
	size_t awake_bytes; /* of the rest, for those that are awake */
};

void hibernate_stats(const struct connset *set, struct hibernate_stats *out);

/* The object is used: it does not sleep before its time has run again. */
void hibernate_used(struct connset *set, struct conn *conn);

/* Once per turn, when the turn's ends are settled: lets those sleep that are due, for about a
 * millisecond. True if more are due. */
bool hibernate_tick(struct connset *set);

/* Lets the object sleep now. False, and nothing happens, if it is not in the state for it (it
 * is online, all of its sessions are live, its last event is in storage), or the file cannot be
 * written. */
bool hibernate_sleep(struct connset *set, struct conn *conn);

/* Wakes the object of this stub. What the file does not give back is replaced if the object's
 * id is known: by what storage has of it, and LOST sessions. NULL: memory is short, or the file
 * cannot be read and `id` is NULL. */
struct conn *hibernate_wake(struct connset *set, uint32_t conn_number,
			    const struct worker_id *id);

/* The id of an object that is asleep. False: the file cannot be read. */
bool hibernate_id(const struct connset *set, uint32_t conn_number, struct worker_id *out);

/* Reads the session at this place into *out, whose links are all NULL. */
bool hibernate_peek(const struct connset *set, uint32_t session_number, struct session *out);
