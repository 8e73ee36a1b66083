// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/token_life.h"

#include <stdio.h>
#include <string.h>

/* ---- finding ----------------------------------------------------------------------------- */

static bool is(const struct life_token *token, enum token_role role)
{
	return !token->ended && token->role == role;
}

struct life_token *life_token_of(struct life *life, enum token_role role)
{
	for (size_t i = life->len; i-- > 0;)
		if (is(&life->tokens[i], role))
			return &life->tokens[i];
	return NULL;
}

static struct life_token *by_hash(struct life *life, const char *hash)
{
	for (size_t i = 0; i < life->len; i++)
		if (strcmp(life->tokens[i].hash, hash) == 0)
			return &life->tokens[i];
	return NULL;
}

static struct life_token *by_renewal(struct life *life, const char *renewal_id)
{
	char id[RENEWAL_ID_LEN + 1];
	struct token_hash hash;

	for (size_t i = 0; i < life->len; i++) {
		if (!token_hash_parse(life->tokens[i].hash, TOKEN_HEX_LEN, &hash))
			continue;
		renewal_id_of(&hash, id);
		if (strcmp(id, renewal_id) == 0)
			return &life->tokens[i];
	}
	return NULL;
}

/* Of those that are pending. */
static struct life_token *last_sent(struct life *life)
{
	for (size_t i = life->len; i-- > 0;)
		if (is(&life->tokens[i], TOKEN_PENDING) && life->tokens[i].sent_ms != 0)
			return &life->tokens[i];
	return NULL;
}

static bool is_awaited(const struct life_token *token)
{
	return is(token, TOKEN_PENDING) && token->given_up_ms == 0;
}

static size_t count_awaited(const struct life *life)
{
	size_t n = 0;

	for (size_t i = 0; i < life->len; i++)
		n += is_awaited(&life->tokens[i]);
	return n;
}

/* ---- changing ---------------------------------------------------------------------------- */

static void end_token(struct life_token *token)
{
	token->ended = token->changed = true;
}

static void give_up(struct life_token *token, int64_t now_ms)
{
	token->given_up_ms = now_ms;
	token->changed = true;
}

static void fail(struct life *life, const char *reason, int64_t now_ms)
{
	if (life->status == WORKER_REVOKED)
		return;
	life->status = WORKER_UPDATE_REQUIRED;
	snprintf(life->failure, sizeof(life->failure), "%s", reason);
	life->failure_ms = now_ms;
	life->changed = true;
}

static void succeed(struct life *life)
{
	if (life->status != WORKER_UPDATE_REQUIRED && life->failure_ms == 0)
		return;
	if (life->status == WORKER_UPDATE_REQUIRED)
		life->status = WORKER_ACTIVE;
	life->failure[0] = '\0';
	life->failure_ms = 0;
	life->changed = true;
}

/* How well the worker could do without a token, from not at all upwards. */
enum { SPARE_NEVER, SPARE_AWAITED, SPARE_OLD_PREVIOUS, SPARE_EXPIRED, SPARE_GIVEN_UP };

static int spare(struct life *life, const struct life_token *token, int64_t now_ms)
{
	const bool newest = token == life_token_of(life, token->role);

	if (token->role == TOKEN_PENDING && !newest)
		return token->given_up_ms != 0 ? SPARE_GIVEN_UP : SPARE_AWAITED;
	if (token->role != TOKEN_PREVIOUS)
		return SPARE_NEVER;
	if (token->expires_ms != 0 && token->expires_ms <= now_ms)
		return SPARE_EXPIRED;
	return newest ? SPARE_NEVER : SPARE_OLD_PREVIOUS;
}

static struct life_token *least_needed(struct life *life, int64_t now_ms, int *spared)
{
	struct life_token *least = NULL;

	*spared = 0;
	for (struct life_token *t = life->tokens; t < life->tokens + life->len; t++)
		if (!t->ended && spare(life, t, now_ms) > *spared) {
			*spared = spare(life, t, now_ms);
			least = t;
		}
	return least;
}

static size_t count_valid(const struct life *life)
{
	size_t n = 0;

	for (size_t i = 0; i < life->len; i++)
		n += !life->tokens[i].ended;
	return n;
}

/* The plugin takes DIRECTORY_TOKENS_MAX hashes of a worker. What goes first is what the worker
 * is least likely to hold; the oldest of those. */
static void make_room(struct life *life, int64_t now_ms)
{
	struct life_token *least;
	int spared;

	while (count_valid(life) > DIRECTORY_TOKENS_MAX &&
	       (least = least_needed(life, now_ms, &spared)) != NULL)
		end_token(least);
}

static void forget_an_ended_one(struct life *life)
{
	size_t i = 0;

	while (i < life->len - 1 && !life->tokens[i].ended)
		i++;
	memmove(&life->tokens[i], &life->tokens[i + 1],
		(--life->len - i) * sizeof(life->tokens[0]));
}

/* ---- renewal ----------------------------------------------------------------------------- */

static bool is_in_window(struct life *life, const struct life_spans *spans, int64_t now_ms)
{
	const struct life_token *current = life_token_of(life, TOKEN_CURRENT);

	return life->status != WORKER_REVOKED && current != NULL && current->expires_ms != 0 &&
	       current->expires_ms > now_ms && current->expires_ms - now_ms <= spans->window_ms;
}

/* Could a pending token be added without ending one that is awaited? */
static bool has_room(struct life *life, int64_t now_ms)
{
	int spared;

	return count_valid(life) < DIRECTORY_TOKENS_MAX ||
	       (least_needed(life, now_ms, &spared) != NULL && spared > SPARE_AWAITED);
}

