// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* store_command_deleted.h - the commands of a worker that is deleted. Thread: database. */
#pragma once

#include "bridge/store/store_batch.h"

/* Takes back what the worker has not accepted, with audit rows: another one may come to have
 * its id. `asked`: the worker and who deletes it; *taken says which they are. Within the
 * deletion's transaction. */
enum err_code store_command_take_back_all(struct db *db, const struct command_row *asked,
					  struct batch_taken_list *taken,
					  struct err *e) MUST_CHECK;
