// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The pool: threads that take jobs from one queue, each with a connection of its own.
 *
 * While the database is away every job would wait for a connection attempt; so the first job
 * that finds out marks the pool as unhealthy, all others fail at once, and a probe alone goes
 * on trying. The probe is also what prepares the database at the start. */
#include "bridge/base/config.h"
#include "bridge/base/loop.h"
#include "bridge/base/prom.h"
#include "bridge/db/db.h"
#include "bridge/db/db_connection.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define QUEUE_MAX 10000
#define PROBE_HEALTHY_MS 1000
#define PROBE_AWAY_MS 100

struct job {
	struct db_pool *pool;
	db_work_f work;
	db_done_f done;
	void *arg;
	bool probe;
	int64_t submitted_us;
	struct log_cause cause;
	struct err e;
	struct loop_post post;
	struct job *next;
};

struct db_pool {
	const struct config *config;
	struct loop *loop;
	struct db_prepare prepare;
	struct timer *timer;
	size_t threads_len;
	pthread_t *threads;
	atomic_bool healthy;
	atomic_uint lapses;
	atomic_size_t busy; /* threads that run a job just now */
	struct latency waited, took;

	/* Loop thread only. */
	uint64_t refused; /* jobs that failed without having been run */
	bool prepared, hopeless;
	bool was_healthy; /* as last logged */
	bool closed;
	bool probe_soon; /* it waits no longer than PROBE_AWAY_MS, or is under way */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t work_waits;
	struct job *first, *last;
	atomic_size_t queued;
	bool stopping;
};

bool db_pool_healthy(const struct db_pool *pool)
{
	return atomic_load(&pool->healthy);
}

unsigned db_pool_lapses(const struct db_pool *pool)
{
	return atomic_load(&pool->lapses);
}

static void finish(void *arg)
{
	struct job *job = arg;
	struct db_pool *pool = job->pool;

	/* A job found the database away: find out soon when it is back. Once only, for setting
	 * the timer anew with each of many failures would put the probe off for ever. */
	if (!job->probe && !db_pool_healthy(pool) && !pool->probe_soon && !pool->closed) {
		pool->probe_soon = true;
		timer_once(pool->timer, PROBE_AWAY_MS);
	}
	log_set_cause(&job->cause);
	job->done(job->arg, &job->e);
	log_set_cause(NULL);
	free(job);
}

/* Waits for a job; NULL when the pool ends and nothing is left. */
static struct job *take(struct db_pool *pool)
{
	struct job *job;

	pthread_mutex_lock(&pool->lock);
	while (pool->first == NULL && !pool->stopping)
		pthread_cond_wait(&pool->work_waits, &pool->lock);
	job = pool->first;
	if (job != NULL) {
		pool->first = job->next;
		pool->queued--;
	}
	pthread_mutex_unlock(&pool->lock);
	return job;
}

static void run_job(struct db *db, struct job *job)
{
	struct db_pool *pool = job->pool;

	job->e.code = ERR_OK;
	if (!job->probe && !db_pool_healthy(pool)) {
		err_set(&job->e, ERR_DATABASE_UNAVAILABLE, NULL);
		return;
	}
	if (db_ensure(db, &job->e) == ERR_OK)
		job->work(db, job->arg, &job->e);
	if ((db->mysql == NULL || db->broken) && atomic_exchange(&pool->healthy, false))
		atomic_fetch_add(&pool->lapses, 1);
}

static void run_timed(struct db *db, struct job *job)
{
	struct db_pool *pool = job->pool;
	const int64_t began_us = clock_mono_us();

	latency_add(&pool->waited, began_us - job->submitted_us);
	atomic_fetch_add_explicit(&pool->busy, 1, memory_order_relaxed);
	log_set_cause(&job->cause);
	run_job(db, job);
	log_set_cause(NULL);
	atomic_fetch_sub_explicit(&pool->busy, 1, memory_order_relaxed);
	latency_add(&pool->took, clock_mono_us() - began_us);
}

static void *thread_main(void *arg)
{
	struct db_pool *pool = arg;
	struct err e;
	struct db *db = db_open(pool->config, &e);
	struct job *job;

	mysql_thread_init();
	while ((job = take(pool)) != NULL) {
		if (db == NULL)
			job->e = e;
		else
			run_timed(db, job);
		job->post = (struct loop_post){.fn = finish, .arg = job};
		loop_post(pool->loop, &job->post);
	}
	db_close(db);
	mysql_thread_end();
	return NULL;
}

static bool enqueue(struct db_pool *pool, struct job *job)
{
	bool room;

	pthread_mutex_lock(&pool->lock);
	room = pool->queued < QUEUE_MAX && !pool->stopping;
	if (room) {
		if (pool->first == NULL)
			pool->first = job;
		else
			pool->last->next = job;
		pool->last = job;
		pool->queued++;
		pthread_cond_signal(&pool->work_waits);
	}
	pthread_mutex_unlock(&pool->lock);
	return room;
}

static void submit(struct db_pool *pool, db_work_f work, db_done_f done, void *arg, bool probe)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL) {
		/* No room even to remember the caller: being told early beats never being told.
		 */
		struct err e;

		err_set(&e, ERR_OUT_OF_MEMORY, NULL);
		done(arg, &e);
		return;
	}
	*job = (struct job){.pool = pool,
			    .work = work,
			    .done = done,
			    .arg = arg,
			    .probe = probe,
			    .submitted_us = clock_mono_us(),
			    .cause = log_cause()};
	if ((probe || db_pool_healthy(pool)) && enqueue(pool, job))
		return;
	pool->refused++;
	err_set(&job->e, ERR_DATABASE_UNAVAILABLE, NULL);
	job->post = (struct loop_post){.fn = finish, .arg = job};
	loop_post(pool->loop, &job->post);
}

