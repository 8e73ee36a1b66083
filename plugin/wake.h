// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* wake.h - makes the broker's loop take another turn soon.
 *
 * As packaged, all versions of Mosquitto wait up to 100 ms for sockets, and nothing in the
 * plugin API ends that wait: messages that a plugin publishes from its tick (2.1), what it
 * sends to WebSocket clients (2.0.11) and a finished commit would all lie there until it is
 * over. So a POSIX timer raises a real-time signal with an empty handler, and epoll_wait()
 * returns with EINTR, which the broker expects. The timer repeats until it is disarmed, for a
 * signal that comes just before epoll_wait() is entered ends nothing. While the loop turns
 * often enough by itself it is left alone: a signal costs as much as a tenth of a login.
 */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Thread: the broker's; the signal goes to the thread that calls this. `loop_has_own_mask`: the
 * loop lets all signals of ours in while it waits for sockets, and restores the thread's own
 * mask (Mosquitto 2.0). */
enum err_code wake_open(bool loop_has_own_mask, struct err *e) MUST_CHECK;
void wake_close(void);

/* Any thread; async-signal-safe. Cheap when armed already. */
void wake_arm(void);

/* Around the tick, on the broker's thread: a turn is here, so what was waited for has come;
 * another one is wanted soon, or `later`, in about 2 ms, for what gains from company. */
void wake_turn_begins(int64_t now_us);
void wake_turn_ends(bool again, bool later);

/* Somebody waits for what this turn published: it leaves at once even if the loop is likely to
 * turn by itself soon. */
void wake_hurry(void);

/* The broker calls us: its loop does not wait, and its next tick is near without a signal. */
void wake_event(void);
