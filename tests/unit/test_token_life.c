// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Renewal: each rule by an example, then a fleet's worth of orders at random. */
#include "bridge/workers/token_life.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY (24 * 3600 * INT64_C(1000))
#define HOUR (3600 * INT64_C(1000))
#define NOW (1000 * DAY)

static const struct life_spans spans = {
	.window_ms = 7 * DAY, .overlap_ms = DAY, .timeout_ms = DAY, .retry_ms = HOUR};

static struct life life;
static int made; /* tokens so far */

static const char *new_hash(char out[TOKEN_HEX_LEN + 1])
{
	struct token_hash hash;
	char text[16];

	snprintf(text, sizeof(text), "tk_%d", ++made);
	token_hash(text, strlen(text), &hash);
	token_hash_print(&hash, out);
	return out;
}

static const char *renewal_of(const char *hash)
{
	static char id[RENEWAL_ID_LEN + 1];
	struct token_hash bytes;

	assert_true(token_hash_parse(hash, TOKEN_HEX_LEN, &bytes));
	renewal_id_of(&bytes, id);
	return id;
}

/* A worker whose only token has so long to live. */
static int begin(int64_t expires_in_ms)
{
	life = (struct life){.len = 1};
	life.tokens[0] = (struct life_token){.role = TOKEN_CURRENT,
					     .created_ms = NOW - 80 * DAY,
					     .expires_ms = NOW + expires_in_ms};
	new_hash(life.tokens[0].hash);
	return 0;
}

static int in_window(void **state)
{
	(void)state;
	return begin(6 * DAY);
}

/* A new pending token: its hash. */
static const char *renew(int64_t now_ms, bool sent)
{
	static char hashes[8][TOKEN_HEX_LEN + 1];
	static unsigned next;
	char *hash = hashes[next++ % 8];

	assert_true(life_begin(&life, new_hash(hash), now_ms + 90 * DAY, now_ms));
	if (sent)
		assert_true(life_sent(&life, hash, now_ms));
	return hash;
}

static bool is_role(const char *hash, enum token_role role)
{
	for (size_t i = 0; i < life.len; i++)
		if (strcmp(life.tokens[i].hash, hash) == 0)
			return !life.tokens[i].ended && life.tokens[i].role == role;
	return false;
}

static bool acknowledge(const char *hash)
{
	return life_confirm(&life, renewal_of(hash), LIFE_ACK, &spans, NOW + HOUR);
}

/* ---- rules ---- */

static void token_is_renewed_in_its_last_days_alone(void **state)
{
	(void)state;
	begin(7 * DAY + 1);
	assert_false(life_due(&life, &spans, NOW, NOW));
	assert_true(life_due(&life, &spans, NOW, NOW + 1));
	life.status = WORKER_REVOKED;
	assert_false(life_due(&life, &spans, NOW, NOW + 1));
	begin(-1);
	assert_false(life_due(&life, &spans, NOW, NOW));
	life.tokens[0].expires_ms = 0;
	assert_false(life_due(&life, &spans, NOW, NOW));
}

static void acknowledged_token_replaces_the_current_one_which_works_a_day_more(void **state)
{
	char old[TOKEN_HEX_LEN + 1];
	const char *hash;

	(void)state;
	memcpy(old, life.tokens[0].hash, sizeof(old));
	hash = renew(NOW, true);
	assert_true(is_role(hash, TOKEN_PENDING));
	assert_false(life_due(&life, &spans, NOW - HOUR, NOW + HOUR));
	assert_true(acknowledge(hash));
	assert_true(is_role(hash, TOKEN_CURRENT) && is_role(old, TOKEN_PREVIOUS));
	assert_int_equal(life.tokens[0].expires_ms, NOW + HOUR + DAY);
	assert_false(acknowledge(hash));
	assert_false(life_due(&life, &spans, NOW, NOW + HOUR));
}

static void replaced_token_never_outlives_its_own_end(void **state)
{
	(void)state;
	begin(2 * HOUR);
	assert_true(acknowledge(renew(NOW, true)));
	assert_int_equal(life.tokens[0].expires_ms, NOW + 2 * HOUR);
}

