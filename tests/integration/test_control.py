# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The commands that a bridge gives the plugin, and what comes back."""

import json

import pytest

from harness.identity import new_worker_id
from harness.observer import CONTROL, RESPONSE
from harness.wait import wait_until
from harness.worker import PROTOCOLS

CONNECTION_MEMBERS = {
    "worker_id", "state", "connected", "session_count", "node", "boot", "seq", "generation", "at",
    "reason", "detail", "connected_since", "disconnected_since", "hibernated", "reported_state",
    "reported_at", "sessions"}
SESSION_MEMBERS = {
    "client_id", "generation", "transport", "address", "protocol_version", "keepalive",
    "connected_at", "last_message_at", "messages_received", "bytes_received", "messages_sent",
    "bytes_sent"}


# ---- getConnection, listConnections ----------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_get_connection_shows_the_whole_object(hall, protocol):
    worker = hall.online(protocol, keepalive=77)
    connection = hall.observer.connection(worker.worker_id)
    assert connection.keys() >= CONNECTION_MEMBERS
    (session,) = connection["sessions"]
    assert session.keys() >= SESSION_MEMBERS
    websocket, version = PROTOCOLS[protocol]
    assert session["client_id"] == worker.worker_id
    assert session["keepalive"] == 77
    assert session["transport"] == ("websockets" if websocket else "tcp")
    assert str(session["protocol_version"]) in {4: ("4", "3.1.1"), 5: ("5", "5.0")}[version]
    assert session["address"].endswith("127.0.0.1")


def test_get_connection_counts_messages(hall):
    worker = hall.online("tcp-5")
    for n in range(3):
        worker.report(memory=n)
    hall.observer.call("send", worker_id=worker.worker_id, topic="commands", payload="12345")
    (session,) = hall.observer.connection(worker.worker_id)["sessions"]
    assert (session["messages_received"], session["messages_sent"]) == (3, 1)
    assert session["bytes_received"] >= 3 * len('{"memory": 1}')
    assert session["bytes_sent"] >= 5
    assert session["last_message_at"] >= session["connected_at"]


def test_get_connection_of_one_that_never_came(hall):
    connection = hall.observer.connection(hall.enroll().worker_id)
    assert (connection["state"], connection["generation"]) == ("offline", 0)
    assert (connection["connected"], connection["sessions"]) == (False, [])


def test_get_connection_of_an_unknown_worker(hall):
    hall.observer.expect_error("WORKER_NOT_FOUND", "getConnection", worker_id=new_worker_id())


def test_what_a_worker_says_of_its_state_is_kept(hall):
    worker = hall.online("tcp-5")
    worker.publish("state", {"engine_status": "draining", "job": {"id": 7}})
    connection = hall.observer.connection(worker.worker_id)
    assert connection["reported_state"] == {"engine_status": "draining", "job": {"id": 7}}
    worker.disconnect()
    hall.observer.wait_state(worker.worker_id, "offline")
    assert hall.observer.connection(worker.worker_id)["reported_state"]["job"] == {"id": 7}


@pytest.mark.parametrize("rubbish", [b"", b"no JSON", b"[]", b"7", b'{"engine_status":"' +
                                     b"x" * 9000 + b'"}', b"\xff\xfe"],
                         ids=lambda r: repr(r[:24]))
def test_a_state_that_is_none_does_not_replace_the_last(hall, rubbish):
    worker = hall.online("tcp-5")
    worker.say("running")
    worker.publish("state", rubbish)
    worker.wire.ping()
    connection = hall.observer.connection(worker.worker_id)
    assert connection["reported_state"] == {"engine_status": "running"}


def test_list_connections_in_pages_misses_nobody(hall):
    workers = [hall.online("tcp-5") for _ in range(7)]
    after, seen = None, []
    while True:
        members = {"after": after} if after else {}
        page = hall.observer.call("listConnections", limit=3, **members)
        assert len(page["connections"]) <= 3
        assert page["node"] == "test-node"
        seen += [c["worker_id"] for c in page["connections"]]
        after = page["next"]
        if after is None:
            break
    assert seen == sorted(set(seen))
    assert set(seen) >= {w.worker_id for w in workers}


