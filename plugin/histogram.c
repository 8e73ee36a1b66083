// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/histogram.h"

#define SUB_BITS 3 /* eight buckets an octave */
#define SUB (1u << SUB_BITS)

/* Below 2 * SUB each value has its bucket; then each octave has SUB of them. */
static unsigned bucket_of(uint64_t ns)
{
	unsigned octave;
	uint64_t i;

	if (ns < SUB)
		return (unsigned)ns;
	octave = 63 - (unsigned)__builtin_clzll(ns) - SUB_BITS;
	i = (uint64_t)octave * SUB + (ns >> octave);
	return i < HISTOGRAM_BUCKETS ? (unsigned)i : HISTOGRAM_BUCKETS - 1;
}

/* The greatest value that falls into the bucket. */
static int64_t end_of(unsigned bucket)
{
	unsigned octave;

	if (bucket < 2 * SUB)
		return bucket;
	octave = bucket / SUB - 1;
	return (int64_t)((((uint64_t)SUB + bucket % SUB + 1) << octave) - 1);
}

void histogram_add(struct histogram *h, int64_t ns)
{
	if (ns < 0)
		ns = 0;
	h->buckets[bucket_of((uint64_t)ns)]++;
	h->count++;
	h->sum_ns += (uint64_t)ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

uint64_t histogram_below(const struct histogram *h, unsigned exponent)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < bucket_of((uint64_t)1 << exponent); i++)
		n += h->buckets[i];
	return n;
}

int64_t histogram_quantile(const struct histogram *h, double share)
{
	uint64_t wanted = (uint64_t)((double)h->count * share), seen = 0;

	if (h->count == 0)
		return 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen > wanted || seen == h->count)
			return end_of(i) < h->max_ns ? end_of(i) : h->max_ns;
	}
	return h->max_ns;
}
