// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/jobs/job_command.h"

#include "bridge/app.h"
#include "bridge/commands/command_expiry.h"

#include <stdlib.h>

/* One run takes as many as are told at once; what is left is the next run's, or the bridges'.
 */
enum err_code expire_commands(struct job_run *run, struct err *e)
{
	struct commands_expired *expired = malloc(sizeof(*expired));

	if (expired == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (store_command_expire(run->db, run->now_ms, expired, e) == ERR_OK &&
	    expired->len > 0) {
		run->handled = (int64_t)expired->len;
		run->found = expired;
	} else {
		free(expired);
	}
	return e->code;
}

void commands_found(struct app *app, void *found)
{
	command_expiry_tell(app, found);
	free(found);
}
