// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/jobs/jobs.h"

#include "bridge/base/config.h"
#include "bridge/jobs/job_command.h"
#include "bridge/jobs/job_renewal.h"
#include "bridge/store/store_batch.h"
#include "bridge/store/store_command_expire.h"
#include "bridge/store/store_metric_days.h"
#include "bridge/store/store_metric_follow.h"
#include "bridge/store/store_upkeep.h"
#include "protocol/util.h"

#define DAY_MS (24 * 3600 * INT64_C(1000))
#define BATCH 500 /* rows of a transaction, so that nobody waits long for a lock */

static enum err_code in_batches(struct job_run *run, upkeep_f step, int64_t limit_ms,
				struct err *e)
{
	int64_t n = BATCH;

	e->code = ERR_OK;
	while (n == BATCH && !job_stopping(run) &&
	       step(run->db, limit_ms, BATCH, &n, e) == ERR_OK)
		run->handled += n;
	return e->code;
}

static enum err_code forget_audit(struct job_run *run, struct err *e)
{
	return in_batches(run, upkeep_forget_audit,
			  run->now_ms - run->config->audit_days * DAY_MS, e);
}

/* What is kept only so that something old can still be recognised. */
static enum err_code purge(struct job_run *run, struct err *e)
{
	const int64_t limit_ms = run->now_ms - run->config->tombstone_days * DAY_MS;
	const int64_t commands_ms = run->now_ms - run->config->command_days * DAY_MS;

	if (in_batches(run, upkeep_forget_sessions, run->now_ms, e) != ERR_OK ||
	    in_batches(run, upkeep_forget_tokens, limit_ms, e) != ERR_OK)
		return e->code;
	if (in_batches(run, store_command_forget, commands_ms, e) != ERR_OK ||
	    in_batches(run, store_batch_forget, commands_ms, e) != ERR_OK)
		return e->code;
	return in_batches(run, upkeep_forget_tombstones, limit_ms, e);
}

/* A whole day later than reports stop being taken, so that none is on its way to a day that has
 * gone. */
static enum err_code turn_metric_days(struct job_run *run, struct err *e)
{
	const int64_t oldest_ms = run->now_ms - (run->config->metrics_days + 1) * DAY_MS;

	int64_t forgotten;

	if (store_metric_writers_forget(run->db, run->now_ms - DAY_MS, &forgotten, e) != ERR_OK)
		return e->code;
	return store_metric_days(run->db, run->now_ms, oldest_ms, &run->handled, e);
}

static enum err_code note_expired(struct job_run *run, struct err *e)
{
	return in_batches(run, upkeep_note_expired_tokens, run->now_ms, e);
}

#define PERIOD(field) offsetof(struct config, field)

const struct job jobs[] = {
	{"renewal",            PERIOD(job_renewal_s),            renewal_look,     renewal_found },
	{"token_expiry",       PERIOD(job_token_expiry_s),       note_expired,     NULL          },
	{"command_expiry",     PERIOD(job_command_expiry_s),     expire_commands,  commands_found},
	{"audit_retention",    PERIOD(job_audit_retention_s),    forget_audit,     NULL          },
	{"purge",              PERIOD(job_purge_s),              purge,            NULL          },
	{"metrics_partitions", PERIOD(job_metrics_partitions_s), turn_metric_days, NULL          },
};
const size_t jobs_len = ARRAY_LEN(jobs);

int64_t job_period(const struct job *job, const struct config *config)
{
	return *(const int64_t *)(const void *)((const char *)config + job->period);
}

bool job_stopping(const struct job_run *run)
{
	return atomic_load(run->stopping);
}
