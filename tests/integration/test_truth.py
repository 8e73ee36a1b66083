# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A short run of the test of truth (docs/truth.md), with other dice each time."""

import os
import subprocess
import sys

import pytest

from harness.settings import ROOT

SECONDS = 25


@pytest.mark.timing
def test_nothing_but_the_truth_under_fire():
    environment = {**os.environ, "TRUTH_MINUTES": str(SECONDS / 60)}
    run = subprocess.run([sys.executable, ROOT / "tests" / "truth"], env=environment, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert run.returncode == 0, run.stdout
