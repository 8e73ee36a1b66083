// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* util.h - the few macros that every file wants. */
#pragma once

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that holds `member` at address `ptr` (an intrusive list's or timer's owner). */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
