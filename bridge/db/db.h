// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* db.h - MariaDB connections, each owned by one thread; the pool that runs jobs on them.
 *
 * The loop thread never speaks SQL: it submits a job, whose `work` runs on a pool thread with
 * copies of what it needs, and whose `done` runs on the loop thread afterwards. A connection
 * that broke is opened again before the next job; while the database is away, jobs fail at once
 * with ERR_DATABASE_UNAVAILABLE instead of piling up.
 */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct db; /* one connection; see stmt.h for what can be done with it */
struct loop;
struct db_pool;

typedef enum err_code (*db_work_f)(struct db *db, void *arg, struct err *e);
typedef void (*db_done_f)(void *arg, struct err *e); /* e->code is ERR_OK or why work failed */

/* A connection of one's own (migrations, the metrics writer). Thread: its creator's. */
struct db *db_open(const struct config *config, struct err *e) MUST_CHECK;
void db_close(struct db *db); /* NULL is fine */

/* Connects again if the connection is gone. */
enum err_code db_ensure(struct db *db, struct err *e) MUST_CHECK;

/* Runs work in one transaction: BEGIN, work, COMMIT; ROLLBACK when work fails. After a deadlock
 * or a lock timeout the whole is run again, up to three times, so `work` must set its results,
 * not add to them. When the connection breaks during COMMIT the outcome is unknown and the
 * error says so. */
enum err_code db_transaction(struct db *db, db_work_f work, void *arg,
			     struct err *e) MUST_CHECK;

/* Runs SQL text of our own making, in which nothing is that came from outside; results are
 * dropped. For what cannot be a prepared statement. */
enum err_code db_run(struct db *db, const char *sql, size_t len, struct err *e) MUST_CHECK;

/* Until `prepare` (on a pool thread, tried again while the database is away) has succeeded,
 * every job fails with ERR_DATABASE_UNAVAILABLE. `prepared` (on the loop) is told once that it
 * has, or why it never will. */
struct db_prepare {
	db_work_f prepare;
	db_done_f prepared;
	void *arg;
};

struct db_pool *db_pool_new(const struct config *config, struct loop *loop,
			    const struct db_prepare *prepare, struct err *e) MUST_CHECK;

/* Finishes what was submitted and runs its `done`s; later jobs fail at once. Called before the
 * parts that wait for jobs are freed. */
void db_pool_close(struct db_pool *pool);
void db_pool_free(struct db_pool *pool); /* NULL is fine */

/* Thread: loop. Never fails: when the queue is full, `done` gets ERR_DATABASE_UNAVAILABLE,
 * later and on the loop like any other outcome. */
void db_submit(struct db_pool *pool, db_work_f work, db_done_f done, void *arg);

/* A job that does nothing but reach the database: `done` learns whether it is there now. */
void db_check(struct db_pool *pool, db_done_f done, void *arg);

/* True if the last job (or the pool's own periodic ping, each second) reached the database. */
bool db_pool_healthy(const struct db_pool *pool);

/* How often the pool has found the database away. Thread: any. */
unsigned db_pool_lapses(const struct db_pool *pool);

/* Connections in use, jobs that wait, how long they waited and took; for operators. */
struct prom;
void db_pool_expose(const struct db_pool *pool, struct prom *p);

/* SQL statements executed so far, over all connections. Any thread. */
uint64_t db_statements(void);
