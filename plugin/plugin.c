// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* plugin.c - the three functions that Mosquitto calls, and the table of events. */
#include "plugin/plugin.h"

#include "plugin/broker_api.h"
#include "plugin/events.h"
#include "plugin/wake.h"
#include "protocol/log.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define OPTIONS_MAX 64

static const struct event {
	int id;
	MOSQ_FUNC_generic_callback fn;
	const char *data; /* the control topic */
	bool may_be_absent;
} events[] = {
  /* CONNECT first: whether the broker has it decides how logins are accepted */
	{EVENT_CONNECT,        on_connect,    NULL,          true },
	{EVENT_CLIENT_OFFLINE, on_disconnect, NULL,          true },
	{MOSQ_EVT_RELOAD,      on_reload,     NULL,          false},
	{MOSQ_EVT_BASIC_AUTH,  on_basic_auth, NULL,          false},
	{MOSQ_EVT_ACL_CHECK,   on_acl_check,  NULL,          false},
	{MOSQ_EVT_CONTROL,     on_control,    TOPIC_CONTROL, false},
	{MOSQ_EVT_MESSAGE,     on_message,    NULL,          false},
	{MOSQ_EVT_DISCONNECT,  on_disconnect, NULL,          false},
	{MOSQ_EVT_TICK,        on_tick,       NULL,          false},
};

/* The one instance of the process: with per_listener_settings true Mosquitto would start one
 * per listener, each seeing a part of the clients. */
static struct {
	struct plugin *plugin;
	mosquitto_plugin_id_t *identifier;
	bool registered[ARRAY_LEN(events)];
} instance;

static void broker_log(enum log_level level, const char *subsystem, const char *text)
{
	static const int levels[] = {MOSQ_LOG_ERR, MOSQ_LOG_WARNING, MOSQ_LOG_NOTICE,
				     MOSQ_LOG_DEBUG};

	mosquitto_log_printf(levels[level], "rollcall %s: %s", subsystem, text);
}

static void broker_kick(const char *client_id)
{
	/* Without its will: the reason is known, and told by us. */
	mosquitto_kick_client_by_clientid(client_id, false);
}

static void unregister_events(void)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (instance.registered[i])
			mosquitto_callback_unregister(instance.identifier, events[i].id,
						      events[i].fn, events[i].data);
	memset(instance.registered, 0, sizeof(instance.registered));
}

static enum err_code register_events(struct plugin *p, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		int rc = mosquitto_callback_register(instance.identifier, events[i].id,
						     events[i].fn, events[i].data, p);

		if (rc == MOSQ_ERR_SUCCESS)
			instance.registered[i] = true;
		else if (!events[i].may_be_absent)
			return err_set(e, ERR_INTERNAL, "the broker refused event %d: %d",
				       events[i].id, rc);
	}
	return ERR_OK;
}

static enum err_code parse_options(struct plugin *p, const struct mosquitto_opt *opts,
				   int count, struct err *e)
{
	const char *names[OPTIONS_MAX], *values[OPTIONS_MAX];

	if (count > OPTIONS_MAX)
		return err_set(e, ERR_INVALID_REQUEST, "too many options");
	for (int i = 0; i < count; i++) {
		names[i] = opts[i].key;
		values[i] = opts[i].value;
	}
	return options_parse(&p->options, names, values, count, e);
}

static void stop(void)
{
	unregister_events();
	plugin_stop(instance.plugin);
	wake_close(); /* after the store thread, which wakes */
	free(instance.plugin);
	instance.plugin = NULL;
}

static enum err_code start(struct mosquitto_opt *opts, int count, struct err *e)
{
	struct plugin *p = instance.plugin;
	bool has_connect_event;

	if (sodium_init() < 0)
		return err_set(e, ERR_INTERNAL, "libsodium cannot start");
	if (parse_options(p, opts, count, e) != ERR_OK || register_events(p, e) != ERR_OK)
		return e->code;
	has_connect_event = instance.registered[0];
	if (wake_open(!has_connect_event, e) != ERR_OK)
		return e->code;
	return plugin_start(p, broker_kick, has_connect_event, e);
}

EXPORT int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
	for (int i = 0; i < supported_version_count; i++)
		if (supported_versions[i] == 5)
			return 5;
	return -1;
}

EXPORT int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
				 struct mosquitto_opt *options, int option_count)
{
	struct err e = {0};

	(void)userdata;
	log_set_sink(broker_log);
	log_set_level(LOG_LEVEL_DEBUG); /* the broker's log_type filters */
	if (instance.plugin != NULL) {
		log_error("plugin",
			  "loaded twice: use it once, with per_listener_settings false");
		return MOSQ_ERR_INVAL;
	}
	instance.plugin = calloc(1, sizeof(*instance.plugin));
	if (instance.plugin == NULL)
		return MOSQ_ERR_NOMEM;
	instance.identifier = identifier;
	if (start(options, option_count, &e) == ERR_OK)
		return MOSQ_ERR_SUCCESS;
	log_error("plugin", "cannot start: %s", e.msg);
	stop();
	return MOSQ_ERR_INVAL;
}

EXPORT int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options,
				    int option_count)
{
	(void)userdata;
	(void)options;
	(void)option_count;
	if (instance.plugin != NULL)
		stop();
	return MOSQ_ERR_SUCCESS;
}
