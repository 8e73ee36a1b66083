// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* plugin_stats.h - what the plugin counts, asked for with getStats.
 *
 * Whoever may ask is not known, so the plugin is asked once however many ask us, and an answer
 * serves everybody for a while. Thread: loop.
 */
#pragma once

#include "bridge/base/prom.h"
#include "protocol/err.h"

#include <json-c/json.h>

struct app;
struct plugin_stats;

struct plugin_stats *plugin_stats_new(struct app *app, struct err *e) MUST_CHECK;
void plugin_stats_free(struct plugin_stats *s); /* NULL is fine; whoever waits is told NULL */

/* Calls `done` once, perhaps before this returns: with the answer's data (borrowed), or with
 * NULL if the plugin does not answer within a second. */
typedef void (*plugin_stats_f)(void *arg, struct json_object *stats);
void plugin_stats_get(struct plugin_stats *s, plugin_stats_f done, void *arg);

/* Writes all of it, whatever it is: a plugin that is newer may count more than we know. */
void plugin_stats_expose(struct json_object *stats, struct prom *p);
