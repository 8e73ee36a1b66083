# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""How soon a subscriber hears that a session began or ended, in the middle of a hundred times.

Counted from the worker's side, so a little of the broker's own work is included: from the sending
of CONNECT, and from the close of the connection. The baseline is bare Mosquitto delivering the
worker's will to the same subscriber."""

import contextlib

import subjects
from figures import figure, in_turn, rounds
from load import Load

WORKERS = 100
STREAMS = {"each": "workers/+/presence", "batch": "rollcall/v1/presence"}


def measure(subject, transport, **watch):
    report = Load(subject.port(transport), tcp=transport == "tcp", count=WORKERS,
                  probes=WORKERS, observer_port=subject.broker.mqtt_port,
                  **watch, **subject.login).run()
    assert report["missed"] == 0, report
    return {f"{what}_{q}": report[what][f"{q}_ms"]
            for what in ("gone", "back") for q in ("p50", "p99")}


def run(scratch):
    crowd = subjects.Crowd(scratch, WORKERS)
    with contextlib.ExitStack() as stack:
        bare = subjects.bare(scratch, crowd)
        stack.callback(bare.close)
        tested = subjects.plugin(scratch, crowd)
        stack.callback(tested.close)
        for transport in ("ws", "tcp"):
            for stream, topic in STREAMS.items():
                def one(subject, topic=topic, transport=transport):
                    if subject is bare:
                        return measure(bare, transport, will_topic="workers/%s/will",
                                       watch="workers/+/will")
                    return measure(subject, transport, watch=topic)
                report(transport, stream, in_turn([bare, tested], one, rounds(3)))


def report(transport, stream, seen):
    row, base = seen["rollcall"], seen["bare"]
    figure("presence", "rollcall", row["gone_p50"], "ms", transport=transport, stream=stream,
           what="end", baseline="bare, will", baseline_value=base["gone_p50"], at_most=1.0,
           of="value", p99_ms=row["gone_p99"], baseline_p99_ms=base["gone_p99"])
    figure("presence", "rollcall", row["back_p50"], "ms", transport=transport, stream=stream,
           what="begin", at_most=1.0, of="value", p99_ms=row["back_p99"])
