// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* rest_worker.h - what the handlers that change workers share. */
#pragma once

#include "bridge/http/http.h"
#include "bridge/workers/worker.h"
#include "protocol/jwrite.h"

/* A change of the path's worker by whoever asks; NULL: out of memory. */
struct worker_change *change_of_request(struct request *rq);

/* Applies it. The request is answered with `answer` in its end, or with the error. */
void change_apply(struct request *rq, enum worker_verb verb, struct worker_change *c,
		  void (*answer)(struct request *rq, const struct worker_change *c));

/* {"worker_id", …fields of `more`…, "enforced"} */
void change_respond(struct request *rq, unsigned status, const struct worker_change *c,
		    void (*more)(struct jwrite *w, const struct request *rq,
				 const struct worker_change *c));

/* Token, its end, and where to connect with it. */
void change_write_token(struct jwrite *w, const struct request *rq,
			const struct worker_change *c);
