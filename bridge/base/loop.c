// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/loop.h"

#include "protocol/clock.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct loop {
	struct event_base *base;
	struct event *wake, *sigint, *sigterm, *sighup;
	loop_f hangup;
	void *hangup_arg;
	int wake_fd;
	pthread_mutex_t lock; /* guards the posts */
	struct loop_post *first, *last;
	atomic_bool stopped;
};

struct timer {
	struct event *event;
	loop_f fn;
	void *arg;
	bool every;
	struct timeval period;
};

/* Runs what is posted now; what those post in turn waits for the next round. */
static bool run_posts(struct loop *loop)
{
	struct loop_post *post;

	pthread_mutex_lock(&loop->lock);
	post = loop->first;
	loop->first = loop->last = NULL;
	pthread_mutex_unlock(&loop->lock);
	if (post == NULL)
		return false;
	while (post != NULL) {
		struct loop_post *next = post->next;

		post->fn(post->arg); /* may free the post */
		post = next;
	}
	return true;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) == sizeof(count))
		run_posts(arg);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	loop_stop(arg);
}

static void on_hangup(evutil_socket_t fd, short what, void *arg)
{
	const struct loop *loop = arg;

	(void)fd;
	(void)what;
	if (loop->hangup != NULL)
		loop->hangup(loop->hangup_arg);
}

static void wake(struct loop *loop)
{
	const uint64_t one = 1;

	/* Fails only when the counter is full, and then the loop is awake anyway. */
	if (write(loop->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static bool watch(struct loop *loop)
{
	loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
	loop->sigint = evsignal_new(loop->base, SIGINT, on_signal, loop);
	loop->sigterm = evsignal_new(loop->base, SIGTERM, on_signal, loop);
	loop->sighup = evsignal_new(loop->base, SIGHUP, on_hangup, loop);
	return loop->wake != NULL && loop->sigint != NULL && loop->sigterm != NULL &&
	       loop->sighup != NULL && event_add(loop->wake, NULL) == 0 &&
	       event_add(loop->sigint, NULL) == 0 && event_add(loop->sigterm, NULL) == 0 &&
	       event_add(loop->sighup, NULL) == 0;
}

struct loop *loop_new(struct err *e)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	struct event_config *how = event_config_new();

	/* A peer that went away is an error of write(), not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	if (loop == NULL || how == NULL) {
		free(loop);
		loop = NULL;
		goto out;
	}
	pthread_mutex_init(&loop->lock, NULL);
	event_config_set_flag(how, EVENT_BASE_FLAG_PRECISE_TIMER);
	loop->base = event_base_new_with_config(how);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->base == NULL || loop->wake_fd < 0 || !watch(loop)) {
		loop_free(loop);
		loop = NULL;
	}
out:
	if (how != NULL)
		event_config_free(how);
	if (loop == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, "cannot make the event loop");
	return loop;
}

void loop_drain(struct loop *loop)
{
	while (run_posts(loop))
		;
}

static void free_event(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	loop_drain(loop);
	free_event(loop->wake);
	free_event(loop->sigint);
	free_event(loop->sigterm);
	free_event(loop->sighup);
	if (loop->base != NULL)
		event_base_free(loop->base);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

void loop_run(struct loop *loop)
{
	while (!atomic_load(&loop->stopped) && event_base_loop(loop->base, EVLOOP_ONCE) >= 0)
		;
}

void loop_linger(struct loop *loop, bool (*busy)(void *arg), void *arg, int64_t max_ms)
{
	const struct timeval most = {.tv_sec = max_ms / 1000, .tv_usec = max_ms % 1000 * 1000};
	const int64_t end_us = clock_mono_us() + max_ms * 1000;

	/* Lets the last turn end where nothing happens any more. */
	event_base_loopexit(loop->base, &most);
	while (busy(arg) && clock_mono_us() < end_us &&
	       event_base_loop(loop->base, EVLOOP_ONCE) >= 0)
		;
}

void loop_on_hangup(struct loop *loop, loop_f fn, void *arg)
{
	loop->hangup = fn;
	loop->hangup_arg = arg;
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stopped, true);
	wake(loop);
}

void loop_post(struct loop *loop, struct loop_post *post)
{
	bool first;

	post->next = NULL;
	pthread_mutex_lock(&loop->lock);
	first = loop->first == NULL;
	if (first)
		loop->first = post;
	else
		loop->last->next = post;
	loop->last = post;
	pthread_mutex_unlock(&loop->lock);
	if (first)
		wake(loop);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct timer *timer = arg;

	(void)fd;
	(void)what;
	/* Set again before the call: fn may cancel or free the timer. */
	if (timer->every)
		event_add(timer->event, &timer->period);
	timer->fn(timer->arg);
}

struct timer *timer_new(struct loop *loop, loop_f fn, void *arg)
{
	struct timer *timer = calloc(1, sizeof(*timer));

	if (timer == NULL)
		return NULL;
	timer->fn = fn;
	timer->arg = arg;
	timer->event = evtimer_new(loop->base, on_timer, timer);
	if (timer->event == NULL) {
		free(timer);
		return NULL;
	}
	return timer;
}

void timer_free(struct timer *timer)
{
	if (timer == NULL)
		return;
	event_free(timer->event);
	free(timer);
}

static void timer_set(struct timer *timer, int64_t ms, bool every)
{
	timer->every = every;
	timer->period = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	event_add(timer->event, &timer->period);
}

void timer_once(struct timer *timer, int64_t delay_ms)
{
	timer_set(timer, delay_ms < 0 ? 0 : delay_ms, false);
}

void timer_every(struct timer *timer, int64_t period_ms)
{
	timer_set(timer, period_ms < 1 ? 1 : period_ms, true);
}

void timer_cancel(struct timer *timer)
{
	timer->every = false;
	event_del(timer->event);
}