static void acknowledgement_counts_for_the_token_last_sent_alone(void **state)
{
	const char *first = renew(NOW, true), *second;

	(void)state;
	second = renew(NOW, false);
	assert_true(is_role(first, TOKEN_PENDING) && is_role(second, TOKEN_PENDING));
	assert_true(life_sent(&life, second, NOW));
	assert_false(acknowledge(first));
	assert_false(life_confirm(&life, "rnw_unknown", LIFE_ACK, &spans, NOW));
	assert_true(acknowledge(second));
	assert_false(is_role(first, TOKEN_PENDING));
}

static void acknowledgement_may_be_quicker_than_the_note_that_it_was_sent(void **state)
{
	const char *hash = renew(NOW, false);

	(void)state;
	assert_true(acknowledge(hash));
	assert_true(life_sent(&life, hash, NOW));
	assert_true(is_role(hash, TOKEN_CURRENT));
}

static void login_with_a_superseded_token_counts(void **state)
{
	const char *first = renew(NOW, true), *second = renew(NOW, true);

	(void)state;
	assert_true(life_confirm(&life, renewal_of(first), LIFE_LOGIN, &spans, NOW + 1));
	assert_true(is_role(first, TOKEN_CURRENT));
	/* The other one may be on its way. */
	assert_true(is_role(second, TOKEN_PENDING));
	assert_true(life_overdue(&life, &spans, NOW + 2 * DAY));
	assert_int_equal(life.status, WORKER_ACTIVE);
	assert_true(acknowledge(second));
	assert_true(is_role(first, TOKEN_PREVIOUS));
}

static void refusal_fails_the_renewal_and_leaves_the_token_good(void **state)
{
	const char *hash = renew(NOW, true);

	(void)state;
	assert_false(life_refuse(&life, "rnw_unknown", "no", NOW));
	assert_true(life_refuse(&life, NULL, "disk full", NOW));
	assert_int_equal(life.status, WORKER_UPDATE_REQUIRED);
	assert_string_equal(life.failure, "disk full");
	assert_int_equal(life.failure_ms, NOW);
	assert_false(life_refuse(&life, renewal_of(hash), "again", NOW));
	assert_true(is_role(hash, TOKEN_PENDING));
	assert_false(life_due(&life, &spans, NOW, NOW + HOUR - 1));
	assert_true(life_due(&life, &spans, NOW, NOW + HOUR));
}

static void failed_token_is_good_until_another_one_is_sent(void **state)
{
	const char *first = renew(NOW, true), *second;

	(void)state;
	assert_true(life_refuse(&life, renewal_of(first), "no", NOW));
	second = renew(NOW + HOUR, false);
	assert_true(is_role(first, TOKEN_PENDING));
	assert_true(life_sent(&life, second, NOW + HOUR));
	assert_false(is_role(first, TOKEN_PENDING));
	assert_true(acknowledge(second));
	assert_int_equal(life.status, WORKER_ACTIVE);
	assert_int_equal(life.failure_ms, 0);
}

static void late_acknowledgement_clears_the_failure(void **state)
{
	const char *hash = renew(NOW, true);

	(void)state;
	assert_false(life_overdue(&life, &spans, NOW + DAY - 1));
	assert_true(life_overdue(&life, &spans, NOW + DAY));
	assert_int_equal(life.status, WORKER_UPDATE_REQUIRED);
	assert_false(life_overdue(&life, &spans, NOW + 2 * DAY));
	assert_true(acknowledge(hash));
	assert_int_equal(life.status, WORKER_ACTIVE);
}

static void token_that_nobody_was_told_is_sent_anew(void **state)
{
	const char *hash = renew(NOW, false);

	(void)state;
	assert_false(life_due(&life, &spans, NOW - HOUR, NOW + 1000));
	assert_true(life_due(&life, &spans, NOW - HOUR, NOW + 11000)); /* its sender died */
	assert_true(life_sent(&life, hash, NOW));
	assert_false(life_due(&life, &spans, NOW - HOUR, NOW + 11000));
	assert_true(life_due(&life, &spans, NOW + 1, NOW + 11000)); /* a new session */
}

