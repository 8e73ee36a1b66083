// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* command_send.h - hands a command to the plugin. Thread: loop. */
#pragma once

#include "bridge/mqtt/control.h"
#include "bridge/store/store_command.h"

struct app;

/* Has the plugin deliver it to row->target. `done` is told as by control_call(), within a
 * second or so. */
void command_send(struct app *app, const struct command_row *row, control_done_f done,
		  void *arg);

/* True for an error that says that no session was there. A worker that the plugin does not know
 * (yet) has none either. */
bool command_reached_nobody(const struct err *e);

/* Of the newest session that was reached, from the plugin's answer. */
int64_t command_generation(struct json_object *data);
