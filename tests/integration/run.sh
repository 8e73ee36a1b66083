#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# run.sh [PYTEST-ARGUMENT...] - the integration tests: file beside file, since most of them wait
# more than they work, and then, alone, those that measure durations. ROLLCALL_TEST_JOBS says
# how many files at a time (default 2).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

readonly python=${PYTHON:-/usr/bin/python3}
readonly none=5 # pytest's exit status where no test was picked

"$python" -m pytest tests/integration -n "${ROLLCALL_TEST_JOBS:-2}" --dist loadfile \
	-m "not timing" "$@"
together=$?
[ $together = 0 ] || [ $together = $none ] || exit $together
[ -z "${ROLLCALL_TEST_VALGRIND:-}" ] || exit $together
"$python" -m pytest tests/integration -m timing "$@"
alone=$?
[ $alone = $none ] && exit $together
exit $alone
