// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/process.h"

#include "bridge/prom.h"
#include "protocol/clock.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
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

/* The kernel says how long after the machine's start. */
static double started_seconds(void)
{
	FILE *f = fopen("/proc/self/stat", "re");
	struct timespec up = {0};
	uint64_t ticks = 0;

	if (f == NULL)
		return 0;
	/* Field 22; the name in field 2 is our own, and has neither space nor bracket. */
	if (fscanf(f,
		   "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
		   "%*d "
		   "%*d %*d %" SCNu64,
		   &ticks) != 1)
		ticks = 0;
	fclose(f);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (double)clock_unix_ms() / 1000 - (double)up.tv_sec - (double)up.tv_nsec / 1e9 +
	       (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static double resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	uint64_t pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%*u %" SCNu64, &pages) != 1)
		pages = 0;
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
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
