// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/access.h"

#include <string.h>

enum access access_worker(const struct access_rules *rules, const struct worker_id *worker,
			  enum access_phase phase, const struct access_request *rq,
			  enum worker_topic *kind)
{
	*kind = WORKER_TOPIC_OTHER;
	if (phase == PHASE_NONE || !topic_match_own(rules->topic_root, rq->topic, worker, kind))
		return ACCESS_DENY;
	if (phase == PHASE_ENDED)
		return rq->op == ACCESS_WRITE && *kind == WORKER_TOPIC_WILL && !rq->retain
			       ? ACCESS_ALLOW
			       : ACCESS_DENY;
	switch (rq->op) {
	case ACCESS_WRITE:
		if (rq->retain && !(*kind == WORKER_TOPIC_APP && rules->app_retain))
			return ACCESS_DENY;
		return worker_may_publish(*kind) ? ACCESS_ALLOW : ACCESS_DENY;
	case ACCESS_READ:
	case ACCESS_SUBSCRIBE:
		return worker_may_subscribe(*kind) ? ACCESS_ALLOW : ACCESS_DENY;
	case ACCESS_UNSUBSCRIBE:
		break;
	}
	return ACCESS_ALLOW;
}

/* Part of the topic tree that Rollcall speaks on. `app/…` below a worker is not. */
static bool is_ours(const struct access_rules *rules, const char *topic)
{
	enum worker_topic kind;
	struct worker_id id;

	if (strncmp(topic, TOPIC_OWN_PREFIX, strlen(TOPIC_OWN_PREFIX)) == 0 ||
	    strcmp(topic, TOPIC_METRICS_BATCH) == 0)
		return true;
	return topic_match_worker(rules->topic_root, topic, &id, &kind) &&
	       kind != WORKER_TOPIC_APP;
}

enum access access_control(const struct access_rules *rules, const struct access_request *rq)
{
	const char *topic = topic_without_share(rq->topic);

	if (strcmp(topic, TOPIC_CONTROL) == 0 || strcmp(topic, TOPIC_CONTROL_RESPONSE) == 0 ||
	    is_ours(rules, topic))
		return ACCESS_ALLOW;
	return ACCESS_DEFER;
}

enum access access_other(const struct access_rules *rules, const struct access_request *rq)
{
	if (rq->op == ACCESS_WRITE &&
	    (is_ours(rules, rq->topic) ||
	     strncmp(rq->topic, TOPIC_CONTROL, strlen(TOPIC_CONTROL)) == 0))
		return ACCESS_DENY;
	return ACCESS_DEFER;
}
