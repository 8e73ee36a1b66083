// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* How it is noticed: a timer's pulses, of which each notes the time. Who finds the last one too
 * long ago knows that the loop did not turn, whether it is the pulse itself that comes late or
 * a request that comes before it. */
#include "bridge/presence/catchup.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/base/tally.h"
#include "bridge/mqtt/broker.h"
#include "bridge/mqtt/control.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <inttypes.h>
#include <stdlib.h>

#define PULSE_MS 20
/* With the pulse's period well below the 100 ms that an answer may be old. */
#define HELD_UP_US (PULSE_MS * 1000 + INT64_C(50000))
#define ANSWER_MS 2000

struct catchup {
	struct app *app;
	struct timer *pulse;
	int64_t pulsed_us;
	int64_t since_us; /* when it was found to be behind; 0: it is not */
	bool asked;       /* the plugin has a question whose answer will tell */
	bool again;       /* held up once more since it was asked */
};

static void ask(struct catchup *c);

static void on_answer(void *arg, struct json_object *data, struct err *e)
{
	struct catchup *c = arg;

	(void)data;
	c->asked = false;
	/* Without a connection nothing is known anyway, and the next one begins with a list. */
	if (broker_connected(c->app->broker) && (e->code != ERR_OK || c->again)) {
		ask(c);
		return;
	}
	log_debug("catchup", "caught up after %" PRId64 " us", clock_mono_us() - c->since_us);
	c->since_us = 0;
}

static void ask(struct catchup *c)
{
	struct buf fields;

	buf_init(&fields, 64);
	buf_add_str(&fields, "\"limit\":0");
	c->asked = true;
	c->again = false;
	control_call(c->app->control, "getDirectory", &fields, ANSWER_MS, on_answer, c);
	buf_fini(&fields);
}

/* Looks how long ago the last pulse was. */
static void look(struct catchup *c)
{
	const int64_t now_us = clock_mono_us();
	const bool held_up = now_us - c->pulsed_us > HELD_UP_US;

	c->pulsed_us = now_us;
	if (!held_up || !broker_connected(c->app->broker))
		return;
	tally_add(TALLY_HELD_UP);
	if (c->since_us == 0)
		c->since_us = now_us;
	if (c->asked)
		c->again = true;
	else
		ask(c);
}

static void on_pulse(void *arg)
{
	look(arg);
}

bool catchup_holds(struct catchup *c)
{
	look(c);
	return c->since_us != 0 && !catchup_gave_up(c);
}

bool catchup_gave_up(const struct catchup *c)
{
	return c->since_us != 0 &&
	       clock_mono_us() - c->since_us >= CATCHUP_HOLD_MS * INT64_C(1000);
}

struct catchup *catchup_new(struct app *app, struct err *e)
{
	struct catchup *c = calloc(1, sizeof(*c));

	if (c != NULL) {
		c->app = app;
		c->pulsed_us = clock_mono_us();
		c->pulse = timer_new(app->loop, on_pulse, c);
	}
	if (c == NULL || c->pulse == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		free(c);
		return NULL;
	}
	timer_every(c->pulse, PULSE_MS);
	return c;
}

void catchup_free(struct catchup *c)
{
	if (c == NULL)
		return;
	timer_free(c->pulse);
	free(c);
}
