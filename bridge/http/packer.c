// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/packer.h"

#include "bridge/app.h"
#include "bridge/http/gzip.h"

#include <pthread.h>
#include <stdlib.h>

#define WAITING_MAX 8

struct packer {
	struct loop *loop;
	pthread_t thread;
	bool running;
	unsigned waiting; /* jobs that are not done. The loop's */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct packer_job *first, **last;
	bool stopping;
};

static void run_done(void *arg)
{
	struct packer_job *job = arg;

	job->packer->waiting--;
	job->done(job->arg);
}

/* NULL when the bridge ends and nothing is left. */
static struct packer_job *take(struct packer *p)
{
	struct packer_job *job;

	pthread_mutex_lock(&p->lock);
	while (p->first == NULL && !p->stopping)
		pthread_cond_wait(&p->wake, &p->lock);
	job = p->first;
	if (job != NULL) {
		p->first = job->next;
		if (job->next == NULL)
			p->last = &p->first;
	}
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void *thread_main(void *arg)
{
	struct packer *p = arg;
	struct packer_job *job;

	while ((job = take(p)) != NULL) {
		gzip_pack(job->data, job->len, &job->packed);
		job->post = (struct loop_post){.fn = run_done, .arg = job};
		loop_post(p->loop, &job->post);
	}
	return NULL;
}

bool packer_submit(struct packer *p, struct packer_job *job)
{
	if (p == NULL || p->waiting >= WAITING_MAX)
		return false;
	p->waiting++;
	job->packer = p;
	job->next = NULL;
	pthread_mutex_lock(&p->lock);
	*p->last = job;
	p->last = &job->next;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	return true;
}

struct packer *packer_new(struct app *app, struct err *e)
{
	struct packer *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	p->loop = app->loop;
	p->last = &p->first;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	p->running = pthread_create(&p->thread, NULL, thread_main, p) == 0;
	if (p->running)
		return p;
	err_set(e, ERR_OUT_OF_MEMORY, "cannot start the thread that compresses");
	packer_free(p);
	return NULL;
}

void packer_free(struct packer *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	if (p->running)
		pthread_join(p->thread, NULL);
	loop_drain(p->loop);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
