// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* What clients do: a script of lines, each the broker's event of one of a few clients. The
 * first byte of a line is the event, the second the client, then its words with tabs between
 * them. No client ever gets at what is another's, and all that is told is in order. */
#include "tests/fuzz/fuzz_plugin.h"

#define CLIENTS 4
#define LINES_MAX 40
#define WORDS 4

static struct client {
	struct mosquitto as; /* what the broker shows */
	char *id, *username;
	bool known; /* it has logged in, or tried */
} clients[CLIENTS];

static const int ends[] = {-1, MOSQ_ERR_SUCCESS, MOSQ_ERR_KEEPALIVE, MOSQ_ERR_PROTOCOL,
			   MOSQ_ERR_CONN_LOST};

static void put_tokens(const char *id, const char *current, const char *pending)
{
	struct dir_entry entry = entry_of(id, world.p.directory.max_n + 1, current);

	entry.tokens_len = 2;
	token_hash(pending, strlen(pending), &entry.tokens[1].hash);
	entry.tokens[1].role = TOKEN_PENDING;
	put_entry(&world, &entry);
}

static void begin(void)
{
	put_tokens("w1", TOKEN, "tk_next");
	put_worker(&world, "w2");
	turn(&world);
}

static void hang_up(struct client *c, int reason)
{
	if (!c->known)
		return;
	disconnect(&world, &c->as, reason);
	free(c->id);
	free(c->username);
	*c = (struct client){0};
}

static void log_in_as(struct client *c, char *words[WORDS], uint8_t how)
{
	struct mosquitto_evt_basic_auth ev;
	char address[] = "::ffff:192.0.2.1";

	hang_up(c, MOSQ_ERR_CONN_LOST);
	c->known = true;
	c->username = strdup(words[0]);
	c->id = strdup(words[1]);
	must(c->username != NULL && c->id != NULL);
	c->as = (struct mosquitto){.id = c->id,
				   .username = how & 1 ? NULL : c->username,
				   .address = how & 2 ? NULL : address,
				   .protocol = how & 4 ? mp_websockets : mp_mqtt,
				   .version = how & 8 ? 4 : 5,
				   .keepalive = how & 16 ? 0 : 60,
				   .persistent = how & 32};
	ev = (struct mosquitto_evt_basic_auth){
		.client = &c->as,
		.username = how & 1 ? NULL : c->username,
		.password = how & 64 ? NULL : words[2],
	};
	if (on_basic_auth(MOSQ_EVT_BASIC_AUTH, &ev, &world.p) == MOSQ_ERR_SUCCESS)
		connect_event(&world, &c->as);
}

/* A worker's client that may write or read may do so below its own name alone. */
static void check_right(const struct client *c, const char *topic, int rc)
{
	struct worker_id id;
	enum worker_topic kind;

	if (rc != MOSQ_ERR_SUCCESS || c->as.username == NULL ||
	    !directory_owns(&world.p.directory, c->as.username))
		return;
	must(topic_match_worker(TOPIC_ROOT_DEFAULT, topic, &id, &kind));
	must(strcmp(id.text, c->as.username) == 0);
}

static int ask(struct client *c, int access, const char *topic, const char *payload,
	       bool retain)
{
	struct mosquitto_evt_acl_check ev = {.client = &c->as,
					     .topic = topic,
					     .access = access,
					     .payload = payload,
					     .payloadlen = (uint32_t)strlen(payload),
					     .retain = retain};
	const int rc = on_acl_check(MOSQ_EVT_ACL_CHECK, &ev, &world.p);

	check_right(c, topic, rc);
	return rc;
}

static void publish_as(struct client *c, char *words[WORDS], uint8_t how)
{
	struct mosquitto_evt_message ev = {.client = &c->as,
					   .topic = words[0],
					   .payload = words[1],
					   .payloadlen = (uint32_t)strlen(words[1])};

	if (ask(c, MOSQ_ACL_WRITE, words[0], words[1], how & 1) == MOSQ_ERR_SUCCESS &&
	    !(how & 2)) /* a will raises no message event */
		on_message(MOSQ_EVT_MESSAGE, &ev, &world.p);
}

static void run(char event, struct client *c, char *words[WORDS], uint8_t how)
{
	static const int rights[] = {MOSQ_ACL_READ, MOSQ_ACL_SUBSCRIBE, MOSQ_ACL_UNSUBSCRIBE};

	if (event == 'l')
		log_in_as(c, words, how);
	else if (event == 't')
		turn(&world);
	else if (event == 'r')
		reload(&world);
	else if (!c->known)
		return;
	else if (event == 'd')
		hang_up(c, ends[how % ARRAY_LEN(ends)]);
	else if (event == 'p')
		publish_as(c, words, how);
	else if (event == 'a')
		ask(c, rights[how % ARRAY_LEN(rights)], words[0], "", false);
}

static void run_line(char *line)
{
	char none[1] = "", *words[WORDS] = {none, none, none, none}, *at;
	const char event = line[0];
	size_t n = 0;
	uint8_t client, how;

	if (strlen(line) < 3)
		return;
	client = (uint8_t)line[1];
	how = (uint8_t)line[2];
	for (at = line + 3; at != NULL && n < WORDS; n++)
		words[n] = strsep(&at, "\t");
	run(event, &clients[client % CLIENTS], words, how);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(sodium_init() >= 0);
	atexit(end_world);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = input_of(data, len);

	next_input(begin);
	for (int i = 0; i < LINES_MAX && input_left(&in) > 0; i++) {
		char *line = input_line(&in);

		run_line(line);
		free(line);
	}
	for (size_t i = 0; i < CLIENTS; i++)
		hang_up(&clients[i], MOSQ_ERR_CONN_LOST);
	turns(&world, 2);
	check_said();
	assert_no_gap();
	/* Nobody is left, so nobody is connected. */
	must(state_of(&world, "w1") == PRESENCE_OFFLINE);
	must(state_of(&world, "w2") == PRESENCE_OFFLINE);
	return 0;
}
