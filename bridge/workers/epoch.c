// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/epoch.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINEAGE_LEN 24
#define GENERATION_LEN (EPOCH_TEXT_LEN - LINEAGE_LEN)

static void make(const char lineage[LINEAGE_LEN + 1], uint32_t generation,
		 char out[EPOCH_TEXT_LEN + 1])
{
	snprintf(out, EPOCH_TEXT_LEN + 1, "%.24s%08" PRIx32, lineage, generation);
}

void epoch_new(char out[EPOCH_TEXT_LEN + 1])
{
	unsigned char random[LINEAGE_LEN / 2];
	char lineage[LINEAGE_LEN + 1];

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(lineage, sizeof(lineage), random, sizeof(random));
	make(lineage, 1, out);
}

static bool read_generation(const char *epoch, uint32_t *out)
{
	if (strlen(epoch) != EPOCH_TEXT_LEN ||
	    strspn(epoch, "0123456789abcdef") != EPOCH_TEXT_LEN)
		return false;
	*out = (uint32_t)strtoul(epoch + LINEAGE_LEN, NULL, 16);
	return true;
}

void epoch_next(const char *epoch, char out[EPOCH_TEXT_LEN + 1])
{
	uint32_t generation;

	if (read_generation(epoch, &generation) && generation < UINT32_MAX)
		make(epoch, generation + 1, out);
	else
		epoch_new(out);
}

enum epoch_relation epoch_compare(const char *ours, const char *theirs)
{
	uint32_t our_generation, their_generation;

	if (strcmp(ours, theirs) == 0)
		return EPOCH_SAME;
	if (!read_generation(ours, &our_generation) ||
	    !read_generation(theirs, &their_generation) ||
	    strncmp(ours, theirs, LINEAGE_LEN) != 0)
		return EPOCH_OTHER;
	return our_generation < their_generation ? EPOCH_BEHIND : EPOCH_OTHER;
}
