#!/usr/bin/env python3
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""table.py [FILE] - turns the lines of `make bench` into the rows of docs/performance.md."""

import fileinput
import json

# What tells figures of a bench apart, beside subject and broker.
DETAILS = ("count", "stream", "what")
SHOWN_ELSEWHERE = {"bench", "broker", "transport", "subject", "value", "unit", "baseline",
                   "baseline_value", "ratio", "target", "met", *DETAILS}


def row(line):
    details = " ".join(str(line[key]) for key in DETAILS if key in line)
    compared = ""
    if "baseline" in line:
        compared = f"{line['baseline_value']:,} ({line['baseline']})"
    verdict = {True: "yes", False: "**no**", None: ""}[line.get("met")]
    more = ", ".join(f"{k} {v}" for k, v in line.items() if k not in SHOWN_ELSEWHERE)
    return [line["broker"], line.get("transport", ""), f"{line['subject']} {details}".strip(),
            f"{line['value']:,} {line['unit']}", compared, str(line.get("ratio", "")),
            line.get("target", ""), verdict, more]


def main():
    benches = {}
    for text in fileinput.input():
        if text.startswith("{"):
            line = json.loads(text)
            benches.setdefault(line["bench"], []).append(row(line))
    for name, rows in benches.items():
        print(f"\n### {name}\n")
        print("| Mosquitto | transport | subject | figure | baseline | ratio | target | met | |")
        print("|---|---|---|---|---|---|---|---|---|")
        for cells in rows:
            print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
