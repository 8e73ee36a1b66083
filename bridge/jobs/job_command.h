// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* job_command.h - the job that expires commands which no bridge has expired in time. */
#pragma once

#include "bridge/jobs/jobs.h"

enum err_code expire_commands(struct job_run *run, struct err *e) MUST_CHECK;
void commands_found(struct app *app, void *found);
