// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The lock keeps two bridges from running a job at once; the row, which is looked at again
 * under the lock, keeps them from running it one after the other. On a Galera cluster, where
 * locks are those of one node, the row alone decides, and two runs may overlap: jobs bear that.
 */
#include "bridge/jobs/scheduler.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/db/db.h"
#include "bridge/jobs/jobs.h"
#include "bridge/store/store_job.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 32
#define LOOK_MIN_MS 100
#define LOOK_MAX_MS 1000
#define LATE_MS 60000 /* beyond three periods: something keeps all bridges from running it */

struct scheduler {
	struct app *app;
	struct db *db; /* the thread's, once it runs */
	pthread_t thread;
	bool running;
	bool registered; /* the thread's: the rows are there */
	int64_t look_ms; /* from one look at the table to the next */
	char bridge[JOB_BRIDGE_MAX + 1];
	atomic_bool stopping;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	bool triggered[JOBS_MAX];
	struct job_row rows[JOBS_MAX]; /* as last read */
	size_t rows_len;
};

/* What a run has found, on its way to the loop. */
struct finding {
	struct app *app;
	const struct job *job;
	void *found;
	struct loop_post post;
};

/* ---- the thread -------------------------------------------------------------------------- */

static void hand_over(void *arg)
{
	struct finding *f = arg;

	f->job->after(f->app, f->found);
	free(f);
}

static void post_finding(struct scheduler *s, const struct job *job, void *found)
{
	struct finding *f;

	if (found == NULL)
		return;
	f = calloc(1, sizeof(*f));
	if (f == NULL) {
		free(found); /* the next run finds it again */
		return;
	}
	*f = (struct finding){.app = s->app, .job = job, .found = found};
	f->post = (struct loop_post){.fn = hand_over, .arg = f};
	loop_post(s->app->loop, &f->post);
}

static enum err_code run_job(struct scheduler *s, const struct job *job, struct err *e)
{
	struct job_run run = {.config = &s->app->config,
			      .db = s->db,
			      .now_ms = clock_unix_ms(),
			      .stopping = &s->stopping};
	const int64_t start_us = clock_mono_us();
	struct err cause = {0};
	int64_t took_ms;

	if (job->run(&run, &cause) != ERR_OK)
		log_warn("jobs", "job=%s failed: %s", job->name, cause.msg);
	took_ms = (clock_mono_us() - start_us) / 1000;
	if (run.handled > 0)
		log_info("jobs", "job=%s handled=%" PRId64 " ms=%" PRId64, job->name,
			 run.handled, took_ms);
	post_finding(s, job, run.found);
	return store_job_finish(s->db, job->name, took_ms, run.handled,
				cause.code != ERR_OK ? cause.msg : NULL, e);
}

/* Runs it if nobody else does and it is (still) due. *ran: its request to run early is met. */
static enum err_code try_job(struct scheduler *s, const struct job *job, bool early, bool *ran,
			     struct err *e)
{
	bool locked = false;
	struct err after = {0};

	*ran = false;
	if (store_job_lock(s->db, job->name, &locked, e) != ERR_OK || !locked)
		return e->code;
	if (store_job_claim(s->db, job->name, s->bridge, early, ran, e) == ERR_OK && *ran)
		(void)(run_job(s, job, e) == ERR_OK);
	/* Where this fails the connection is gone, and the lock with it. */
	if (store_job_unlock(s->db, job->name, &after) != ERR_OK && e->code == ERR_OK)
		*e = after;
	return e->code;
}

static const struct job_row *row_of(const struct scheduler *s, const char *name)
{
	for (size_t i = 0; i < s->rows_len; i++)
		if (strcmp(s->rows[i].name, name) == 0)
			return &s->rows[i];
	return NULL;
}

/* By what was read last; the claim decides. */
static bool is_due(struct scheduler *s, const struct job *job)
{
	const struct job_row *row;
	bool due;

	pthread_mutex_lock(&s->lock);
	row = row_of(s, job->name);
	due = s->triggered[job - jobs] ||
	      (row != NULL && (row->age_ms < 0 || row->outcome == JOB_RUNNING ||
			       row->age_ms >= row->period_s * 1000));
	pthread_mutex_unlock(&s->lock);
	return due;
}

static bool take_trigger(struct scheduler *s, const struct job *job)
{
	bool triggered;

	pthread_mutex_lock(&s->lock);
	triggered = s->triggered[job - jobs];
	s->triggered[job - jobs] = false;
	pthread_mutex_unlock(&s->lock);
	return triggered;
}

