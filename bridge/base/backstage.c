// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/backstage.h"

#include <pthread.h>
#include <stdlib.h>

struct backstage {
	struct loop *loop;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct backstage_job *first[BACKSTAGE_ROWS], **last[BACKSTAGE_ROWS];
	bool stopping;
};

static void finish(struct backstage *b, struct backstage_job *job)
{
	job->post = (struct loop_post){.fn = job->done, .arg = job->arg};
	loop_post(b->loop, &job->post);
}

static struct backstage_job *first_in(struct backstage *b)
{
	for (int row = 0; row < BACKSTAGE_ROWS; row++) {
		struct backstage_job *job = b->first[row];

		if (job == NULL)
			continue;
		b->first[row] = job->next;
		if (job->next == NULL)
			b->last[row] = &b->first[row];
		return job;
	}
	return NULL;
}

/* NULL when it is closed and nothing is left. */
static struct backstage_job *take(struct backstage *b)
{
	struct backstage_job *job;

	pthread_mutex_lock(&b->lock);
	while ((job = first_in(b)) == NULL && !b->stopping)
		pthread_cond_wait(&b->wake, &b->lock);
	pthread_mutex_unlock(&b->lock);
	return job;
}

static void *thread_main(void *arg)
{
	struct backstage *b = arg;
	struct backstage_job *job;

	while ((job = take(b)) != NULL) {
		job->work(job->arg);
		finish(b, job);
	}
	return NULL;
}

void backstage_submit(struct backstage *b, enum backstage_row row, struct backstage_job *job)
{
	bool late;

	job->next = NULL;
	pthread_mutex_lock(&b->lock);
	late = b->stopping;
	if (!late) {
		*b->last[row] = job;
		b->last[row] = &job->next;
		pthread_cond_signal(&b->wake);
	}
	pthread_mutex_unlock(&b->lock);
	if (late)
		finish(b, job);
}

struct backstage *backstage_new(struct loop *loop, const char *what, struct err *e)
{
	struct backstage *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	b->loop = loop;
	for (int row = 0; row < BACKSTAGE_ROWS; row++)
		b->last[row] = &b->first[row];
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->wake, NULL);
	b->running = pthread_create(&b->thread, NULL, thread_main, b) == 0;
	if (b->running)
		return b;
	err_set(e, ERR_OUT_OF_MEMORY, "cannot start the thread for %s", what);
	backstage_free(b);
	return NULL;
}

void backstage_close(struct backstage *b)
{
	pthread_mutex_lock(&b->lock);
	b->stopping = true;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
	if (b->running)
		pthread_join(b->thread, NULL);
	b->running = false;
	loop_drain(b->loop);
}

void backstage_free(struct backstage *b)
{
	if (b == NULL)
		return;
	backstage_close(b);
	pthread_cond_destroy(&b->wake);
	pthread_mutex_destroy(&b->lock);
	free(b);
}
