// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/wake.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NS 100000 /* after what is left of this turn, usually */
#define LATER_NS 2000000
#define REPEAT_NS 500000 /* and again, in case the first came too early */

static const struct itimerspec soon = {
	{0, REPEAT_NS},
        {0, FIRST_NS }
};
static const struct itimerspec later = {
	{0, REPEAT_NS},
        {0, LATER_NS }
};
enum { NEVER, LATER, SOON };
static timer_t timer;
static int signal_number; /* 0: closed */
static atomic_int armed;  /* for when */

static void nothing(int number)
{
	(void)number;
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

enum err_code wake_open(struct err *e)
{
	struct sigaction act = {.sa_handler = nothing, .sa_flags = SA_RESTART};
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
	return ERR_OK;
}

void wake_close(void)
{
	if (signal_number == 0)
		return;
	timer_delete(timer);
	/* A signal that is still pending must not meet the default action, which kills. */
	signal(signal_number, SIG_IGN);
	signal_number = 0;
	atomic_store(&armed, NEVER);
}

void wake_arm(void)
{
	if (signal_number != 0 && atomic_exchange(&armed, SOON) != SOON)
		timer_settime(timer, 0, &soon, NULL);
}

/* Another thread may have asked for it in between, to no effect. */
static void repeat_if_soon(void)
{
	if (atomic_load(&armed) == SOON)
		timer_settime(timer, 0, &soon, NULL);
}

void wake_later(void)
{
	int never = NEVER;

	if (signal_number == 0 || !atomic_compare_exchange_strong(&armed, &never, LATER))
		return;
	timer_settime(timer, 0, &later, NULL);
	repeat_if_soon();
}

void wake_disarm(void)
{
	static const struct itimerspec never;

	if (signal_number == 0 || atomic_exchange(&armed, NEVER) == NEVER)
		return;
	timer_settime(timer, 0, &never, NULL);
	repeat_if_soon();
}
