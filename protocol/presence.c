// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/presence.h"

#include <stdio.h>
#include <string.h>

static const char *const states[] = {
#define X(name, text) text,
	PRESENCE_STATE_LIST(X)
#undef X
};

static const char *const reasons[] = {
#define X(name, text) text,
	PRESENCE_REASON_LIST(X)
#undef X
};

const char *presence_state_name(enum presence_state state)
{
	return states[state];
}

const char *presence_reason_name(enum presence_reason reason)
{
	return reasons[reason];
}

bool presence_pos_after(struct presence_pos a, struct presence_pos b)
{
	return a.boot != b.boot ? a.boot > b.boot : a.seq > b.seq;
}

void presence_write_change(struct jwrite *w, const struct presence *p)
{
	jwrite_time(w, "at", p->at_ms);
	jwrite_str(w, "reason", presence_reason_name(p->reason));
	jwrite_str(w, "detail", p->detail[0] != '\0' ? p->detail : NULL);
	jwrite_time(w, "connected_since", p->connected_since_ms);
	jwrite_time(w, "disconnected_since", p->disconnected_since_ms);
}

void presence_write_fields(struct jwrite *w, const struct presence *p, const char *node)
{
	jwrite_str(w, "worker_id", p->worker.text);
	jwrite_str(w, "state", presence_state_name(p->state));
	jwrite_bool(w, "connected", p->state == PRESENCE_ONLINE);
	jwrite_i64(w, "sessions", p->sessions);
	jwrite_str(w, "node", node);
	jwrite_i64(w, "boot", p->pos.boot);
	jwrite_i64(w, "seq", p->pos.seq);
	jwrite_i64(w, "generation", p->generation);
	presence_write_change(w, p);
}

void presence_write_address(struct jwrite *w, const struct presence *p)
{
	if (p->address[0] != '\0')
		jwrite_str(w, "address", p->address);
}

void presence_write(struct jwrite *w, const char *key, const struct presence *p,
		    const char *node)
{
	jwrite_object(w, key);
	presence_write_fields(w, p, node);
	jwrite_object_end(w);
}

static int index_of(const char *const names[], size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (names[i] != NULL && strcmp(names[i], text) == 0)
			return (int)i;
	return -1;
}

static void read_state(struct jread *r, struct presence *out)
{
	const char *state = jread_str(r, "state", 1, 32);
	const char *reason = jread_str_or(r, "reason", 1, 32, NULL);
	int i = state != NULL ? index_of(states, ARRAY_LEN(states), state) : 0;

	if (i < 0)
		jread_fail(r, "state", "is none that is known");
	else
		out->state = (enum presence_state)i;
	i = reason != NULL ? index_of(reasons, ARRAY_LEN(reasons), reason) : REASON_NONE;
	/* A newer plugin may know more reasons: show none rather than lose the event. */
	out->reason = i < 0 ? REASON_NONE : (enum presence_reason)i;
}

void presence_read(struct jread *r, struct presence *out)
{
	const char *id, *detail, *address;

	*out = (struct presence){0};
	id = jread_str(r, "worker_id", 1, WORKER_ID_MAX);
	if (id != NULL && !worker_id_parse(id, strlen(id), &out->worker))
		jread_fail(r, "worker_id", "is not a worker id");
	read_state(r, out);
	out->sessions = (int)jread_i64(r, "sessions", 0, INT32_MAX);
	out->pos.boot = jread_i64(r, "boot", 0, INT64_MAX);
	out->pos.seq = jread_i64(r, "seq", 0, INT64_MAX);
	out->generation = jread_i64(r, "generation", 0, INT64_MAX);
	out->at_ms = jread_time_or_0(r, "at");
	out->connected_since_ms = jread_time_or_0(r, "connected_since");
	out->disconnected_since_ms = jread_time_or_0(r, "disconnected_since");
	detail = jread_str_or(r, "detail", 0, PRESENCE_DETAIL_MAX, NULL);
	if (detail != NULL)
		snprintf(out->detail, sizeof(out->detail), "%s", detail);
	address = jread_str_or(r, "address", 0, PRESENCE_ADDRESS_SIZE - 1, NULL);
	if (address != NULL)
		snprintf(out->address, sizeof(out->address), "%s", address);
}
