// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/digest.h"

#include "protocol/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t add_text(uint64_t h, const char *text)
{
	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * FNV_PRIME;
	return h;
}

static uint64_t add_number(uint64_t h, int64_t number)
{
	char digits[TEXT_I64_SIZE];

	text_i64(number, digits);
	return add_text(add_text(h, " "), digits);
}

/* MurmurHash3's last step: sums of plain FNV-1a numbers would let near ones cancel out. */
static uint64_t mix(uint64_t h)
{
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

static uint64_t number_of(const struct presence *p)
{
	uint64_t h = add_text(FNV_OFFSET, p->worker.text);

	h = add_text(add_text(h, " "), presence_state_name(p->state));
	return mix(add_number(add_number(h, p->generation), p->sessions));
}

void digest_add(struct digest *d, const struct presence *p)
{
	if (p->state == PRESENCE_OFFLINE)
		return;
	d->count += p->state == PRESENCE_ONLINE;
	d->hash += number_of(p);
}

void digest_remove(struct digest *d, const struct presence *p)
{
	if (p->state == PRESENCE_OFFLINE)
		return;
	d->count -= p->state == PRESENCE_ONLINE;
	d->hash -= number_of(p);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return a->count == b->count && a->hash == b->hash;
}

void digest_print_hash(const struct digest *d, char out[DIGEST_TEXT_SIZE])
{
	snprintf(out, DIGEST_TEXT_SIZE, "%016" PRIx64, d->hash);
}

bool digest_parse_hash(struct digest *d, const char *text)
{
	if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
		return false;
	d->hash = strtoull(text, NULL, 16); /* 16 digits fit */
	return true;
}