static void tokens_are_sent_in_the_order_of_their_making(void **state)
{
	const char *hash = renew(NOW, false);

	(void)state;
	assert_true(life_is_sending(&life, NOW + LIFE_SENDING_MS - 1));
	assert_false(life_is_sending(&life, NOW + LIFE_SENDING_MS));
	assert_true(life_sent(&life, hash, NOW));
	assert_false(life_is_sending(&life, NOW));
}

static void token_that_reached_nobody_ends(void **state)
{
	const char *hash = renew(NOW, false);

	(void)state;
	assert_true(life_unsent(&life, hash));
	assert_false(is_role(hash, TOKEN_PENDING));
	assert_int_equal(life.status, WORKER_ACTIVE);
	assert_false(life_unsent(&life, renew(NOW, true)));
}

static void proof_of_a_token_that_ended_on_the_way_brings_it_back(void **state)
{
	const char *first = renew(NOW, true), *second;

	(void)state;
	assert_true(life_overdue(&life, &spans, NOW + DAY));
	second = renew(NOW + DAY, true);
	assert_false(is_role(first, TOKEN_PENDING));
	assert_false(acknowledge(first));
	assert_true(life_confirm(&life, renewal_of(first), LIFE_LOGIN, &spans, NOW + DAY));
	assert_true(is_role(first, TOKEN_CURRENT) && is_role(second, TOKEN_PENDING));
}

static void rotation_ends_what_was_pending_for_good(void **state)
{
	const char *hash = renew(NOW, true);

	(void)state;
	for (size_t i = 0; i < life.len; i++)
		life.tokens[i].ended = true;
	life.tokens[life.len] =
		(struct life_token){.role = TOKEN_CURRENT, .expires_ms = NOW + 90 * DAY};
	new_hash(life.tokens[life.len++].hash);
	assert_false(life_confirm(&life, renewal_of(hash), LIFE_LOGIN, &spans, NOW));
	assert_false(acknowledge(hash));
	assert_false(life_refuse(&life, renewal_of(hash), "no", NOW));
	assert_false(life_sent(&life, hash, NOW));
	assert_int_equal(life.status, WORKER_ACTIVE);
}

static void revoked_worker_is_not_renewed_nor_failed(void **state)
{
	const char *hash = renew(NOW, true);
	char another[TOKEN_HEX_LEN + 1];

	(void)state;
	life.status = WORKER_REVOKED;
	assert_true(life_refuse(&life, renewal_of(hash), "no", NOW));
	assert_int_equal(life.status, WORKER_REVOKED);
	assert_false(life_begin(&life, new_hash(another), 0, NOW));
}

/* ---- orders at random ----------------------------------------------------------------------
 *
 * A worker that does as it is told (it saves a token before it acknowledges it), two bridges
 * that die anywhere between begin, push, send and note, a plugin that is told late and keeps
 * proofs, connections that break, acknowledgements that are lost, repeated and late. Whatever
 * the order: with what it has saved, the worker gets in. */

enum stage { IDLE, BEGUN, PUSHED, SENT };

struct sender {
	enum stage stage;
	int64_t begun_ms;
	char hash[TOKEN_HEX_LEN + 1];
};

struct ack {
	char hash[TOKEN_HEX_LEN + 1];
	bool success;
};

static struct world {
	unsigned seed;
	int64_t now_ms, connected_ms; /* connected_ms 0: it is not */
	char saved[TOKEN_HEX_LEN + 1];
	char inbox[8][TOKEN_HEX_LEN + 1]; /* on its way to the session */
	size_t inbox_len;
	struct life directory; /* what the plugin was told last */
	struct ack proof;      /* kept by the plugin; success: there is one */
	enum life_proof proof_how;
	struct ack acks[8]; /* heard by bridges, some day */
	size_t acks_len;
	struct sender senders[2];
	int renewed, refused; /* how often things came to pass */
	bool expired;
} w;

