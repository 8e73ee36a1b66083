// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* wake.h - makes the broker's loop take another turn soon.
 *
 * As packaged, all versions of Mosquitto wait up to 100 ms for sockets, and nothing in the
 * plugin API ends that wait: messages that a plugin publishes from its tick (2.1), what it
 * sends to WebSocket clients (2.0.11) and a finished commit would all lie there until it is
 * over. So a POSIX timer raises a real-time signal with an empty handler, and epoll_wait()
 * returns with EINTR, which the broker expects. The timer repeats until it is disarmed, for a
 * signal that comes just before epoll_wait() is entered ends nothing.
 */
#pragma once

#include "protocol/err.h"

/* Thread: the broker's; the signal goes to the thread that calls this. */
enum err_code wake_open(struct err *e) MUST_CHECK;
void wake_close(void);

/* Any thread; async-signal-safe. Cheap when armed already. */
void wake_arm(void);

/* In about 2 ms: for what gains from company. Thread: the broker's. */
void wake_later(void);

/* Thread: the broker's, in a turn that leaves nothing waiting. */
void wake_disarm(void);