bool life_due(struct life *life, const struct life_spans *spans, int64_t connected_ms,
	      int64_t now_ms)
{
	const struct life_token *pending = life_token_of(life, TOKEN_PENDING);
	const int64_t pause_ms =
		spans->retry_ms < LIFE_SENDING_MS ? spans->retry_ms : LIFE_SENDING_MS;
	int64_t age_ms;

	if (!is_in_window(life, spans, now_ms))
		return false;
	if (pending == NULL)
		return true;
	age_ms = now_ms - pending->created_ms;
	if (pending->given_up_ms != 0)
		return age_ms >= spans->retry_ms;
	/* Another one must not end one that the worker may hold by now. */
	if (age_ms < pause_ms || count_awaited(life) > 1 || !has_room(life, now_ms))
		return false;
	/* Whoever should have sent it died; or those whom it was sent to are gone. */
	return pending->sent_ms == 0 || pending->created_ms < connected_ms;
}

bool life_is_sending(struct life *life, int64_t now_ms)
{
	const struct life_token *pending = life_token_of(life, TOKEN_PENDING);

	return pending != NULL && is_awaited(pending) && pending->sent_ms == 0 &&
	       now_ms - pending->created_ms < LIFE_SENDING_MS;
}

bool life_begin(struct life *life, const char *hash, int64_t expires_ms, int64_t now_ms)
{
	struct life_token *token;

	if (life->status == WORKER_REVOKED || life_token_of(life, TOKEN_CURRENT) == NULL)
		return false;
	if (life->len == LIFE_TOKENS_MAX)
		forget_an_ended_one(life);
	token = &life->tokens[life->len++];
	*token = (struct life_token){.role = TOKEN_PENDING,
				     .created_ms = now_ms,
				     .expires_ms = expires_ms,
				     .changed = true};
	snprintf(token->hash, sizeof(token->hash), "%s", hash);
	make_room(life, now_ms);
	return true;
}

bool life_sent(struct life *life, const char *hash, int64_t now_ms)
{
	struct life_token *token = by_hash(life, hash);

	if (token == NULL || token->ended || token->sent_ms != 0)
		return false;
	token->sent_ms = now_ms;
	token->changed = true;
	for (struct life_token *t = life->tokens; t < token; t++)
		if (is(t, TOKEN_PENDING) && t->given_up_ms != 0)
			end_token(t);
	return true;
}

bool life_unsent(struct life *life, const char *hash)
{
	struct life_token *token = by_hash(life, hash);

	if (token == NULL || !is(token, TOKEN_PENDING) || token->sent_ms != 0)
		return false;
	end_token(token);
	return true;
}

/* ---- what the worker says ---------------------------------------------------------------- */

/* A login may have been with a token that was ended while its proof was on the way: then it is
 * the one the worker has. One that is older than the current token was ended for good. */
static bool counts(struct life *life, const struct life_token *token, enum life_proof proof)
{
	const struct life_token *sent = last_sent(life),
				*current = life_token_of(life, TOKEN_CURRENT);

	if (token->role != TOKEN_PENDING)
		return false;
	if (proof == LIFE_LOGIN)
		return !token->ended || current == NULL || token > current;
	return !token->ended && (sent == NULL || token >= sent);
}

static void replace(struct life_token *current, const struct life_spans *spans, int64_t now_ms)
{
	const int64_t until_ms = now_ms + spans->overlap_ms;

	current->role = TOKEN_PREVIOUS;
	current->changed = true;
	if (current->expires_ms == 0 || current->expires_ms > until_ms)
		current->expires_ms = until_ms;
}

bool life_confirm(struct life *life, const char *renewal_id, enum life_proof proof,
		  const struct life_spans *spans, int64_t now_ms)
{
	struct life_token *token = by_renewal(life, renewal_id),
			  *current = life_token_of(life, TOKEN_CURRENT);

	if (token == NULL || !counts(life, token, proof))
		return false;
	if (current != NULL)
		replace(current, spans, now_ms);
	token->role = TOKEN_CURRENT;
	token->ended = false;
	token->given_up_ms = 0;
	token->confirmed_ms = now_ms;
	token->changed = true;
	/* Older ones are of no use to a worker that has this one; a newer one may be on its
	 * way. */
	for (struct life_token *t = life->tokens; t < token; t++)
		if (is(t, TOKEN_PENDING))
			end_token(t);
	succeed(life);
	make_room(life, now_ms);
	return true;
}

bool life_refuse(struct life *life, const char *renewal_id, const char *reason, int64_t now_ms)
{
	struct life_token *token =
		renewal_id != NULL ? by_renewal(life, renewal_id) : last_sent(life);

	if (token == NULL || !is_awaited(token) || !counts(life, token, LIFE_ACK))
		return false;
	give_up(token, now_ms);
	fail(life, reason, now_ms);
	return true;
}

bool life_overdue(struct life *life, const struct life_spans *spans, int64_t now_ms)
{
	const struct life_token *newest = life_token_of(life, TOKEN_PENDING),
				*current = life_token_of(life, TOKEN_CURRENT);

	if (newest == NULL || !is_awaited(newest) ||
	    now_ms - newest->created_ms < spans->timeout_ms)
		return false;
	for (size_t i = 0; i < life->len; i++)
		if (is_awaited(&life->tokens[i]))
			give_up(&life->tokens[i], now_ms);
	/* It was made before another one was taken: nothing is amiss. */
	if (current != NULL && current->confirmed_ms > newest->created_ms)
		return true;
	fail(life, "the worker did not acknowledge its new token in time", now_ms);
	return true;
}
