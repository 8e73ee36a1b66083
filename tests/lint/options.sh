#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# Every option has its row in the reference, and every row its option: those of the
# plugin by reading plugin/options.c, those of the bridge by reading bridge/base/config.c.
set -euo pipefail
cd "$(dirname "$0")/../.."

wrong=0

# compare WHAT PAGE CODE-NAMES - CODE-NAMES one a line.
compare() {
	local what=$1 page=$2 code=$3 documented

	if [ ! -e "$page" ]; then
		echo "options: $page is missing" >&2
		wrong=1
		return
	fi
	# shellcheck disable=SC2016 # the backquotes are Markdown's
	documented=$(sed -n 's/^| *`\([A-Za-z_]*\)` *|.*/\1/p' "$page" | sort)
	if [ "$documented" != "$(sort <<<"$code")" ]; then
		echo "options: $page and $what differ ('<' is only in the page):" >&2
		diff <(echo "$documented") <(sort <<<"$code") | grep '^[<>]' >&2 || true
		wrong=1
	fi
}

plugin=$(sed -n 's/^\t{"\([a-z_]*\)", *\(TEXT\|NUMBER\|BOOL\),.*/\1/p' plugin/options.c)
bridge=$(sed -n 's/^\t\(TEXT\|SECRET\|INT\)("\([A-Z_]*\)",.*/ROLLCALL_\2/p' bridge/base/config.c)
compare plugin/options.c docs/reference/plugin-options.md "$plugin"
compare bridge/base/config.c docs/reference/bridge-options.md "$bridge"

[ $wrong = 0 ] && echo "options: the reference has every option"
exit $wrong
