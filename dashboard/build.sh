#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# build.sh DIRECTORY [--try] - builds the dashboard into DIRECTORY. What it needs from npm it
# installs where package-lock.json says something new. With --try, which `make` uses for the
# bridge, a machine without Node, or whose npm reaches nobody, gets an empty directory and a
# word about it; `make dashboard` and CI fail instead.
set -euo pipefail

mkdir -p "$1"
out=$(cd "$1" && pwd)
try=${2:-}
[ -z "${CI:-}" ] || [ -z "$(command -v node)" ] || try=
cd "$(dirname "$0")"
readonly installed=node_modules/.installed

give_up() {
	echo "dashboard: $*" >&2
	[ "$try" = --try ] || exit 1
	echo "dashboard: the bridge is built without it" >&2
	rm -rf "${out:?}"/*
}

has_node() {
	node -e 'const [a, b] = process.versions.node.split(".").map(Number)
		process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

if ! has_node || ! command -v npm >/dev/null; then
	give_up "needs Node.js 20.19 or later with npm"
	touch "$out/.built"
	exit
fi
if ! cmp -s package-lock.json "$installed"; then
	npm ci --no-fund --no-audit --loglevel=error >&2 || {
		give_up "npm ci failed" # not .built: the next make tries again
		exit
	}
	cp package-lock.json "$installed"
fi
rm -rf "${out:?}"/*
npm run --silent build -- --outDir "$out" --logLevel warn
touch "$out/.built"
