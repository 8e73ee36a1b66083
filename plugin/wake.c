// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/wake.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NS 20000       /* after what is left of this turn, usually */
#define REPEAT_NS 500000     /* and again, in case the first came too early */
#define UNHURRIED_NS 3000000 /* where the loop is likely to turn by itself */
#define UNHURRIED_REPEAT_NS 2000000
#define LATER_NS 2000000

/* The loop is busy after so many turns that came by themselves, each so soon. */
#define BUSY_TURNS 16
#define BUSY_US 5000

static const struct itimerspec soon = {
	{0, REPEAT_NS},
        {0, FIRST_NS }
};
static const struct itimerspec unhurried = {
	{0, UNHURRIED_REPEAT_NS},
        {0, UNHURRIED_NS       }
};
static const struct itimerspec later = {
	{0, REPEAT_NS},
        {0, LATER_NS }
};
enum { NEVER, LATER, SOON };
static timer_t timer;
static int signal_number; /* 0: closed */
static atomic_int armed;  /* for when */
static atomic_bool busy;
static atomic_bool hurried;             /* what this turn published is waited for */
static bool held;                       /* the signal, but for while the loop waits */
static atomic_bool early;               /* the next signal may come before the loop waits */
static volatile sig_atomic_t signalled; /* since the last turn */
static bool eventful;                   /* the same: the broker had something to tell */
static bool in_tick;

static void on_signal(int number)
{
	(void)number;
	signalled = 1;
	/* Once: signals that always followed so soon could come faster than a slow machine
	 * takes them, and it would do nothing else. */
	if (atomic_exchange(&early, false))
		timer_settime(timer, 0, &soon, NULL);
}

/* The first real-time signal that nobody uses. Mosquitto 2.1 takes SIGRTMIN for itself. */
static int free_signal(void)
{
	for (int n = SIGRTMIN + 5; n < SIGRTMAX; n++) {
		struct sigaction now;

		if (sigaction(n, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
		    now.sa_handler == SIG_DFL)
			return n;
	}
	return 0;
}

/* Mosquitto 2.0 lets signals in for as long as it waits for sockets, and has its own mask at
 * all other times. With ours in that mask a signal that comes too early is not lost: it waits
 * until the loop does, where the next one, which the timer counts from there, finds it. */
static void hold_signal(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal_number);
	pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
	held = hold;
}

enum err_code wake_open(bool loop_has_own_mask, struct err *e)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID};
	int number = free_signal();

	if (number == 0)
		return err_set(e, ERR_INTERNAL, "no real-time signal is free");
	ev.sigev_signo = number;
	ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	sigemptyset(&act.sa_mask);
	if (sigaction(number, &act, NULL) != 0 ||
	    timer_create(CLOCK_MONOTONIC, &ev, &timer) != 0)
		return err_set(e, ERR_INTERNAL, "timer: %s", strerror(errno));
	signal_number = number;
	if (loop_has_own_mask)
		hold_signal(true);
	return ERR_OK;
}

void wake_close(void)
{
	if (signal_number == 0)
		return;
	timer_delete(timer);
	/* A signal that is still pending must not meet the default action, which kills. */
	signal(signal_number, SIG_IGN);
	if (held)
		hold_signal(false);
	signal_number = 0;
	atomic_store(&armed, NEVER);
}

static void start_timer(void)
{
	bool may_wait = atomic_load(&busy) && !atomic_load(&hurried);

	atomic_store(&early, held && !may_wait);
	timer_settime(timer, 0, may_wait ? &unhurried : &soon, NULL);
}

void wake_arm(void)
{
	if (signal_number != 0 && atomic_exchange(&armed, SOON) != SOON)
		start_timer();
}

/* Another thread may have asked for it in between, to no effect. */
static void repeat_if_soon(void)
{
	if (atomic_load(&armed) == SOON)
		start_timer();
}

static void arm_later(void)
{
	int never = NEVER;

	if (signal_number == 0 || !atomic_compare_exchange_strong(&armed, &never, LATER))
		return;
	timer_settime(timer, 0, &later, NULL);
	repeat_if_soon();
}

static void disarm(void)
{
	static const struct itimerspec never;

	if (signal_number == 0 || atomic_exchange(&armed, NEVER) == NEVER)
		return;
	atomic_store(&early, false);
	timer_settime(timer, 0, &never, NULL);
	repeat_if_soon();
}

static void note_turn(int64_t now_us)
{
	static int64_t last_us;
	static int in_a_row;

	in_a_row = (signalled && !eventful) || now_us - last_us > BUSY_US ? 0 : in_a_row + 1;
	atomic_store(&busy, in_a_row >= BUSY_TURNS);
	signalled = 0;
	eventful = false;
	last_us = now_us;
}

void wake_turn_begins(int64_t now_us)
{
	in_tick = true;
	note_turn(now_us);
	disarm();
}

void wake_turn_ends(bool again, bool in_company)
{
	in_tick = false;
	if (again)
		wake_arm();
	else if (in_company)
		arm_later();
	atomic_store(&hurried, false);
}

void wake_hurry(void)
{
	atomic_store(&hurried, true);
}

void wake_event(void)
{
	/* Not within the tick, which may cause events: what the store thread finishes during it
	 * needs a turn after it. */
	if (in_tick)
		return;
	eventful = true;
	if (atomic_load_explicit(&armed, memory_order_relaxed) != NEVER)
		disarm();
}
