// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/pwhash.h"

#include "bridge/app.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Of no password that anybody knows, with the cost of a real one: without it, the time of an
 * answer would tell which users exist. */
static const char nobodys_hash[crypto_pwhash_STRBYTES] =
	"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

enum lane { LANE_FIRST, LANE_OTHERS, LANES };

struct pwhash {
	struct loop *loop;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct pwhash_job *first[LANES], **last[LANES];
	bool stopping;
};

bool pwhash_make(const char *password, char out[crypto_pwhash_STRBYTES])
{
	return crypto_pwhash_str(out, password, strlen(password),
				 crypto_pwhash_OPSLIMIT_INTERACTIVE,
				 crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0;
}

static enum pwhash_outcome check(const struct pwhash_job *job)
{
	const char *hash = *job->hash != '\0' ? job->hash : nobodys_hash;

	errno = 0;
	if (crypto_pwhash_str_verify(hash, job->password, strlen(job->password)) == 0)
		return hash == job->hash ? PWHASH_OK : PWHASH_DIFFERS;
	/* Short of memory is not the same as wrong. */
	return errno == ENOMEM ? PWHASH_FAILED : PWHASH_DIFFERS;
}

static void run_done(void *arg)
{
	struct pwhash_job *job = arg;

	job->done(job->arg);
}

static void finish(struct pwhash *p, struct pwhash_job *job)
{
	job->post = (struct loop_post){.fn = run_done, .arg = job};
	loop_post(p->loop, &job->post);
}

/* NULL when the bridge ends and nothing is left. */
static struct pwhash_job *take(struct pwhash *p)
{
	struct pwhash_job *job = NULL;

	pthread_mutex_lock(&p->lock);
	while (p->first[LANE_FIRST] == NULL && p->first[LANE_OTHERS] == NULL && !p->stopping)
		pthread_cond_wait(&p->wake, &p->lock);
	for (int lane = 0; lane < LANES && job == NULL; lane++) {
		job = p->first[lane];
		if (job == NULL)
			continue;
		p->first[lane] = job->next;
		if (job->next == NULL)
			p->last[lane] = &p->first[lane];
	}
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void *thread_main(void *arg)
{
	struct pwhash *p = arg;
	struct pwhash_job *job;

	while ((job = take(p)) != NULL) {
		if (job->check)
			job->outcome = check(job);
		else
			job->outcome = pwhash_make(job->password, job->hash) ? PWHASH_OK
									     : PWHASH_FAILED;
		finish(p, job);
	}
	return NULL;
}

void pwhash_submit(struct pwhash *p, struct pwhash_job *job)
{
	const enum lane lane = job->first ? LANE_FIRST : LANE_OTHERS;
	bool late;

	job->next = NULL;
	job->outcome = PWHASH_FAILED;
	pthread_mutex_lock(&p->lock);
	late = p->stopping;
	if (!late) {
		*p->last[lane] = job;
		p->last[lane] = &job->next;
		pthread_cond_signal(&p->wake);
	}
	pthread_mutex_unlock(&p->lock);
	if (late)
		finish(p, job);
}

struct pwhash *pwhash_new(struct app *app, struct err *e)
{
	struct pwhash *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	p->loop = app->loop;
	for (int lane = 0; lane < LANES; lane++)
		p->last[lane] = &p->first[lane];
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	p->running = pthread_create(&p->thread, NULL, thread_main, p) == 0;
	if (p->running)
		return p;
	err_set(e, ERR_OUT_OF_MEMORY, "cannot start the thread for passwords");
	pwhash_free(p);
	return NULL;
}

void pwhash_close(struct pwhash *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	if (p->running)
		pthread_join(p->thread, NULL);
	p->running = false;
	loop_drain(p->loop);
}

void pwhash_free(struct pwhash *p)
{
	if (p == NULL)
		return;
	pwhash_close(p);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
