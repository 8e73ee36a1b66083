// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* own_files.h - a thread that does not share the broker's table of open files.
 *
 * While two threads share one, the kernel takes and drops a reference on the file in every
 * system call on a descriptor: five percent of the broker's work under a storm of logins, for a
 * thread that writes to four files of its own.
 */
#pragma once

/* Gives the calling thread its own table, and closes in it what does not lie below `dir` (an
 * absolute path): the broker must be able to let go of what it closes. Where the kernel or a
 * sandbox does not have it (close_range(2), Linux 5.9), nothing happens. */
void own_files(const char *dir);
