// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* control_proof.c - listTokenProofs: what a bridge that was away has to learn. */
#include "plugin/control.h"

#include "plugin/proof.h"

#define LIMIT_MAX 1000
#define LIMIT_DEFAULT 250

static void write_proof(void *arg, const char *key, size_t key_len, struct slice value)
{
	char renewal_id[RENEWAL_ID_LEN + 1];
	struct jwrite *w = arg;
	struct proof proof;

	if (!proof_decode(key, key_len, value, &proof))
		return;
	renewal_id_of(&proof.hash, renewal_id);
	jwrite_object(w, NULL);
	jwrite_str(w, "worker_id", proof.id.text);
	jwrite_str(w, "renewal_id", renewal_id);
	jwrite_str(w, "by", proof_how_name(proof.how));
	jwrite_time(w, "at", proof.at_ms);
	jwrite_object_end(w);
}

enum err_code control_list_token_proofs(struct control_call *call)
{
	const char *after = jread_str_or(&call->in, "after", 1, WORKER_ID_MAX, NULL);
	int64_t limit = jread_i64_or(&call->in, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX);
	char next[STORE_KEY_MAX + 1] = "";
	bool more;

	if (jread_failed(&call->in) || !control_spend(call, limit))
		return call->e->code;
	jwrite_array(call->out, "proofs");
	more = store_page(call->control->store, STORE_PROOFS, after, (size_t)limit, write_proof,
			  call->out, next);
	jwrite_array_end(call->out);
	jwrite_str(call->out, "next", more ? next : NULL);
	return ERR_OK;
}
