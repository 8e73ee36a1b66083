// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* session_token.c - what becomes of live sessions when their worker's tokens change. */
#include "plugin/conn.h"

#include "plugin/proof.h"

static const struct dir_token *token_of_role(const struct dir_entry *entry,
					     enum token_role role)
{
	for (int i = 0; i < entry->tokens_len; i++)
		if (entry->tokens[i].role == role)
			return &entry->tokens[i];
	return NULL;
}

static bool had_role(const struct dir_entry *entry, const struct dir_token *token,
		     enum token_role role)
{
	const struct dir_token *known = dir_entry_token(entry, &token->hash);

	return known != NULL && known->role == role;
}

/* The token that this one, the session's, has been renewed by with this change; NULL: it was
 * not. One that was `previous` before was so when the session began, and a new token that was
 * never pending did not come by a renewal. */
static const struct dir_token *renewed_by(const struct dir_entry *before,
					  const struct dir_entry *entry,
					  const struct dir_token *token)
{
	const struct dir_token *current = token_of_role(entry, TOKEN_CURRENT);

	return token->role == TOKEN_PREVIOUS && !had_role(before, token, TOKEN_PREVIOUS) &&
			       current != NULL && had_role(before, current, TOKEN_PENDING)
		       ? current
		       : NULL;
}

/* The token that the session goes on with; NULL: none is left. */
static const struct dir_token *token_after(const struct session *s,
					   const struct dir_entry *before,
					   const struct dir_entry *entry)
{
	const struct dir_token *token = dir_entry_token(entry, &s->held), *renewed;

	/* What it had acknowledged was given up since; its own may still be good. */
	if (token == NULL)
		token = dir_entry_token(entry, &s->token);
	renewed = token != NULL ? renewed_by(before, entry, token) : NULL;
	return renewed != NULL ? renewed : token;
}

static bool hold(struct connset *set, struct session *s, const struct dir_token *token)
{
	s->held = token->hash;
	return expiry_set(&set->expiries, &s->stub->expiry, token->expires_ms);
}

void conn_tokens_changed(struct connset *set, const struct dir_entry *before,
			 const struct dir_entry *entry)
{
	struct conn *conn = connset_find(set, &entry->id);
	const struct dir_token *token;
	struct session *s;

	if (conn == NULL)
		return;
	/* The session itself stays in the list; one that is taken over while its heir is closed
	 * is gone from the list. */
	TAILQ_FOREACH(s, &conn->sessions, of_conn)
	{
		token = token_after(s, before, entry);
		if (s->state == SESSION_CLOSING)
			continue;
		if (token == NULL)
			session_close(set, s, REASON_REVOKED, "TOKEN_REVOKED",
				      "the token of this session is no longer valid");
		else if (!hold(set, s, token))
			session_close(set, s, REASON_KICKED, "KICKED", "out of memory");
	}
}

void session_took_token(struct connset *set, struct session *s, const struct dir_token *token)
{
	if (s->state != SESSION_LIVE)
		return;
	proof_note(set->store, set->publish, &s->conn->id, &token->hash, PROOF_ACK);
	if (!hold(set, s, token))
		session_close(set, s, REASON_KICKED, "KICKED", "out of memory");
}
