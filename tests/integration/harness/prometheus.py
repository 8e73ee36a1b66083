# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Reads Prometheus' text format 0.0.4, stricter than Prometheus does: what it would forgive fails."""

import math
import re

NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
HELP = re.compile(rf"# HELP ({NAME}) (\S.*)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram)")
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:{NAME}="(?:[^"\\\n]|\\["\\n])*",?)+)\}})? (\S+)')
LABEL = re.compile(rf'({NAME})="((?:[^"\\]|\\.)*)"(,?)')


class Family:
    def __init__(self, name, help_text):
        self.name, self.help, self.type = name, help_text, None
        self.samples = []  # (suffix, labels, value)

    def value(self, suffix="", **labels):
        """Of the one sample with exactly these labels; None if there is none."""
        found = [v for s, named, v in self.samples if (s, named) == (suffix, labels)]
        assert len(found) <= 1
        return found[0] if found else None

    def sum(self, suffix="", **labels):
        """Over all samples that have these labels among theirs."""
        return sum(v for s, named, v in self.samples
                   if s == suffix and labels.items() <= named.items())


def parse(text):
    """Families by name. Fails on whatever is not as it should be."""
    assert text.endswith("\n")
    families, family = {}, None
    for line in text.splitlines():
        match = HELP.fullmatch(line)
        if match:
            assert match[1] not in families, f"{match[1]} comes twice"
            assert family is None or family.type, f"{family.name} has no type"
            family = families[match[1]] = Family(match[1], match[2])
            continue
        match = TYPE.fullmatch(line)
        if match:
            assert match[1] == family.name and not family.type, line
            family.type = match[2]
            continue
        family.samples.append(_sample(family, line))
    for family in families.values():
        _check(family)
    return families


def _sample(family, line):
    match = SAMPLE.fullmatch(line)
    assert match, f"not a sample: {line!r}"
    name, text, value = match.groups()
    assert name.startswith(family.name), f"{name} among the samples of {family.name}"
    labels = {}
    for label in LABEL.finditer(text or ""):
        assert label[1] not in labels, line
        labels[label[1]] = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), label[2])
    assert not (text or "").endswith(","), line
    return name[len(family.name):], labels, float(value)


def _check(family):
    keys = [(suffix, tuple(sorted(labels.items()))) for suffix, labels, _ in family.samples]
    assert len(keys) == len(set(keys)), f"{family.name} has a sample twice"
    assert family.type, f"{family.name} has no type"
    if family.type == "histogram":
        _check_histogram(family)
        return
    assert all(suffix == "" for suffix, _ in keys), f"{family.name}: {keys}"
    assert family.name.endswith("_total") == (family.type == "counter"), family.name
    if family.type == "counter":
        assert all(value >= 0 for _, _, value in family.samples)


def _check_histogram(family):
    assert not family.name.endswith(("_total", "_bucket", "_count", "_sum"))
    series = {}
    for suffix, labels, value in family.samples:
        assert suffix in ("_bucket", "_sum", "_count"), f"{family.name}{suffix}"
        rest = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        assert ("le" in labels) == (suffix == "_bucket")
        series.setdefault(rest, {"_bucket": []})
        if suffix == "_bucket":
            series[rest]["_bucket"].append((float(labels["le"]), value))
        else:
            series[rest][suffix] = value
    for parts in series.values():
        bounds = [bound for bound, _ in parts["_bucket"]]
        counts = [count for _, count in parts["_bucket"]]
        assert bounds == sorted(set(bounds)) and bounds[-1] == math.inf, family.name
        assert counts == sorted(counts), f"{family.name} is not cumulative"
        assert counts[-1] == parts["_count"], family.name
        assert parts["_sum"] >= 0
