// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/process.h"

#include "bridge/base/prom.h"
#include "protocol/clock.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double cpu_seconds(void)
{
	struct rusage use = {0};

	getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* The nth word of the file's first line (0 is the first) as a number; 0 if there is none. */
static uint64_t number_in(const char *path, int n)
{
	FILE *f = fopen(path, "re");
	char line[1024], *word, *rest = line;

	if (f == NULL)
		return 0;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	do {
		word = strtok_r(rest, " ", &rest);
	} while (word != NULL && n-- > 0);
	return word != NULL ? strtoull(word, NULL, 10) : 0;
}

/* The kernel counts from the machine's start. (proc(5): starttime; the name before it is our
 * own, and has no space.) */
static double started_seconds(void)
{
	const double ticks = (double)number_in("/proc/self/stat", 21);
	struct timespec up = {0};

	clock_gettime(CLOCK_BOOTTIME, &up);
	return (double)clock_unix_ms() / 1000 - (double)up.tv_sec - (double)up.tv_nsec / 1e9 +
	       ticks / (double)sysconf(_SC_CLK_TCK);
}

static double resident_bytes(void)
{
	return (double)number_in("/proc/self/statm", 1) * (double)sysconf(_SC_PAGESIZE);
}

static double open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	double n = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 3; /* ".", ".." and the directory itself */
}

static double most_files(void)
{
	struct rlimit limit = {0};

	getrlimit(RLIMIT_NOFILE, &limit);
	return (double)limit.rlim_cur;
}

void process_expose(struct prom *p)
{
	prom_family(p, "rollcall_build_info", PROM_GAUGE, "The bridge's version; 1");
	prom_value(p, LABELS({"version", ROLLCALL_VERSION}), 1);
	prom_gauge(p, "process_start_time_seconds", "When the process started, Unix time",
		   started_seconds());
	prom_family(p, "process_cpu_seconds_total", PROM_COUNTER, "Processor time used");
	prom_value(p, NO_LABELS, cpu_seconds());
	prom_gauge(p, "process_resident_memory_bytes", "Memory in use", resident_bytes());
	prom_gauge(p, "process_open_fds", "Open files", open_files());
	prom_gauge(p, "process_max_fds", "Open files allowed", most_files());
}
