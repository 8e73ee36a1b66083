// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The short texts that strangers write: ids, times, cursors, scopes, topics. What is accepted
 * keeps its limits and survives being printed and read again. */
#include "bridge/events/cursor.h"
#include "bridge/identity/scope.h"
#include "protocol/clock.h"
#include "protocol/digest.h"
#include "protocol/topics.h"
#include "tests/fuzz/fuzz.h"

#include <sodium.h>

#define YEAR_10000_MS INT64_C(253402300800000)
#define ID_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

static bool is_worker_id(const char *text)
{
	const size_t len = strlen(text);

	return len >= 1 && len <= WORKER_ID_MAX && strspn(text, ID_CHARS) == len &&
	       strcmp(text, "status") != 0 && strcmp(text, "events") != 0;
}

static void check_ids(const char *text)
{
	struct worker_id id, owner;
	struct command_id command;
	struct token_hash hash;
	char hex[TOKEN_HEX_LEN + 1];
	const char *suffix;
	const size_t len = strlen(text);

	must(worker_id_parse(text, len, &id) == is_worker_id(text));
	must(!is_worker_id(text) || strcmp(id.text, text) == 0);
	if (client_id_split(text, &owner, &suffix)) {
		must(is_worker_id(owner.text) && len <= CLIENT_ID_MAX);
		must(strncmp(text, owner.text, strlen(owner.text)) == 0);
		must(strlen(suffix) <= CLIENT_SUFFIX_MAX);
		must(strspn(suffix, ID_CHARS) == strlen(suffix));
	}
	if (command_id_parse(text, len, &command))
		must(len == COMMAND_ID_LEN && strcmp(command.text, text) == 0);
	if (token_hash_parse(text, len, &hash)) {
		token_hash_print(&hash, hex);
		must(len == TOKEN_HEX_LEN && strcasecmp(hex, text) == 0);
	}
}

static void check_time(const char *text)
{
	char printed[CLOCK_TEXT_SIZE];
	int64_t ms, again;

	if (!clock_parse(text, strlen(text), &ms))
		return;
	must(ms >= 0 && ms < YEAR_10000_MS);
	clock_format(ms, printed);
	must(clock_parse(printed, strlen(printed), &again) && again == ms);
}

static void check_clock(int64_t any)
{
	const int64_t ms = (int64_t)((uint64_t)any % (uint64_t)YEAR_10000_MS);
	char printed[CLOCK_TEXT_SIZE];
	int64_t again;

	clock_format(ms, printed);
	must(strlen(printed) == CLOCK_TEXT_SIZE - 1);
	must(clock_parse(printed, strlen(printed), &again) && again == ms);
}

static void check_cursors(const char *text)
{
	struct page_cursor page, page_again;
	struct audit_cursor audit, audit_again;
	struct command_cursor command, command_again;
	struct watch_cursor watch, watch_again;
	char printed[CURSOR_TEXT_SIZE];

	if (page_cursor_parse(text, &page)) {
		must(is_worker_id(page.id.text));
		page_cursor_print(&page, printed);
		must(page_cursor_parse(printed, &page_again));
		must(page_again.created_ms == page.created_ms);
		must(worker_id_equal(&page_again.id, &page.id));
	}
	if (audit_cursor_parse(text, &audit)) {
		must(audit.at_ms >= 0 && audit.id >= 0);
		audit_cursor_print(&audit, printed);
		must(audit_cursor_parse(printed, &audit_again));
		must(audit_again.at_ms == audit.at_ms && audit_again.id == audit.id);
	}
	if (command_cursor_parse(text, &command)) {
		command_cursor_print(&command, printed);
		must(command_cursor_parse(printed, &command_again));
		must(command_again.created_ms == command.created_ms);
		must(strcmp(command_again.id.text, command.id.text) == 0);
	}
	if (watch_cursor_parse(text, &watch)) {
		must(strlen(watch.instance) <= EVENT_INSTANCE_MAX);
		watch_cursor_print(&watch, printed);
		must(watch_cursor_parse(printed, &watch_again));
		must(watch_again.n == watch.n);
		must(strcmp(watch_again.instance, watch.instance) == 0);
	}
}

/* The text as it would be handed out: so the fuzzer need not guess base64. */
static void check_cursor_of(const char *plain)
{
	char text[CURSOR_TEXT_SIZE];

	if (strlen(plain) > 150)
		return;
	sodium_bin2base64(text, sizeof(text), (const unsigned char *)plain, strlen(plain),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	check_cursors(text);
}

static void check_scopes(const char *text)
{
	const unsigned scopes = scopes_parse(text);
	char printed[SCOPES_TEXT_SIZE];

	must((scopes & ~SCOPES_ADMIN) == 0);
	scopes_print(scopes, printed);
	must(scopes_parse(printed) == scopes);
	must(((unsigned)scope_parse(text, strlen(text)) & ~SCOPES_ADMIN) == 0);
}

/* What belongs to a worker is found by both matchers, and never under two names. */
static void check_topics(const char *text)
{
	struct worker_id id, other = {"wrk_other"};
	enum worker_topic kind, own;
	char built[TOPIC_MAX];

	if (topic_match_worker(TOPIC_ROOT_DEFAULT, text, &id, &kind) && id.text[0] != '\0') {
		must(topic_match_own(TOPIC_ROOT_DEFAULT, text, &id, &own) && own == kind);
		if (!worker_id_equal(&id, &other))
			must(!topic_match_own(TOPIC_ROOT_DEFAULT, text, &other, &own));
		if (worker_topic_name(kind) != NULL) {
			topic_of_worker(TOPIC_ROOT_DEFAULT, &id, kind, built);
			must(strcmp(built, text) == 0);
		}
	}
	must(strlen(topic_without_share(text)) <= strlen(text));
	if (topic_root_valid(text)) {
		topic_of_worker(text, &other, WORKER_TOPIC_METRICS_ACK, built);
		must(topic_match_worker(text, built, &id, &kind));
		must(worker_id_equal(&id, &other) && kind == WORKER_TOPIC_METRICS_ACK);
	}
}

static void check_digest(const char *text)
{
	char printed[DIGEST_TEXT_SIZE];
	struct digest digest = {0};

	if (!digest_parse_hash(&digest, text))
		return;
	digest_print_hash(&digest, printed);
	must(strcasecmp(printed, text) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(sodium_init() >= 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = input_of(data, len), number = in;
	char *text = input_rest(&in);

	check_ids(text);
	check_time(text);
	check_clock(input_i64(&number));
	check_cursors(text);
	check_cursor_of(text);
	check_scopes(text);
	check_topics(text);
	check_digest(text);
	free(text);
	return 0;
}
