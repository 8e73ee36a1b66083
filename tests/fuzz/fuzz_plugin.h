// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* fuzz_plugin.h - the whole plugin for a fuzz target, on the fake broker of the unit tests. It
 * lives for many inputs, since to open storage takes longer than a thousand of them; what an
 * input leaves behind is cleared by a new life now and then. */
#pragma once

#include "tests/unit/test_plugin_fake.h"

#include "tests/fuzz/fuzz.h"

#define INPUTS_PER_LIFE 2000

static struct world world;
static bool world_is_open;

/* As broker_forget(), without clearing the room of what was never said. */
static inline void forget_said(void)
{
	for (size_t i = 0; i < broker.said_len; i++)
		free(broker.said[i].payload);
	broker.said_len = broker.events_len = broker.kicked_len = 0;
}

static inline void end_world(void)
{
	if (world_is_open)
		world_close(&world);
	world_is_open = false;
}

/* Before each input. `begin` sets the stage of a new life. */
static inline void next_input(void (*begin)(void))
{
	static unsigned inputs;

	if (inputs++ % INPUTS_PER_LIFE == 0) {
		end_world();
		world_open(&world, true, "0");
		world_is_open = true;
		begin();
	}
	forget_said();
}

/* Whatever the plugin says in JSON is JSON. Call it before the next forget_said(). */
static inline void check_said(void)
{
	struct json_object *doc;
	struct err e;

	for (size_t i = 0; i < broker.said_len; i++) {
		const struct said *s = &broker.said[i];

		if (s->len == 0 || s->payload[0] != '{')
			continue;
		doc = jread_parse_envelope(s->payload, (size_t)s->len, &e);
		must(doc != NULL);
		json_object_put(doc);
	}
}