def test_list_connections_by_ids(hall):
    worker, unknown, never = hall.online("tcp-5"), new_worker_id(), hall.enroll()
    page = hall.observer.call("listConnections",
                              ids=[worker.worker_id, unknown, never.worker_id])
    (entry,) = page["connections"]
    last = hall.observer.last_event(worker.worker_id)
    assert {k: entry[k] for k in last if k != "heard"} == \
        {k: v for k, v in last.items() if k != "heard"}
    assert (page["boot"], page["seq"]) >= (entry["boot"], entry["seq"])
    assert entry["reported"] is None


def test_list_connections_shows_what_was_reported(hall):
    worker = hall.online("tcp-5")
    worker.say("starting")
    (entry,) = hall.observer.call("listConnections", ids=[worker.worker_id])["connections"]
    assert entry["reported"]["engine_status"] == "starting"


def test_list_connections_of_the_connected_only(hall):
    here, gone = hall.online("tcp-5"), hall.online("tcp-5")
    gone.disconnect()
    hall.observer.wait_state(gone.worker_id, "offline")
    page = hall.observer.call("listConnections", only="connected",
                              ids=[here.worker_id, gone.worker_id])
    assert [c["worker_id"] for c in page["connections"]] == [here.worker_id]


# ---- send ------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_send_reaches_a_session_that_subscribed_to_nothing(hall, protocol):
    worker = hall.online(protocol)
    data = hall.observer.call("send", worker_id=worker.worker_id, topic="commands",
                              payload={"type": "x", "ü": [1, None]})
    assert data["sessions"] == 1
    assert data["generation"] == hall.observer.last_event(worker.worker_id)["generation"]
    message = worker.wire.receive(worker.topic("commands"))
    assert json.loads(message.payload) == {"type": "x", "ü": [1, None]}
    assert (message.qos, message.retain) == (1, False)


def test_send_comes_once_to_a_session_that_subscribed(hall):
    worker = hall.online("tcp-5")
    worker.subscribe("commands")
    hall.observer.call("send", worker_id=worker.worker_id, topic="commands", payload="once")
    hall.observer.call("send", worker_id=worker.worker_id, topic="notice", payload="last")
    worker.wire.receive(worker.topic("notice"))
    messages = worker.wire.received_so_far()
    assert messages == []


def test_send_delivers_a_text_verbatim(hall):
    worker = hall.online("tcp-5")
    for payload in ("plain", '{"a":  1}', "", "ü" * 1000):
        hall.observer.call("send", worker_id=worker.worker_id, topic="commands", payload=payload)
        assert worker.wire.receive(worker.topic("commands")).payload.decode() == payload


def test_send_chooses_the_session(hall):
    first = hall.online("tcp-5")
    second = hall.online("tcp-5", (first.worker_id, first.token), session="b")

    def send(payload, **target):
        return hall.observer.call("send", worker_id=first.worker_id, topic="commands",
                                  payload=payload, **target)["sessions"]
    assert send("newest") == 1
    assert send("any", target="any") == 1
    assert send("both", target="all") == 2
    assert send("first", target=first.client_id) == 1

    def heard(worker):
        return [m.payload.decode() for m in worker.wire.received_so_far()]
    assert heard(first) == ["both", "first"]
    assert heard(second) == ["newest", "any", "both"]


def test_send_says_when_nobody_is_there(hall):
    worker = hall.online("tcp-5")
    members = {"worker_id": worker.worker_id, "topic": "commands", "payload": "x"}
    hall.observer.expect_error("NOT_CONNECTED", "send", target=worker.worker_id + ".b", **members)
    worker.disconnect()
    hall.observer.wait_event(worker.worker_id, connected=False)
    hall.observer.expect_error("NOT_CONNECTED", "send", **members)
    hall.observer.expect_error("NOT_CONNECTED", "send", **{
        **members, "worker_id": hall.enroll().worker_id})
    hall.observer.expect_error("WORKER_NOT_FOUND", "send", **{
        **members, "worker_id": new_worker_id()})


def test_a_message_expiry_reaches_mqtt_5(hall):
    worker = hall.online("tcp-5")
    hall.observer.call("send", worker_id=worker.worker_id, topic="commands", payload="x",
                       message_expiry=60)
    properties = worker.wire.receive(worker.topic("commands")).properties
    assert properties[:1] == b"\x02" and 0 < int.from_bytes(properties[1:5], "big") <= 60


@pytest.mark.parametrize("topic", ["", "#", "+", "commands/#", "a/../b", "unknown"])
def test_send_goes_to_topics_of_workers_only(hall, topic):
    worker = hall.online("tcp-5")
    hall.observer.expect_error("INVALID_REQUEST", "send", worker_id=worker.worker_id, topic=topic,
                               payload="x")


