// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Messages of the broker: a line with the topic, then the payload, to whatever part of the
 * bridge listens to it. Workers write some of them; the rest comes from the plugin, or from
 * somebody who may write to its topics. */
#include "tests/fuzz/fuzz_bridge.h"

#include <sodium.h>

#define LISTENERS_MAX 32

static struct broker_listener *listeners[LISTENERS_MAX];
static size_t listeners_len;

void __wrap_broker_listen(struct broker *b, struct broker_listener *listener);
void __wrap_broker_listen(struct broker *b, struct broker_listener *listener)
{
	(void)b;
	must(listeners_len < LISTENERS_MAX);
	listeners[listeners_len++] = listener;
}

static bool hears(const struct broker_listener *l, const char *topic)
{
	return l->wants != NULL ? l->wants(l->arg, topic) : strcmp(l->filter, topic) == 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(sodium_init() >= 0 && clearenv() == 0);
	log_set_sink(quiet);
	start_parts();
	add_worker("w1", WORKER_ACTIVE);
	add_worker("w2", WORKER_REVOKED);
	for (size_t i = 0; i < listeners_len; i++)
		if (listeners[i]->connected != NULL)
			listeners[i]->connected(listeners[i]->arg);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = input_of(data, len);
	char *topic = input_line(&in);

	for (size_t i = 0; i < listeners_len; i++)
		if (hears(listeners[i], topic))
			listeners[i]->message(listeners[i]->arg, topic, in.at, input_left(&in));
	run_laters();
	free(topic);
	return 0;
}
