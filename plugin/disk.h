// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* disk.h - what the numbers of a disk's errors mean to whoever has to act. */
#pragma once

#include "protocol/err.h"

#include <errno.h>

/* ERR_DISK_FULL for an errno that freeing space (or raising a limit) cures, else
 * ERR_DISK_ERROR. */
static inline enum err_code disk_err_code(int number)
{
	return number == ENOSPC || number == EDQUOT || number == EFBIG ? ERR_DISK_FULL
								       : ERR_DISK_ERROR;
}
