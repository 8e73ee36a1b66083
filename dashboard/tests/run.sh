#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# run.sh - the dashboard's tests: its types, then what it does in Chromium. Without Node.js 20.19
# there is no dashboard to test, and this says so.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number)
	process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
	echo "test-dashboard: SKIPPED, for there is no Node.js 20.19 or later here" >&2
	exit 0
fi
deploy/deps.sh build run test chromium
make --no-print-directory dashboard all
(cd dashboard && npm run --silent check)
exec node --test --test-reporter=spec dashboard/tests/dashboard.test.mjs
