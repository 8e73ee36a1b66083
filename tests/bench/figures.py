# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A figure is one JSON line. Nothing here judges by time: `met` is for the reader."""

import json
import os
import statistics

_run = {}


def describe_run(**members):
    """What every line of this run says, such as the broker's version."""
    _run.update(members)


def figure(bench, subject, value, unit, *, baseline=None, baseline_value=None, at_least=None,
           at_most=None, of="ratio", ratio=None, **more):
    """Prints one. The target is a bound of the ratio to the baseline, or of the value itself
    (of="value") or of what it is above the baseline (of="difference"). `ratio`: of in_turn()."""
    line = {"bench": bench, **_run, "subject": subject, "value": _round(value), "unit": unit}
    judged = {"value": value}
    if baseline_value is not None:
        judged |= {"difference": value - baseline_value,
                   "ratio": ratio or (value / baseline_value if baseline_value else None)}
        line |= {"baseline": baseline, "baseline_value": _round(baseline_value),
                 "ratio": _round(judged["ratio"])}
    bound = at_least if at_least is not None else at_most
    if bound is not None:
        against = judged.get(of)
        line["target"] = f"{of} {'>=' if at_least is not None else '<='} {bound}"
        line["met"] = against is not None and (
            against >= bound if at_least is not None else against <= bound)
    print(json.dumps(line | {k: _round(v) for k, v in more.items()}), flush=True)


def _round(value):
    if not isinstance(value, float):
        return value
    return round(value, 3) if abs(value) < 100 else round(value, 1)


def rounds(default):
    """How often each subject has its turn: BENCH_ROUNDS, or the bench's own number."""
    return int(os.environ.get("BENCH_ROUNDS", "0")) or default


def in_turn(subjects, measure, number, of=None):
    """Measures every subject `number` times, one after the other in each round, and returns the
    medians by subject and key: {name: {key: value}}. `of` names a key whose ratio to the first
    subject's is wanted: "ratio" is then the median of the rounds' ratios, which a machine that
    becomes slower or faster meanwhile disturbs less than the ratio of two medians."""
    seen = {subject.name: [] for subject in subjects}
    for n in range(number):
        # Every second round backwards: whoever comes first may have it easier.
        for subject in (subjects if n % 2 == 0 else reversed(subjects)):
            seen[subject.name].append(measure(subject))
    if of:
        for name, rows in seen.items():
            for row, base in zip(rows, seen[subjects[0].name]):
                row["ratio"] = row[of] / base[of]
    return {name: {key: statistics.median(r[key] for r in rows) for key in rows[0]}
            for name, rows in seen.items()}
