// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/command_outgoing.h"

#include <stdlib.h>
#include <string.h>

static void free_one(struct outgoing *o)
{
	command_standing_fini(&o->standing);
	for (size_t i = 0; i < ARRAY_LEN(o->texts); i++)
		free(o->texts[i]);
	free(o);
}

struct outgoing *outgoing_new(const struct command_row *row)
{
	struct outgoing *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->row = *row;
	if (command_row_copy(&o->row, o->texts))
		return o;
	free_one(o);
	return NULL;
}

void outgoing_free_all(struct outgoing **list)
{
	struct outgoing *o;

	while ((o = *list) != NULL) {
		*list = o->next;
		free_one(o);
	}
}
