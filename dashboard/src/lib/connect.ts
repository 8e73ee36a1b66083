// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// Programs to paste into a terminal, with which a new worker connects, reports and obeys. They are
// whole: somebody who has never seen MQTT can start here and change what they like.

export interface Credentials {
  worker_id: string
  token: string
  websocket_url: string
}

export interface Snippet {
  id: string
  label: string
  /** What has to be installed before. */
  needs: string
  code: string
}

interface Place {
  url: string
  host: string
  port: number
  path: string
  tls: boolean
}

function placeOf(text: string): Place {
  const url = new URL(text)
  const tls = url.protocol === 'wss:' || url.protocol === 'mqtts:'
  const ws = url.protocol.startsWith('ws')
  const port = Number(url.port) || (ws ? (tls ? 443 : 80) : tls ? 8883 : 1883)
  return { url: text, host: url.hostname.replace(/^\[|\]$/g, ''), port, path: url.pathname, tls }
}

const python = (c: Credentials, at: Place) => `python3 - <<'END'
import json, random, time
import paho.mqtt.client as mqtt

WORKER = "${c.worker_id}"
TOKEN = "${c.token}"
engine = "stopped"

def publish(topic, **message):
    client.publish(f"workers/{WORKER}/{topic}", json.dumps(message), qos=1)

def on_connect(client, userdata, flags, code, *_):
    print("connected" if code == 0 else f"refused: {code}", flush=True)
    publish("state", engine_status=engine)

def on_message(client, userdata, message):
    global engine
    if not message.topic.endswith("/commands"):
        return
    command = json.loads(message.payload)
    print(command["type"], flush=True)
    engine = {"engine_start": "running", "engine_stop": "stopped"}.get(command["type"], engine)
    publish("state", engine_status=engine)
    publish("results", command_id=command["command_id"], status="done", result={"engine": engine})

version = [mqtt.CallbackAPIVersion.VERSION2] if hasattr(mqtt, "CallbackAPIVersion") else []
client = mqtt.Client(*version, client_id=WORKER, transport="websockets")
client.username_pw_set(WORKER, TOKEN)
client.will_set(f"workers/{WORKER}/will", json.dumps({"reason": "the program ended"}), qos=1)
client.ws_set_options(path="${at.path}")
${at.tls ? 'client.tls_set()\n' : ''}client.on_connect, client.on_message = on_connect, on_message
client.connect("${at.host}", ${at.port}, keepalive=20)
client.loop_start()
while True:
    busy = engine == "running"
    publish("metrics", engine_status=engine, memory=random.uniform(200, 220),
            cpu=random.uniform(30, 60) if busy else 2, rate=random.uniform(90, 110) if busy else 0)
    time.sleep(2)
END`

const node = (c: Credentials, at: Place) => `node --input-type=module <<'END'
import mqtt from 'mqtt'

const worker = '${c.worker_id}'
let engine = 'stopped'
const client = mqtt.connect('${at.url}', {
  clientId: worker,
  username: worker,
  password: '${c.token}',
  keepalive: 20,
  will: { topic: \`workers/\${worker}/will\`, payload: '{"reason":"the program ended"}', qos: 1 }
})
const publish = (topic, message) =>
  client.publish(\`workers/\${worker}/\${topic}\`, JSON.stringify(message), { qos: 1 })

client.on('connect', () => {
  console.log('connected')
  publish('state', { engine_status: engine })
})
client.on('error', (error) => console.log(error.message))
client.on('message', (topic, payload) => {
  if (!topic.endsWith('/commands')) return
  const command = JSON.parse(payload)
  console.log(command.type)
  engine = { engine_start: 'running', engine_stop: 'stopped' }[command.type] ?? engine
  publish('state', { engine_status: engine })
  publish('results', { command_id: command.command_id, status: 'done', result: { engine } })
})
setInterval(() => {
  const busy = engine === 'running'
  publish('metrics', {
    engine_status: engine, memory: process.memoryUsage.rss() / 1e6,
    cpu: busy ? 30 + 30 * Math.random() : 2, rate: busy ? 90 + 20 * Math.random() : 0
  })
}, 2000)
END`

const c = (c: Credentials, at: Place) => `cat > worker.c <<'END'
#include <MQTTClient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKER "${c.worker_id}"

static void publish(MQTTClient client, const char *topic, char *json)
{
	MQTTClient_publish(client, topic, (int)strlen(json), json, 1, 0, NULL);
}

int main(void)
{
	MQTTClient client;
	MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
	MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
${at.tls ? '\tMQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;\n' : ''}	char report[200];

	MQTTClient_create(&client, "${at.url}", WORKER, MQTTCLIENT_PERSISTENCE_NONE, NULL);
	will.topicName = "workers/" WORKER "/will";
	will.message = "{\\"reason\\":\\"the program ended\\"}";
	options.will = &will;
	options.username = WORKER;
	options.password = "${c.token}";
	options.keepAliveInterval = 20;
${at.tls ? '\ttls.verify = 1;\n\toptions.ssl = &tls;\n' : ''}	for (;; sleep(2)) {
		if (!MQTTClient_isConnected(client)) {
			int code = MQTTClient_connect(client, &options);

			printf(code == 0 ? "connected\\n" : "not connected: %d\\n", code);
			fflush(stdout);
			if (code != 0)
				continue;
			publish(client, "workers/" WORKER "/state", "{\\"engine_status\\":\\"running\\"}");
		}
		snprintf(report, sizeof(report), "{\\"memory\\":%d,\\"cpu\\":%d,\\"rate\\":%d}",
		         200 + rand() % 20, 30 + rand() % 30, 90 + rand() % 20);
		publish(client, "workers/" WORKER "/metrics", report);
		MQTTClient_yield();
	}
}
END
cc worker.c -o worker -lpaho-mqtt3c${at.tls ? 's' : ''} && ./worker`

const pub = (c: Credentials, at: Place) => `while sleep 2; do echo "{\\"memory\\":$((200 + RANDOM % 20)),\\"rate\\":$((90 + RANDOM % 20))}"; done |
mosquitto_pub -h ${at.host} -p ${at.port}${at.tls ? ' --tls-use-os-certs' : ''} -k 20 -i ${c.worker_id} -u ${c.worker_id} \\
  -P ${c.token} \\
  --will-topic workers/${c.worker_id}/will --will-payload '{"reason":"the line ended"}' \\
  -q 1 -l -t workers/${c.worker_id}/metrics`

/** One for each way; mosquitto_pub speaks no WebSocket, so it needs a listener of its own. */
export function snippets(given: Credentials, mqttUrl: string | null): Snippet[] {
  const at = placeOf(given.websocket_url)
  const all: Snippet[] = [
    { id: 'python', label: 'Python', needs: 'apt install python3-paho-mqtt, or pip install paho-mqtt', code: python(given, at) },
    { id: 'node', label: 'Node', needs: 'npm install mqtt, in the same directory', code: node(given, at) },
    { id: 'c', label: 'C', needs: 'apt install gcc libpaho-mqtt-dev', code: c(given, at) }
  ]
  if (mqttUrl) {
    all.push({
      id: 'mosquitto_pub', label: 'mosquitto_pub', needs: 'apt install mosquitto-clients',
      code: pub(given, placeOf(mqttUrl))
    })
  }
  return all
}
