// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* job_renewal.h - the job that looks for tokens to renew, and for renewals that nobody
 * acknowledges. */
#pragma once

#include "bridge/jobs/jobs.h"

enum err_code renewal_look(struct job_run *run, struct err *e) MUST_CHECK;
void renewal_found(struct app *app, void *found);
