// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* control_list.h - listConnections: pages of connection objects, a little of them at a time.
 *
 * However large the fleet and the pages, a turn of the broker's loop spends less than 2 ms on
 * lists: a page that does not come to its end in that time goes on in the next turn, and one
 * after the other each list gets a page. Listing reads storage and what is in memory, and wakes
 * nothing. Thread: the broker's.
 */
#pragma once

#include "plugin/control.h"

struct control_lists;

struct control_lists *control_lists_new(void); /* NULL: out of memory */
void control_lists_free(struct control_lists *lists);

/* Nobody waits for this client's pages any more. */
void control_lists_client_gone(struct control_lists *lists, const void *client);

/* The turn's end: goes on with the lists under way. True if the loop must turn again soon. */
bool control_lists_tick(struct control_lists *lists, struct control *c);