static void trigger(struct scheduler *s, const struct job *job)
{
	pthread_mutex_lock(&s->lock);
	s->triggered[job - jobs] = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

static enum err_code register_jobs(struct scheduler *s, struct err *e)
{
	for (size_t i = 0; i < jobs_len && !s->registered; i++)
		if (store_job_register(s->db, jobs[i].name,
				       job_period(&jobs[i], &s->app->config), e) != ERR_OK)
			return e->code;
	s->registered = true;
	return ERR_OK;
}

static enum err_code read_rows(struct scheduler *s, struct err *e)
{
	struct job_row rows[JOBS_MAX];
	size_t len;

	if (store_job_read(s->db, rows, JOBS_MAX, &len, e) != ERR_OK)
		return e->code;
	pthread_mutex_lock(&s->lock);
	memcpy(s->rows, rows, len * sizeof(rows[0]));
	s->rows_len = len;
	pthread_mutex_unlock(&s->lock);
	return ERR_OK;
}

static enum err_code look(struct scheduler *s, struct err *e)
{
	bool ran;

	if (db_ensure(s->db, e) != ERR_OK || register_jobs(s, e) != ERR_OK ||
	    read_rows(s, e) != ERR_OK)
		return e->code;
	for (size_t i = 0; i < jobs_len && !atomic_load(&s->stopping); i++) {
		bool early;

		if (!is_due(s, &jobs[i]))
			continue;
		/* Taken before, so that what is asked for during the run leads to another. */
		early = take_trigger(s, &jobs[i]);
		(void)(try_job(s, &jobs[i], early, &ran, e) == ERR_OK);
		if (early && !ran)
			trigger(s, &jobs[i]);
		if (e->code != ERR_OK)
			return e->code;
	}
	return ERR_OK;
}

static void wait_for_next_look(struct scheduler *s)
{
	struct timespec until;
	bool triggered = false;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += s->look_ms / 1000;
	until.tv_nsec += (s->look_ms % 1000) * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&s->lock);
	while (!atomic_load(&s->stopping) && !triggered)
		triggered = pthread_cond_timedwait(&s->wake, &s->lock, &until) != 0;
	pthread_mutex_unlock(&s->lock);
}

static void *thread_main(void *arg)
{
	struct scheduler *s = arg;
	struct err e = {0};

	while (!atomic_load(&s->stopping)) {
		if (look(s, &e) != ERR_OK)
			log_debug("jobs", "%s", e.msg);
		wait_for_next_look(s);
	}
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------- */

static int64_t look_period(const struct config *config)
{
	int64_t ms = LOOK_MAX_MS;

	for (size_t i = 0; i < jobs_len; i++)
		if (job_period(&jobs[i], config) * 1000 / 4 < ms)
			ms = job_period(&jobs[i], config) * 1000 / 4;
	return ms > LOOK_MIN_MS ? ms : LOOK_MIN_MS;
}

static void init_wake(pthread_cond_t *wake)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(wake, &attr);
	pthread_condattr_destroy(&attr);
}

struct scheduler *scheduler_new(struct app *app, struct err *e)
{
	struct scheduler *s = calloc(1, sizeof(*s));
	char host[64] = "";

	assert(jobs_len <= JOBS_MAX);
	if (s == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	s->app = app;
	s->look_ms = look_period(&app->config);
	gethostname(host, sizeof(host) - 1);
	snprintf(s->bridge, sizeof(s->bridge), "%s/%ld", host, (long)getpid());
	pthread_mutex_init(&s->lock, NULL);
	init_wake(&s->wake);
	s->db = db_open(&app->config, e);
	if (s->db != NULL)
		return s;
	scheduler_free(s);
	return NULL;
}

enum err_code scheduler_start(struct scheduler *s, struct err *e)
{
	if (!s->running && pthread_create(&s->thread, NULL, thread_main, s) != 0)
		return err_set(e, ERR_OUT_OF_MEMORY, "cannot start the scheduler's thread");
	s->running = true;
	return ERR_OK;
}

void scheduler_stop(struct scheduler *s)
{
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->stopping, true);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	if (s->running)
		pthread_join(s->thread, NULL);
	s->running = false;
}

void scheduler_free(struct scheduler *s)
{
	if (s == NULL)
		return;
	scheduler_stop(s);
	db_close(s->db);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- for the rest of the bridge ---------------------------------------------------------- */

void scheduler_trigger(struct scheduler *s, const char *job)
{
	size_t i = 0;

	while (i < jobs_len && strcmp(jobs[i].name, job) != 0)
		i++;
	assert(i < jobs_len);
	if (i < jobs_len)
		trigger(s, &jobs[i]);
}

static bool is_well(const struct job_row *row)
{
	return row->outcome != JOB_FAILED && row->age_ms <= 3 * row->period_s * 1000 + LATE_MS;
}

static void write_row(struct jwrite *w, const struct job_row *row)
{
	jwrite_object(w, NULL);
	jwrite_str(w, "name", row->name);
	jwrite_i64(w, "period_seconds", row->period_s);
	jwrite_str(w, "outcome", job_outcome_name(row->outcome));
	jwrite_str(w, "error", row->error[0] != '\0' ? row->error : NULL);
	jwrite_time(w, "last_run", row->started_ms);
	jwrite_time(w, "last_success", row->succeeded_ms);
	jwrite_i64(w, "duration_ms", row->duration_ms);
	jwrite_i64(w, "handled", row->handled);
	jwrite_i64(w, "runs", row->runs);
	jwrite_str(w, "bridge", row->bridge[0] != '\0' ? row->bridge : NULL);
	jwrite_object_end(w);
}

bool scheduler_health(struct scheduler *s, struct jwrite *w)
{
	bool well = true;

	jwrite_array(w, "jobs");
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->rows_len; i++) {
		write_row(w, &s->rows[i]);
		well = well && is_well(&s->rows[i]);
	}
	pthread_mutex_unlock(&s->lock);
	jwrite_array_end(w);
	return well;
}
