// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* What lies in the plugin's files: records of LMDB, and the journal. The first byte says which
 * of them the rest is; a damaged one is refused, and what is accepted is written and read as
 * the same. */
#include "plugin/codec.h"
#include "plugin/directory.h"
#include "plugin/journal.h"
#include "plugin/object.h"
#include "plugin/proof.h"
#include "protocol/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/test_plugin_fake.h"

#include <sys/mman.h>

#define JOURNAL_MAX ((size_t)1024 * 1024)

static char dir[64];
static struct store *store;
static struct directory directory;
static struct journal journal;

/* ---- records of LMDB --------------------------------------------------------------------- */

static void no_wake(void)
{
}

static void check_entry(const char *key, struct slice value)
{
	struct dir_entry entry, before, again;
	enum dir_change change;
	struct err e;

	if (!dir_entry_decode(key, strlen(key), value, &entry))
		return;
	must(entry.tokens_len >= 0 && entry.tokens_len <= DIRECTORY_HASHES_MAX);
	must(entry.status <= DIR_DELETED && dir_status_name(entry.status) != NULL);
	/* One worker and one epoch, so that what is kept stays small, and a newer record. */
	entry.id = (struct worker_id){"w"};
	entry.revision = (struct revision){.epoch = "e", .n = directory.max_n + 1};
	must(directory_apply(&directory, &entry, &before, &change, &e) == ERR_OK);
	must(change == DIR_APPLIED && directory_get(&directory, &entry.id, &again));
	must(again.status == entry.status && again.revision.n == entry.revision.n);
	must(again.tokens_len == entry.tokens_len);
	for (int i = 0; i < entry.tokens_len; i++) {
		must(token_hash_equal(&again.tokens[i].hash, &entry.tokens[i].hash));
		must(again.tokens[i].expires_ms == entry.tokens[i].expires_ms);
		must(again.tokens[i].role == entry.tokens[i].role);
	}
}

static void check_object(const char *key, struct slice value)
{
	struct object object, again;
	struct err e;

	if (!object_decode(key, strlen(key), value, &object))
		return;
	must(presence_state_name(object.last.state) != NULL);
	must(object.last.reason < PRESENCE_REASONS);
	object.last.worker = (struct worker_id){"w"};
	must(object_save(store, &object, &e) == ERR_OK);
	must(object_load(store, &object.last.worker, &again));
	must(again.last.state == object.last.state && again.generation == object.generation);
	must(again.last.sessions == object.last.sessions);
	must(strcmp(again.last.detail, object.last.detail) == 0);
	must(again.connects_full_us == object.connects_full_us);
}

static void check_proof(const char *key, struct slice value)
{
	struct proof proof;

	if (proof_decode(key, strlen(key), value, &proof))
		must(proof_how_name(proof.how) != NULL);
}

static void check_reported(struct slice value)
{
	const struct worker_id id = {"w"};
	struct reported_state state;
	struct err e;

	must(store_put(store, STORE_REPORTED, id.text, 1, value.data, value.len, &e) == ERR_OK);
	if (!reported_load(store, &id, &state))
		return;
	must(strlen(state.engine_status) <= ENGINE_STATUS_MAX);
	must(state.json.len <= value.len);
}

/* ---- the journal ------------------------------------------------------------------------- */

/* Records seen in a replay, or written. */
struct seen {
	size_t n, bytes;
	uint64_t sum;
};

static enum err_code see(void *arg, const struct journal_record *r, struct err *e)
{
	struct seen *seen = arg;
	const uint8_t *key = r->key, *value = r->value;

	e->code = ERR_OK;
	seen->n++;
	seen->bytes += r->key_len + r->value_len;
	for (size_t i = 0; i < r->key_len; i++)
		seen->sum = seen->sum * 31 + key[i];
	for (size_t i = 0; i < r->value_len; i++)
		seen->sum = seen->sum * 31 + value[i];
	return ERR_OK;
}

static bool replay(const void *bytes, size_t len, struct seen *seen)
{
	struct err e;
	bool damaged;

	*seen = (struct seen){0};
	must(ftruncate(journal.fd[0], 0) == 0);
	must(len == 0 || write(journal.fd[0], bytes, len) == (ssize_t)len);
	return journal_replay(&journal, see, seen, &damaged, &e) == ERR_OK;
}

/* Records, and between them what is none: each line is one or the other. All records come back,
 * whatever stands between them. */
static void check_journal(struct input *in)
{
	struct seen written = {0}, read;
	struct buf file;
	struct err e;

	buf_init(&file, JOURNAL_MAX);
	while (input_left(in) > 0 && file.len < JOURNAL_MAX / 2) {
		char *line = input_line(in);
		const size_t len = strlen(line), key_len = len > 1 ? (uint8_t)line[1] % len : 0;
		const struct journal_record r = {.lsn = written.n + 1,
						 .db = STORE_OBJECTS,
						 .key = line,
						 .key_len = key_len,
						 .value = line + key_len,
						 .value_len = len - key_len};

		if (line[0] == 'r') {
			journal_encode(&file, &r);
			must(see(&written, &r, &e) == ERR_OK);
		} else {
			buf_add(&file, line, len);
		}
		free(line);
	}
	must(!file.failed);
	if (replay(file.data, file.len, &read))
		must(read.n == written.n && read.sum == written.sum);
	buf_fini(&file);
}

/* ---- all of it --------------------------------------------------------------------------- */

static void end(void)
{
	journal_close(&journal);
	store_close(store);
	remove_dir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err e;

	(void)argc;
	(void)argv;
	must(sodium_init() >= 0);
	log_set_sink(quiet);
	make_dir(dir);
	store = store_open(dir, 64, 1000, no_wake, &e);
	must(store != NULL);
	directory_open(&directory, store);
	must(directory_set_epoch(&directory, "e", &e) == ERR_OK);
	for (int i = 0; i < 2; i++) {
		journal.fd[i] = memfd_create("journal", MFD_CLOEXEC);
		must(journal.fd[i] >= 0 && fcntl(journal.fd[i], F_SETFL, O_APPEND) == 0);
	}
	atexit(end);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = input_of(data, len);
	const uint8_t kind = input_u8(&in);
	struct slice value;
	struct seen seen;
	char *key;

	if (kind == 'J')
		replay(in.at, input_left(&in), &seen);
	else if (kind == 'j')
		check_journal(&in);
	if (kind == 'J' || kind == 'j')
		return 0;
	key = input_line(&in);
	value = (struct slice){in.at, input_left(&in)};
	if (kind == 'd')
		check_entry(key, value);
	else if (kind == 'o')
		check_object(key, value);
	else if (kind == 'p')
		check_proof(key, value);
	else if (kind == 'r')
		check_reported(value);
	free(key);
	return 0;
}