def test_a_burst_of_commands_arrives_whole_and_in_order(hall):
    worker = hall.online("tcp-5")
    numbers = [hall.observer.send_command("send", worker_id=worker.worker_id, topic="commands",
                                          payload=str(n)) for n in range(300)]
    assert [int(worker.wire.receive().payload) for _ in numbers] == list(range(300))
    for number in numbers:
        hall.observer.wait_response(number)


# ---- disconnect ------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_disconnect_gives_notice_and_closes(hall, protocol):
    worker = hall.online(protocol, reason="its will")
    data = hall.observer.call("disconnect", worker_id=worker.worker_id, code="KICKED",
                              message="make room")
    assert data["sessions"] == 1
    assert worker.receive("notice") == {"code": "KICKED", "message": "make room"}
    assert worker.wire.wait_closed(1)
    assert hall.observer.wait_event(worker.worker_id, connected=False)["reason"] == "kicked"
    assert hall.observer.wait_state(worker.worker_id, "offline")["reason"] == "kicked"


def test_disconnect_of_one_session_leaves_the_other(hall):
    first = hall.online("tcp-5")
    second = hall.online("tcp-5", (first.worker_id, first.token), session="b")
    hall.observer.call("disconnect", worker_id=first.worker_id, client_id=first.client_id,
                       code="KICKED", message="")
    assert first.wire.wait_closed(1)
    assert second.subscribe("commands") == 1
    assert all(e["connected"] for e in hall.observer.events_of(first.worker_id))


def test_disconnect_of_nobody(hall):
    hall.observer.expect_error("NOT_CONNECTED", "disconnect", code="KICKED", message="x",
                               worker_id=hall.enroll().worker_id)


def test_a_kicked_worker_may_return_at_once(hall):
    worker = hall.online("tcp-5")
    hall.observer.call("disconnect", worker_id=worker.worker_id, code="KICKED", message="x")
    assert worker.wire.wait_closed(1)
    hall.online("tcp-5", (worker.worker_id, worker.token))


# ---- the envelope ----------------------------------------------------------------------------


def response_to(hall, payload):
    """What comes back for a message that has no correlation data."""
    before = len(hall.observer.unmatched)
    hall.observer.publish_control(payload)
    wait_until(lambda: len(hall.observer.unmatched) > before)
    return hall.observer.unmatched[-1]


