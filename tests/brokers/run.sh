#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# run.sh [PYTEST-ARGUMENT...] - the integration tests on every supported Mosquitto: the one
# that is installed, then those of the Debian suites in ROLLCALL_TEST_SUITES (default:
# trixie forky). A suite that cannot be had here, for want of root or of the network, is
# named and left out.
#
# Each suite's Debian is kept in build/brokers/SUITE, or in ROLLCALL_TEST_TREES/SUITE.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly suites=${ROLLCALL_TEST_SUITES:-trixie forky}
readonly trees=${ROLLCALL_TEST_TREES:-build/brokers}
readonly python=${PYTHON:-/usr/bin/python3}
results=()
failed=0

# run NAME PYTEST-ARGUMENT... - in the environment of the caller
run() {
	local name=$1
	shift

	if PYTHON=$python tests/integration/run.sh "$@"; then
		results+=("$name: passed")
	else
		results+=("$name: FAILED")
		failed=1
	fi
}

run installed "$@"
for suite in $suites; do
	if tests/brokers/prepare.sh "$suite" "$trees/$suite"; then
		ROLLCALL_MOSQUITTO=$PWD/build/$suite/mosquitto \
			ROLLCALL_TEST_PLUGIN=build/$suite/mosquitto_rollcall.so run "$suite" "$@"
	elif [ $? = 77 ]; then
		results+=("$suite: left out")
	else
		results+=("$suite: could not be made ready")
		failed=1
	fi
done
printf 'brokers: %s\n' "${results[@]}" >&2
exit $failed
