// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The bridge's configuration file. What is taken keeps the limits of its options, and reads the
 * same when it is printed and read again. */
#include "bridge/base/config.h"
#include "bridge/identity/address.h"
#include "protocol/topics.h"
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#define PRINTED_MAX ((size_t)64 * 1024)

static int file;
static char path[64];

static void write_file(const void *bytes, size_t len)
{
	must(ftruncate(file, 0) == 0);
	must(pwrite(file, bytes, len, 0) == (ssize_t)len);
}

/* Without the lines of secrets, which are masked. */
static void drop_masked(struct buf *out)
{
	char *to = out->data, *line = out->data, *next;

	for (; *line != '\0'; line = next) {
		const size_t len = strcspn(line, "\n") + 1;

		next = line + len;
		if (memmem(line, len, "=********\n", 10) != NULL)
			continue;
		memmove(to, line, len);
		to += len;
	}
	*to = '\0';
	out->len = (size_t)(to - out->data);
}

static void check_config(const struct config *c)
{
	must(c->http_port >= 1 && c->http_port <= 65535);
	must(c->db_pool >= 1 && c->db_pool <= 64);
	must(address_list_valid(c->trusted_proxies) && topic_root_valid(c->topic_root));
	must(strlen(c->jwt_secret) == 0 || strlen(c->jwt_secret) >= 32);
	must(strlen(c->http_bind) >= 1 && strlen(c->http_bind) <= 255);
}

static void check_printed(const struct config *c)
{
	struct buf out, again;
	struct config back;
	struct err e;

	buf_init(&out, PRINTED_MAX);
	buf_init(&again, PRINTED_MAX);
	config_print(c, &out);
	must(!out.failed);
	drop_masked(&out);
	write_file(out.data, out.len);
	must(config_load(&back, path, &e) == ERR_OK);
	config_print(&back, &again);
	drop_masked(&again);
	/* A secret that was set is missing in the first, and shown as empty in the second. */
	must(!again.failed && again.len >= out.len);
	config_fini(&back);
	buf_fini(&out);
	buf_fini(&again);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(clearenv() == 0);
	file = memfd_create("config", MFD_CLOEXEC);
	must(file >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config config;
	struct err e = {0};

	/* A name of a file would be opened, whatever it is. */
	if (memmem(data, len, "_FILE", 5) != NULL)
		return 0;
	write_file(data, len);
	if (config_load(&config, path, &e) == ERR_OK) {
		check_config(&config);
		check_printed(&config);
	} else {
		must(e.code != ERR_OK && e.msg[0] != '\0');
	}
	config_fini(&config);
	return 0;
}