static int upto(int n)
{
	return rand() % n;
}

static const struct life_token *known_to_plugin(const char *hash)
{
	for (size_t i = 0; i < w.directory.len; i++)
		if (!w.directory.tokens[i].ended &&
		    strcmp(w.directory.tokens[i].hash, hash) == 0)
			return &w.directory.tokens[i];
	return NULL;
}

static size_t valid(const struct life *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->len; i++)
		n += !l->tokens[i].ended;
	return n;
}

static void push(void)
{
	const struct life_token *token;

	assert_in_range(valid(&life), 1, DIRECTORY_TOKENS_MAX);
	w.directory = life;
	/* The plugin drops a proof of what is not pending any more. */
	token = known_to_plugin(w.proof.hash);
	if (token == NULL || token->role != TOKEN_PENDING)
		w.proof.success = false;
}

static void read_proof(void)
{
	struct ack proof = w.proof;

	if (!proof.success)
		return;
	w.renewed += life_confirm(&life, renewal_of(proof.hash), w.proof_how, &spans, w.now_ms);
	push();
}

static void break_connection(void)
{
	w.connected_ms = 0;
	w.inbox_len = 0;
}

static void note_proof(const char *hash, enum life_proof how)
{
	const struct life_token *token = known_to_plugin(hash);

	if (token == NULL || token->role != TOKEN_PENDING)
		return;
	memcpy(w.proof.hash, hash, sizeof(w.proof.hash));
	w.proof.success = true;
	w.proof_how = how;
}

static void connect_worker(void)
{
	const struct life_token *token;

	if (w.connected_ms != 0)
		return;
	token = known_to_plugin(w.saved);
	if (token == NULL || (token->expires_ms <= w.now_ms && token->role != TOKEN_CURRENT)) {
		fail_msg("seed %u: locked out after %d renewals", w.seed, w.renewed);
		return;
	}
	/* Never long enough in touch for a renewal: an operator would have to help. */
	if (token->expires_ms <= w.now_ms) {
		w.expired = true;
		return;
	}
	w.connected_ms = w.now_ms;
	note_proof(w.saved, LIFE_LOGIN);
}

static void say(const char *hash, bool success)
{
	struct ack *ack = &w.acks[w.acks_len];

	if (success)
		note_proof(hash, LIFE_ACK);
	if (w.acks_len == ARRAY_LEN(w.acks) || upto(3) == 0)
		return; /* no bridge was there */
	memcpy(ack->hash, hash, sizeof(ack->hash));
	ack->success = success;
	w.acks_len++;
}

static void read_inbox(void)
{
	char hash[TOKEN_HEX_LEN + 1];
	int fate = upto(10);

	if (w.connected_ms == 0 || w.inbox_len == 0)
		return;
	memcpy(hash, w.inbox[0], sizeof(hash));
	memmove(w.inbox[0], w.inbox[1], --w.inbox_len * sizeof(w.inbox[0]));
	if (fate == 0) {
		break_connection(); /* it died before it had saved the token */
	} else if (fate == 1) {
		w.refused++;
		say(hash, false);
	} else {
		memcpy(w.saved, hash, sizeof(w.saved));
		if (fate == 2)
			break_connection(); /* it died before it could say so */
		else
			say(hash, true);
	}
}

static void hear_ack(void)
{
	const struct ack *ack;
	size_t i;

	if (w.acks_len == 0)
		return;
	i = (size_t)upto((int)w.acks_len);
	ack = &w.acks[i];
	if (ack->success)
		w.renewed +=
			life_confirm(&life, renewal_of(ack->hash), LIFE_ACK, &spans, w.now_ms);
	else
		life_refuse(&life, renewal_of(ack->hash), "no", w.now_ms);
	if (upto(3) != 0) /* else it comes again */
		w.acks[i] = w.acks[--w.acks_len];
}

static size_t awaited(void)
{
	size_t n = 0;

	for (size_t i = 0; i < life.len; i++)
		n += !life.tokens[i].ended && life.tokens[i].role == TOKEN_PENDING &&
		     life.tokens[i].given_up_ms == 0;
	return n;
}

