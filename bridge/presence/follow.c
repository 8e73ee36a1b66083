// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/presence/follow.h"

void follow_reset(struct follow *f)
{
	*f = (struct follow){0};
}

static enum follow_step begin(struct follow *f, struct presence_pos pos)
{
	f->known = true;
	f->last = pos;
	return FOLLOW_NEXT;
}

static enum follow_step gap(struct follow *f, struct presence_pos pos)
{
	f->last = pos;
	return FOLLOW_GAP;
}

enum follow_step follow_event(struct follow *f, struct presence_pos pos)
{
	if (!f->known)
		return begin(f, pos);
	if (!presence_pos_after(pos, f->last))
		return FOLLOW_BEFORE;
	if (pos.boot != f->last.boot || pos.seq != f->last.seq + 1)
		return gap(f, pos);
	f->last = pos;
	return FOLLOW_NEXT;
}

bool follow_at(const struct follow *f, struct presence_pos pos)
{
	return f->known && pos.boot == f->last.boot && pos.seq == f->last.seq;
}

enum follow_step follow_heartbeat(struct follow *f, struct presence_pos pos)
{
	if (!f->known)
		return begin(f, pos);
	/* The stream and its heartbeats travel in one line: a heartbeat neither overtakes the
	 * event that it speaks of, nor is it overtaken by later ones. */
	return follow_at(f, pos) ? FOLLOW_NEXT : gap(f, pos);
}
