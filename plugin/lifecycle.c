// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* lifecycle.c - start, turn and stop of the plugin's parts: the table of contents. */
#include "plugin/plugin.h"

#include "plugin/codec.h"
#include "plugin/stats.h"
#include "plugin/wake.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <string.h>
#include <unistd.h>

/* Logins that follow one another so soon are a storm, whose turns are not all of logins. */
#define LOGIN_STORM_US 5000

#define META_BOOT "boot"
#define META_SHUTDOWN "shutdown" /* the boot that ended in order */
#define META_NODE "node"
#define META_FLOOR "generation_floor"

/* More sessions than a worker can have in one life of the broker. */
#define FLOOR_STEP (1 << 24)

/* How the life before this one ended, as the log says it. */
static const char EARLIER_NONE[] = "none", EARLIER_SHUT_DOWN[] = "shut_down",
		  EARLIER_CRASHED[] = "crashed";

static int64_t get_i64(struct store *s, const char *key)
{
	struct slice value;
	struct dec d;

	if (!store_get(s, STORE_META, key, strlen(key), &value))
		return 0;
	dec_begin(&d, value.data, value.len);
	return dec_i64(&d);
}

static enum err_code put_i64(struct store *s, const char *key, int64_t value, struct err *e)
{
	char bytes[8];

	enc_i64_at(bytes, value);
	return store_put(s, STORE_META, key, strlen(key), bytes, sizeof(bytes), e);
}

/* The option, else the name given at the first start, else the host's: a name that changed with
 * the host's would make every mirror believe in another broker. */
static enum err_code name_node(struct plugin *p, struct err *e)
{
	struct slice stored;

	if (p->options.node_id[0] != '\0') {
		memcpy(p->node, p->options.node_id, sizeof(p->node));
	} else if (store_get(p->store, STORE_META, META_NODE, strlen(META_NODE), &stored) &&
		   stored.len <= NODE_ID_MAX) {
		memcpy(p->node, stored.data, stored.len);
	} else if (gethostname(p->node, sizeof(p->node) - 1) != 0 || p->node[0] == '\0') {
		memcpy(p->node, "broker", sizeof("broker"));
	}
	return store_put(p->store, STORE_META, META_NODE, strlen(META_NODE), p->node,
			 strlen(p->node), e);
}

/* boot = max(stored + 1, now in seconds): it grows even when the clock went back. */
static enum err_code take_boot(struct plugin *p, const char **earlier_life, struct err *e)
{
	int64_t stored = get_i64(p->store, META_BOOT), now = clock_unix_ms() / 1000;

	*earlier_life = stored == 0                                  ? EARLIER_NONE
			: get_i64(p->store, META_SHUTDOWN) == stored ? EARLIER_SHUT_DOWN
								     : EARLIER_CRASHED;
	p->publish.boot = stored + 1 > now ? stored + 1 : now;
	if (put_i64(p->store, META_BOOT, p->publish.boot, e) != ERR_OK)
		return e->code;
	return store_sync(p->store, e);
}

/* Where generations begin for whoever has none that is known to be its last: above all that
 * were given out in lives that may have lost the record of it. */
static enum err_code find_floor(struct plugin *p, int64_t *floor, struct err *e)
{
	int64_t highest;

	*floor = get_i64(p->store, META_FLOOR);
	if (!store_may_lack(p->store))
		return ERR_OK;
	highest = object_highest_reserved(p->store);
	*floor = (highest > *floor ? highest : *floor) + FLOOR_STEP;
	log_warn("plugin",
		 "what changed last before the broker died may be lost: generations go on at "
		 "%lld",
		 (long long)*floor + 1);
	return put_i64(p->store, META_FLOOR, *floor, e);
}

enum err_code plugin_start(struct plugin *p, void (*kick)(const char *client_id),
			   bool has_connect_event, struct err *e)
{
	const char *earlier_life;
	int64_t floor;

	p->rules = (struct access_rules){p->options.topic_root, p->options.app_retain};
	p->started_us = clock_mono_us();
	stats_reset();
	p->store = store_open(p->options.storage_path, p->options.storage_size_mib,
			      p->options.flush_interval_ms, wake_arm, e);
	if (p->store == NULL || name_node(p, e) != ERR_OK || find_floor(p, &floor, e) != ERR_OK)
		return e->code;
	publish_open(&p->publish, p->node, p->options.topic_root, p->options.retain_presence);
	p->publish.slow_websockets = !has_connect_event;
	if (take_boot(p, &earlier_life, e) != ERR_OK || store_begin(p->store, e) != ERR_OK)
		return e->code;
	directory_open(&p->directory, p->store);
	if (connset_open(&p->conns, &p->options, p->store, &p->publish, kick, e) != ERR_OK)
		return e->code;
	p->conns.has_connect_event = has_connect_event;
	p->conns.generation_floor = floor;
	audit_open(&p->audit, &p->publish, p->node);
	limits_open(&p->limits, p->options.auth_failures_per_minute);
	gather_open(&p->gather, &p->publish);
	if (control_open(&p->control, &p->options, &p->conns, &p->directory, p->store,
			 &p->publish, e) != ERR_OK)
		return e->code;
	/* Stored before it is told: a second crash must find it done. */
	if (connset_restart(&p->conns, earlier_life == EARLIER_SHUT_DOWN, e) != ERR_OK)
		return e->code;
	publish_flush(&p->publish, clock_mono_us(), false);
	publish_flush_retained(&p->publish);
	p->started = true;
	log_info("plugin",
		 "version=%s node=%s boot=%lld workers=%lld closed=%lld storage=%s "
		 "earlier_life=%s",
		 ROLLCALL_VERSION, p->node, (long long)p->publish.boot,
		 (long long)p->directory.live, (long long)p->publish.seq,
		 p->options.storage_path, earlier_life);
	return ERR_OK;
}

void plugin_tick(struct plugin *p)
{
	int64_t now_us = clock_mono_us();
	bool more, later, storm;

	/* Disarm first: what the store thread finishes from here on arms it again. */
	wake_turn_begins(now_us);
	p->reloading = false;
	store_collect(p->store);
	more = connset_tick(&p->conns, now_us);
	more |= control_tick(&p->control, now_us);
	audit_tick(&p->audit, now_us);
	later = gather_tick(&p->gather, now_us);
	if (p->logins > 0)
		p->last_login_us = now_us;
	p->logins = 0;
	storm = now_us - p->last_login_us < LOGIN_STORM_US;
	store_flush(p->store, p->control.waiting != NULL ? STORE_URGENT
			      : storm                    ? STORE_STORM
							 : STORE_CALM);
	more |= publish_flush(&p->publish, now_us, storm);
	wake_turn_ends(more, later);
	stats_observe_us(STAT_TICK_DURATION, clock_mono_us() - now_us);
}

void plugin_stop(struct plugin *p)
{
	struct err e;

	/* Sessions that are open now stay so in storage, and are closed by the next start with
	 * reason broker_shutdown: what is published after the loop has ended is lost. */
	if (p->started && put_i64(p->store, META_SHUTDOWN, p->publish.boot, &e) != ERR_OK)
		log_error("plugin", "%s", e.msg);
	if (p->control.options != NULL)
		control_close(&p->control);
	if (p->conns.store != NULL)
		connset_close(&p->conns);
	if (p->audit.node != NULL)
		audit_close(&p->audit);
	limits_close(&p->limits);
	gather_close(&p->gather);
	if (p->publish.node != NULL)
		publish_close(&p->publish);
	store_close(p->store);
}
