// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* worker.c - a worker: connects, reports metrics, obeys engine_start and engine_stop.
 *	cc worker.c -o worker -lpaho-mqtt3c -ljson-c	(Debian: libpaho-mqtt-dev libjson-c-dev)
 *	./worker WEBSOCKET_URL WORKER_ID TOKEN	(or ROLLCALL_WS_URL, …_WORKER_ID, …_WORKER_TOKEN)
 * A renewed token is kept in WORKER_ID.token, which precedes the one that was given.
 * The Python sample also repeats its results until they are acknowledged as stored. */
#define _GNU_SOURCE
#include <MQTTClient.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static MQTTClient client;
static const char *id, *engine = "stopped";
static char token[128];          /* in use: the given one, or what has replaced it */
static struct json_object *seen; /* ids of commands that were carried out, as keys */
static volatile sig_atomic_t stopping;

static void on_signal(int number) { stopping = number; }
__attribute__((format(printf, 2, 3))) static void publish(const char *name, const char *json, ...) {
    char topic[128], text[512];
    va_list values;
    va_start(values, json);
    vsnprintf(text, sizeof(text), json, values);
    va_end(values);
    snprintf(topic, sizeof(topic), "workers/%s/%s", id, name);
    MQTTClient_publish(client, topic, (int)strlen(text), text, 1, 0, NULL);
}

static void report(const char *now) {
    static unsigned seq;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    publish("metrics", "{\"memory\":%.1f,\"cpu\":%.1f,\"engine_status\":\"%s\",\"seq\":%u,\"at\":\"%s\"}",
            (double)used.ru_maxrss / 1024, (double)clock() / CLOCKS_PER_SEC, engine, ++seq, now);
}

static const char *text(struct json_object *o, const char *key) {
    return json_object_get_string(json_object_object_get(o, key));
}

static void obey(struct json_object *command, const char *now) {
    const char *cid = text(command, "command_id"), *type = text(command, "type");
    const char *expires = text(command, "expires_at");
    if (!cid || !type || json_object_object_get(seen, cid) || (expires && strncmp(expires, now, 19) < 0))
        return;
    json_object_object_add(seen, cid, json_object_new_boolean(1));
    if (strcmp(type, "engine_start") != 0 && strcmp(type, "engine_stop") != 0)
        return publish("results", "{\"command_id\":\"%s\",\"status\":\"failed\"}", cid);
    publish("results", "{\"command_id\":\"%s\",\"status\":\"accepted\"}", cid);
    engine = strcmp(type, "engine_start") == 0 ? "running" : "stopped";
    publish("state", "{\"engine_status\":\"%s\"}", engine);
    publish("results", "{\"command_id\":\"%s\",\"status\":\"done\"}", cid);
    printf("%s (%s)\n", type, cid);
}

static const char *token_file(const char *suffix) {
    static char path[128];
    snprintf(path, sizeof(path), "%s.token%s", id, suffix);
    return path;
}

static int load_token(void) {
    FILE *file = fopen(token_file(""), "re");
    int found = file && fscanf(file, "%127s", token) == 1;
    if (file) fclose(file);
    return found;
}

/* Whole or not at all, and on the disk when this returns. */
static int save_token(const char *new_token) {
    char path[128];
    int file = open(token_file(".new"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int saved = file >= 0 && dprintf(file, "%s\n", new_token) > 0 && fsync(file) == 0;
    if (file >= 0) close(file);
    strcpy(path, token_file(".new"));
    return saved && rename(path, token_file("")) == 0;
}

/* Saved first: once it is acknowledged the old one ends. The session goes on. */
static void renew(struct json_object *message) {
    const char *renewal = text(message, "renewal_id"), *new_token = text(message, "new_token");
    if (!renewal || !new_token || strlen(new_token) >= sizeof(token)) return;
    if (!save_token(new_token))
        return publish("token/ack", "{\"success\":false,\"renewal_id\":\"%s\",\"error\":\"not saved\"}",
                       renewal);
    strcpy(token, new_token);
    publish("token/ack", "{\"success\":true,\"renewal_id\":\"%s\"}", renewal);
    printf("token renewed until %s\n", text(message, "expires_at"));
}

static void receive(const char *topic, MQTTClient_message *message, const char *now) {
    struct json_object *body = json_tokener_parse(strndupa(message->payload, (size_t)message->payloadlen));
    if (strstr(topic, "/commands")) obey(body, now);
    if (strstr(topic, "/token")) renew(body);
    json_object_put(body);
}

/* From CONNACK to the loss. Nothing is subscribed to: a session gets what is meant for it. */
static void session(void) {
    time_t next_report = 0;
    printf("connected as %s\n", id);
    publish("state", "{\"engine_status\":\"%s\"}", engine);
    while (!stopping && MQTTClient_isConnected(client)) {
        MQTTClient_message *message = NULL;
        time_t now = time(NULL);
        char *topic, at[32];
        int len;
        strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
        if (now >= next_report) {
            report(at);
            next_report = now + 5;
        }
        MQTTClient_receive(client, &topic, &len, &message, 200);
        if (!message) continue;
        receive(topic, message, at);
        MQTTClient_free(topic);
        MQTTClient_freeMessage(&message);
    }
}

int main(int argc, char **argv) {
    MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer_ws;
    MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
    const char *url = argc > 3 ? argv[1] : getenv("ROLLCALL_WS_URL");
    char will_topic[128];
    int use_given = 0;
    id = options.username = argc > 3 ? argv[2] : getenv("ROLLCALL_WORKER_ID");
    const char *given = argc > 3 ? argv[3] : getenv("ROLLCALL_WORKER_TOKEN");
    if (!url || !id || !given || strlen(given) >= sizeof(token))
        return fputs("usage: worker WEBSOCKET_URL WORKER_ID TOKEN\n", stderr), 2;
    options.password = load_token() ? token : strcpy(token, given);
    snprintf(will_topic, sizeof(will_topic), "workers/%s/will", id);
    will.topicName = will_topic;
    will.message = "{\"reason\":\"the worker vanished\"}";
    options.will = &will;
    options.keepAliveInterval = 20;
    options.reliable = 0; /* several messages may be on their way at once */
    seen = json_object_new_object();
    srand((unsigned)getpid());
    setlinebuf(stdout);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    MQTTClient_create(&client, url, id, MQTTCLIENT_PERSISTENCE_NONE, NULL);
    for (unsigned attempt = 0; !stopping; attempt = attempt < 5 ? attempt + 1 : 5) {
        int refused = MQTTClient_connect(client, &options);
        if (refused == MQTTCLIENT_SUCCESS) {
            attempt = 0;
            session();
        } else if (refused == 4 || refused == 5) {
            use_given = !use_given; /* perhaps an operator has given a new one */
            if (use_given || !load_token()) strcpy(token, given);
        }
        /* Not all of a fleet at once: half to a whole second, then twice as long, … */
        if (!stopping) usleep((useconds_t)(500000 + rand() % 500000) << attempt);
    }
    MQTTClient_disconnect(client, 1000);
    MQTTClient_destroy(&client);
}
