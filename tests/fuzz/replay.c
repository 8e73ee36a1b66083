// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* replay FILE|DIRECTORY... - the main() of a fuzz target without a fuzzer: runs each input that
 * is kept, so that what was found once is tested by every build. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

static size_t ran;

static void run_file(const char *path)
{
	FILE *f = fopen(path, "rbe");
	struct stat st;
	uint8_t *bytes;
	size_t len;

	if (f == NULL || fstat(fileno(f), &st) != 0) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	/* Exactly as long as the input, so that a sanitizer sees a read behind it. */
	bytes = malloc((size_t)st.st_size);
	must(bytes != NULL || st.st_size == 0);
	len = st.st_size > 0 ? fread(bytes, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	LLVMFuzzerTestOneInput(bytes, len);
	free(bytes);
	ran++;
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void run_directory(const char *path)
{
	struct dirent **entries;
	const int n = scandir(path, &entries, is_input, alphasort);
	char file[4096];

	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		run_file(file);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	struct stat st;

	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			run_directory(argv[i]);
		else
			run_file(argv[i]);
	}
	/* A corpus that is not found must not pass for one that holds. */
	if (ran == 0)
		fprintf(stderr, "%s: no inputs\n", argv[0]);
	else
		printf("%s: %zu inputs\n", argv[0], ran);
	return ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
