// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* unit.h - what cmocka wants included before it, and the main() of a test file. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_MAIN(tests)                                                                       \
	int main(void)                                                                         \
	{                                                                                      \
		return sodium_init() < 0 ? EXIT_FAILURE                                        \
					 : cmocka_run_group_tests(tests, NULL, NULL);          \
	}