static void drive(struct sender *s)
{
	switch (s->stage) {
	case IDLE:
		if (w.connected_ms == 0)
			return;
		read_proof(); /* a bridge begins nothing before it has */
		/* By hand, too, but not where the documentation warns of it. */
		if (!life_due(&life, &spans, w.connected_ms, w.now_ms) &&
		    (upto(40) != 0 || awaited() > (valid(&life) < 3 ? 1 : 0)))
			return;
		if (life_is_sending(&life, w.now_ms))
			return;
		s->begun_ms = w.now_ms;
		s->stage = life_begin(&life, new_hash(s->hash), w.now_ms + 9 * DAY, w.now_ms)
				   ? BEGUN
				   : IDLE;
		return;
	case BEGUN:
		push();
		s->stage = PUSHED;
		return;
	case PUSHED:
		if (w.connected_ms == 0 || w.now_ms - s->begun_ms >= LIFE_SENDING_MS ||
		    w.inbox_len == ARRAY_LEN(w.inbox)) {
			life_unsent(&life, s->hash);
			s->stage = IDLE;
			return;
		}
		memcpy(w.inbox[w.inbox_len++], s->hash, sizeof(s->hash));
		s->stage = SENT;
		return;
	case SENT:
		life_sent(&life, s->hash, w.now_ms);
		s->stage = IDLE;
		return;
	}
}

static void step(void)
{
	switch (upto(16)) {
	case 0:
		if (upto(4) == 0)
			break_connection();
		break;
	case 1:
	case 2:
		connect_worker();
		break;
	case 3:
	case 4:
		read_inbox();
		break;
	case 5:
		hear_ack();
		break;
	case 6:
		push();
		break;
	case 7:
		read_proof();
		break;
	case 8:
		read_proof();
		life_overdue(&life, &spans, w.now_ms);
		break;
	case 9:
		w.senders[upto(2)].stage = IDLE; /* a bridge died */
		break;
	default:
		drive(&w.senders[upto(2)]);
	}
	/* Mostly moments, sometimes long; a worker that is away is not away for days. */
	w.now_ms += upto(30) == 0 ? upto((int)(w.connected_ms != 0 ? 3 * HOUR : HOUR / 4))
				  : upto(4000);
}

static void no_order_locks_a_worker_out(void **state)
{
	int renewed = 0, refused = 0;

	(void)state;
	for (unsigned seed = 1; seed <= 3000; seed++) {
		srand(seed);
		begin(7 * DAY);
		w = (struct world){.seed = seed, .now_ms = NOW};
		memcpy(w.saved, life.tokens[0].hash, sizeof(w.saved));
		push();
		for (int i = 0; i < 2000 && !w.expired; i++)
			step();
		renewed += w.renewed;
		refused += w.refused;
	}
	assert_in_range(renewed, 2000, 100000000);
	assert_in_range(refused, 200, 1000000);
}

#define RULE(test) cmocka_unit_test_setup(test, in_window)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(token_is_renewed_in_its_last_days_alone),
		RULE(acknowledged_token_replaces_the_current_one_which_works_a_day_more),
		RULE(replaced_token_never_outlives_its_own_end),
		RULE(acknowledgement_counts_for_the_token_last_sent_alone),
		RULE(acknowledgement_may_be_quicker_than_the_note_that_it_was_sent),
		RULE(login_with_a_superseded_token_counts),
		RULE(refusal_fails_the_renewal_and_leaves_the_token_good),
		RULE(failed_token_is_good_until_another_one_is_sent),
		RULE(late_acknowledgement_clears_the_failure),
		RULE(token_that_nobody_was_told_is_sent_anew),
		RULE(tokens_are_sent_in_the_order_of_their_making),
		RULE(token_that_reached_nobody_ends),
		RULE(proof_of_a_token_that_ended_on_the_way_brings_it_back),
		RULE(rotation_ends_what_was_pending_for_good),
		RULE(revoked_worker_is_not_renewed_nor_failed),
		cmocka_unit_test(no_order_locks_a_worker_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