@pytest.mark.parametrize("payload", [
    b"", b"not JSON", b"\xff\xfe\x00", b"[]", b"null", b"7", b"{}", b'{"commands":{}}',
    b'{"commands":7}', b'{"commands":[7]}', b'{"commands":[{}]}', b'{"commands":[{"command":7}]}',
    b'{"commands":[{"command":"no such"}]}', b'{"commands":' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"commands":[{"command":"getConnection","worker_id":' + b'{"a":' * 200 + b"1" + b"}" * 201
    + b"]}", b'{"commands":[' + b" " * 900_000], ids=lambda p: repr(p[:32]))
def test_what_is_no_command_is_answered_as_such(hall, payload):
    assert response_to(hall, payload)["error"]["code"] == "INVALID_REQUEST"
    assert hall.observer.call("listConnections", limit=1)["node"] == "test-node"


@pytest.mark.parametrize("command, members, names", [
    ("getConnection", {}, "worker_id"),
    ("getConnection", {"worker_id": 7}, "worker_id"),
    ("getConnection", {"worker_id": "no/id"}, "worker_id"),
    ("getConnection", {"worker_id": "x" * 65}, "worker_id"),
    ("listConnections", {"limit": 0}, "limit"),
    ("listConnections", {"limit": 1001}, "limit"),
    ("listConnections", {"limit": "3"}, "limit"),
    ("listConnections", {"pages": 0}, "pages"),
    ("listConnections", {"pages": 1001}, "pages"),
    ("listConnections", {"ids": "wrk_a"}, "ids"),
    ("listConnections", {"ids": [7]}, "ids"),
    ("listConnections", {"only": "offline"}, "only"),
    ("send", {"topic": "commands", "payload": "x"}, "worker_id"),
    ("send", {"worker_id": "wrk_a", "payload": "x"}, "topic"),
    ("send", {"worker_id": "wrk_a", "topic": "commands"}, "payload"),
    ("disconnect", {"worker_id": "wrk_a", "code": "TIRED", "message": "x"}, "code"),
    ("putWorkers", {}, "workers"),
    ("putWorkers", {"workers": [{}]}, "worker_id"),
    ("putWorkers", {"workers": [{"worker_id": "wrk_a", "status": "busy", "token_hashes": [],
                                 "revision": {"epoch": "e", "n": 1}}]}, "status"),
    ("putWorkers", {"workers": [{"worker_id": "wrk_a", "status": "active", "token_hashes": [],
                                 "revision": 7}]}, "revision"),
    ("putWorkers", {"workers": [{"worker_id": "wrk_a", "status": "active", "revision": {
        "epoch": "e", "n": 1}, "token_hashes": [{"hash": "short", "expires_at": None,
                                                 "role": "current"}]}]}, "hash"),
    ("deleteWorkers", {"workers": [{"worker_id": "wrk_a"}]}, "revision"),
    ("beginSync", {"snapshot_n": 1}, "epoch"),
    ("beginSync", {"epoch": "e", "snapshot_n": -1}, "snapshot_n"),
    ("endSync", {"sync_id": "x"}, "count")])
def test_a_wrong_member_is_named(hall, command, members, names):
    error = hall.observer.expect_error("INVALID_REQUEST", command, **members)
    assert names in error.message


def test_commands_of_one_message_are_answered_in_order(hall):
    worker = hall.online("tcp-5")
    commands = [{"command": "send", "correlationData": f"batch-{n}", "payload": str(n),
                 "worker_id": worker.worker_id, "topic": "commands"} for n in range(50)]
    commands.insert(25, {"command": "nonsense", "correlationData": "batch-bad"})
    hall.observer.publish_control(json.dumps({"commands": commands}))
    for n in range(50):
        assert hall.observer.wait_response(f"batch-{n}")["sessions"] == 1
    assert [int(worker.wire.receive().payload) for _ in range(50)] == list(range(50))


def test_more_commands_than_one_message_may_carry_are_refused_whole(hall):
    commands = [{"command": "listConnections", "limit": 1}] * 1001
    assert response_to(hall, json.dumps({"commands": commands}))["error"]["code"] == \
        "INVALID_REQUEST"


def test_an_answer_goes_to_the_asking_client_alone(hall):
    asker, other = (hall.wire(hall.broker.control_wire(f"asker-{n}")) for n in range(2))
    other.subscribe("$CONTROL/#")
    asker.publish(CONTROL, json.dumps({"commands": [
        {"command": "listConnections", "limit": 1, "correlationData": "mine"}]}))
    answer = json.loads(asker.receive(RESPONSE).payload)
    assert answer["responses"][0]["correlationData"] == "mine"
    assert other.received_so_far() == []


def test_mqtt_3_may_ask_too(hall):
    asker = hall.wire(hall.broker.control_wire("asker-311", version=4))
    asker.publish(CONTROL, b'{"commands":[{"command":"listConnections","limit":1}]}')
    assert "data" in json.loads(asker.receive(RESPONSE).payload)["responses"][0]


@pytest.mark.parametrize(("command", "asked", "answered"),
                         [("getConnection", 0, 0), ("getConnection", 1, 1),
                          ("listConnections", 0, 1)])
def test_an_answer_comes_at_the_qos_of_its_question_but_lists_never_overtake_events(
        hall, command, asked, answered):
    asker = hall.wire(hall.broker.control_wire(f"asker-{command}-{asked}"))
    members = {"worker_id": hall.enroll().worker_id} if command == "getConnection" else {}
    asker.publish(CONTROL, json.dumps({"commands": [{"command": command, **members}]}), qos=asked)
    message = asker.receive(RESPONSE)
    assert "data" in json.loads(message.payload)["responses"][0]
    assert message.qos == answered


def test_an_mqtt_5_response_topic_is_used_with_its_correlation(hall):
    asker = hall.wire(hall.broker.control_wire("asker-5"))
    topic, correlation = b"rollcall/v1/answers/to/me", b"\x00\x01binary"
    properties = (b"\x08" + len(topic).to_bytes(2, "big") + topic +
                  b"\x09" + len(correlation).to_bytes(2, "big") + correlation)
    asker.publish(CONTROL, b'{"commands":[{"command":"listConnections","limit":1}]}',
                  properties=properties)
    message = asker.receive(topic.decode())
    assert b"\x09" + len(correlation).to_bytes(2, "big") + correlation in message.properties
    assert "data" in json.loads(message.payload)["responses"][0]
