// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* fuzz.h - what the fuzz targets share: the entry point, must(), and an input taken apart.
 *
 * A target is one file fuzz_NAME.c that feeds bytes to functions that strangers reach and says
 * with must() what has to hold whatever the bytes were. Built with clang (FLAVOUR=fuzz) it is a
 * libFuzzer program; with any other flavour replay.c gives it a main() that runs the inputs
 * kept in corpus/NAME, which is part of `make unit`. Thread: one.
 */
#pragma once

#include "protocol/util.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The target's. Always returns 0; what is wrong ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The target's, once before the first input. Always returns 0. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define FUZZ_NEEDS_NOTHING_BEFORE                                                              \
	int LLVMFuzzerInitialize(int *argc, char ***argv)                                      \
	{                                                                                      \
		(void)argc;                                                                    \
		(void)argv;                                                                    \
		return 0;                                                                      \
	}

#define must(condition)                                                                        \
	((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__, __func__))

_Noreturn static inline void fuzz_fail(const char *condition, const char *file, int line,
				       const char *function)
{
	fprintf(stderr, "%s:%d: %s: does not hold: %s\n", file, line, function, condition);
	abort();
}

/* What is left of an input. */
struct input {
	const char *at, *end;
};

static inline struct input input_of(const uint8_t *data, size_t len)
{
	const char *at = (const char *)data;

	return (struct input){at, at + len};
}

static inline size_t input_left(const struct input *in)
{
	return (size_t)(in->end - in->at);
}

/* 0 when nothing is left. */
static inline uint8_t input_u8(struct input *in)
{
	return in->at < in->end ? (uint8_t)*in->at++ : 0;
}

static inline int64_t input_i64(struct input *in)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | input_u8(in);
	return (int64_t)value;
}

/* A copy of `len` bytes as a C string, which ends at the first NUL among them, in memory of its
 * size and no more: a byte read behind it is found. The caller's. */
static inline char *text_of(const char *at, size_t len)
{
	char *text = strndup(at, len);

	must(text != NULL);
	return text;
}

/* What stands before the next line feed, which is skipped. The caller's. */
static inline char *input_line(struct input *in)
{
	const char *feed = in->at < in->end ? memchr(in->at, '\n', input_left(in)) : NULL;
	const char *end = feed != NULL ? feed : in->end;
	char *text = text_of(in->at, (size_t)(end - in->at));

	in->at = feed != NULL ? feed + 1 : in->end;
	return text;
}

/* All that is left. The caller's. */
static inline char *input_rest(struct input *in)
{
	char *text = text_of(in->at, input_left(in));

	in->at = in->end;
	return text;
}
