// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* loop.h - the one event loop that owns HTTP, the broker's socket, timers and every domain
 * object of the bridge (libevent). Whatever runs on it needs no lock and must not block.
 *
 * Thread: the loop thread, except loop_post() and loop_stop(), which any thread may call.
 */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct event_base;

typedef void (*loop_f)(void *arg);

struct loop *loop_new(struct err *e) MUST_CHECK;
void loop_free(struct loop *loop); /* NULL is fine; pending posts are run first */

/* Runs what is posted, and what that posts, until nothing is: for the way down, when the loop
 * does not turn any more. */
void loop_drain(struct loop *loop);

/* For the two modules that wait for a socket of their own (http, broker). */
struct event_base *loop_base(struct loop *loop);

/* Runs until loop_stop(), or SIGINT or SIGTERM. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Calls fn(arg) for each SIGHUP, which is without effect before this. */
void loop_on_hangup(struct loop *loop, loop_f fn, void *arg);

/* After loop_run(): turns on while busy(arg), for max_ms at most, so that what is under way can
 * come to its end. */
void loop_linger(struct loop *loop, bool (*busy)(void *arg), void *arg, int64_t max_ms);

/* Has fn(arg) called on the loop thread soon, in the order of posting. Never fails: the node is
 * part of the caller's memory and must stay until fn runs. */
struct loop_post {
	loop_f fn;
	void *arg;
	struct loop_post *next; /* the loop's */
};
void loop_post(struct loop *loop, struct loop_post *post);

/* A timer that its owner embeds by pointer. Calls fn(arg) once after delay_ms, or with
 * timer_every() again and again. Setting it anew replaces the earlier setting. */
struct timer;
struct timer *timer_new(struct loop *loop, loop_f fn, void *arg); /* NULL: out of memory */
void timer_free(struct timer *timer);                             /* NULL is fine */
void timer_once(struct timer *timer, int64_t delay_ms);
void timer_every(struct timer *timer, int64_t period_ms);
void timer_cancel(struct timer *timer);