void db_submit(struct db_pool *pool, db_work_f work, db_done_f done, void *arg)
{
	submit(pool, work, done, arg, false);
}

static enum err_code touch(struct db *db, void *arg, struct err *e)
{
	(void)arg;
	return db_run(db, "DO 1", 4, e);
}

void db_check(struct db_pool *pool, db_done_f done, void *arg)
{
	db_submit(pool, touch, done, arg);
}

static enum err_code probe(struct db *db, void *arg, struct err *e)
{
	struct db_pool *pool = arg;

	if (!pool->prepared)
		return pool->prepare.prepare(db, pool->prepare.arg, e);
	return touch(db, arg, e);
}

static void log_change(struct db_pool *pool, bool healthy, const struct err *e)
{
	if (healthy && !pool->was_healthy)
		log_info("db", "connected");
	else if (!healthy && pool->was_healthy)
		log_warn("db", "%s; trying again", e->msg);
	pool->was_healthy = healthy;
}

static void probed(void *arg, struct err *e)
{
	struct db_pool *pool = arg;
	const bool ok = e->code == ERR_OK, away = e->code == ERR_DATABASE_UNAVAILABLE;

	pool->probe_soon = !ok;
	if (!pool->prepared && !away) {
		pool->prepared = ok;
		pool->hopeless = !ok;
	}
	atomic_store(&pool->healthy, pool->prepared && ok);
	if (!pool->hopeless) /* else whoever waits for `prepared` tells why */
		log_change(pool, pool->prepared && ok, e);
	if (pool->prepare.prepared != NULL && !away) {
		db_done_f prepared = pool->prepare.prepared;

		pool->prepare.prepared = NULL;
		prepared(pool->prepare.arg, e);
	}
	if (!pool->closed && !pool->hopeless)
		timer_once(pool->timer, ok ? PROBE_HEALTHY_MS : PROBE_AWAY_MS);
}

static void probe_now(void *arg)
{
	struct db_pool *pool = arg;

	pool->probe_soon = true;
	submit(pool, probe, probed, pool, true);
}

static enum err_code start_threads(struct db_pool *pool, struct err *e)
{
	const size_t want = (size_t)pool->config->db_pool;

	pool->threads = calloc(want, sizeof(*pool->threads));
	if (pool->threads == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	for (; pool->threads_len < want; pool->threads_len++)
		if (pthread_create(&pool->threads[pool->threads_len], NULL, thread_main,
				   pool) != 0)
			return err_set(e, ERR_OUT_OF_MEMORY, "cannot start database threads");
	return ERR_OK;
}

struct db_pool *db_pool_new(const struct config *config, struct loop *loop,
			    const struct db_prepare *prepare, struct err *e)
{
	struct db_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	*pool = (struct db_pool){
		.config = config, .loop = loop, .prepare = *prepare, .was_healthy = true};
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work_waits, NULL);
	pool->timer = timer_new(loop, probe_now, pool);
	if (pool->timer == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else if (mysql_library_init(0, NULL, NULL) != 0)
		err_set(e, ERR_INTERNAL, "cannot initialise the MariaDB connector");
	else if (start_threads(pool, e) == ERR_OK) {
		timer_once(pool->timer, 0);
		return pool;
	}
	db_pool_free(pool);
	return NULL;
}

void db_pool_close(struct db_pool *pool)
{
	if (pool->closed)
		return;
	pool->closed = true;
	timer_cancel(pool->timer);
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->work_waits);
	pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; i < pool->threads_len; i++)
		pthread_join(pool->threads[i], NULL);
	loop_drain(pool->loop);
}

void db_pool_free(struct db_pool *pool)
{
	if (pool == NULL)
		return;
	db_pool_close(pool);
	loop_drain(pool->loop);
	timer_free(pool->timer);
	pthread_cond_destroy(&pool->work_waits);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	mysql_library_end();
	free(pool);
}

void db_pool_expose(const struct db_pool *pool, struct prom *p)
{
	const size_t busy = atomic_load_explicit(&pool->busy, memory_order_relaxed);

	prom_gauge(p, "rollcall_database_up", "1 while the database answers",
		   db_pool_healthy(pool));
	prom_family(p, "rollcall_database_connections", PROM_GAUGE,
		    "Connections of the pool, by what they do");
	prom_count(p, LABELS({"state", "busy"}), busy);
	prom_count(p, LABELS({"state", "idle"}), pool->threads_len - busy);
	prom_gauge(p, "rollcall_database_queue", "Jobs that wait for a connection",
		   (double)atomic_load_explicit(&pool->queued, memory_order_relaxed));
	prom_family(p, "rollcall_database_wait_seconds", PROM_HISTOGRAM,
		    "Time that jobs waited for a connection");
	prom_latency(p, NO_LABELS, &pool->waited);
	prom_family(p, "rollcall_database_job_duration_seconds", PROM_HISTOGRAM,
		    "Time that jobs had a connection");
	prom_latency(p, NO_LABELS, &pool->took);
	prom_counter(
		p, "rollcall_database_jobs_refused_total",
		"Jobs that failed at once, because the database was away or the queue full",
		pool->refused);
	prom_counter(p, "rollcall_database_statements_total",
		     "SQL statements, over all connections", db_statements());
}
