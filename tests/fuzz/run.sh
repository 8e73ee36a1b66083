#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# run.sh TARGET... - fuzz each target for FUZZ_SECONDS (default 600), FUZZ_JOBS of them at a time
# (default 1). What is found lies in build/fuzz/findings/; any finding makes this fail. Inputs
# that reach something new gather in build/fuzz/corpus/TARGET; with FUZZ_KEEP=1 as few of them
# as reach all of it are added to tests/fuzz/corpus/TARGET.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

readonly seconds=${FUZZ_SECONDS:-600} jobs=${FUZZ_JOBS:-1} keep=${FUZZ_KEEP:-}
readonly programs=build/fuzz/tests/fuzz findings=build/fuzz/findings found=build/fuzz/corpus
# Seconds one input may take: a parser that needs more has a bug, a loaded machine has not.
readonly slow=10
readonly memory_mib=2048

# Counting how often, not only whether, a line was reached keeps ten times as many inputs.
merge() {
	"$programs/fuzz_$1" -merge=1 -use_counters=0 -timeout=$slow "tests/fuzz/corpus/$1" \
		"$found/$1" >"$findings/$1.merge.log" 2>&1
}

fuzz() {
	local target=$1 dictionary=tests/fuzz/$1.dict log=$findings/$1.log

	mkdir -p "$found/$target" "$findings"
	set -- -max_total_time="$seconds" -timeout=$slow -rss_limit_mb=$memory_mib \
		-print_final_stats=1 -artifact_prefix="$findings/$target-"
	[ ! -f "$dictionary" ] || set -- "$@" -dict="$dictionary"
	if ! "$programs/fuzz_$target" "$@" "$found/$target" "tests/fuzz/corpus/$target" \
		>"$log" 2>&1; then
		echo "fuzz: $target: FOUND SOMETHING:" >&2
		grep -E 'does not hold|ERROR:|SUMMARY:|runtime error:|Test unit written' "$log" >&2
		return 1
	fi
	echo "fuzz: $target: nothing in $seconds s," \
		"$(sed -n 's/^stat::number_of_executed_units: //p' "$log") inputs"
	[ -z "$keep" ] || merge "$target"
}

failed=0
for target in "$@"; do
	[ "$(jobs -rp | wc -l)" -lt "$jobs" ] || wait -n || failed=1
	fuzz "$target" &
done
while [ -n "$(jobs -rp)" ]; do
	wait -n || failed=1
done
[ $failed = 0 ] || echo "fuzz: run a target with a file from $findings to see it again" >&2
exit $failed
