# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# shellcheck shell=bash
# lib.sh - what register.sh and tour.sh share: the addresses that `make run` wrote, and
# REST calls with curl.

# The values are not quoted for a shell, so the file is read, not sourced.
ready_load() {
	local name value

	[ -r "$1" ] || {
		echo "$1 is not there: start Rollcall with 'make run' first" >&2
		exit 1
	}
	while IFS='=' read -r name value; do
		[ -z "$value" ] || export "$name=$value"
	done <"$1"
}

# field NAME - that string of the JSON object on standard input.
field() { sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p" | head -n 1; }

# json_string TEXT
json_string() {
	local text=${1//\\/\\\\}
	printf '"%s"' "${text//\"/\\\"}"
}

# call METHOD PATH [BODY] - with the session of login(); prints the answer.
call() {
	curl -sS -X "$1" "$ROLLCALL_URL$2" -H "Authorization: Bearer ${session:-}" \
		${3:+-H 'Content-Type: application/json' --data-binary "$3"}
}

login() {
	[ -n "${ROLLCALL_ADMIN_PASSWORD:-}" ] || {
		echo "the administrator's password was changed; set ROLLCALL_ADMIN_PASSWORD" >&2
		exit 1
	}
	session=$(call POST /auth/login "{\"username\":\"$ROLLCALL_ADMIN_USER\",\"password\":$(json_string "$ROLLCALL_ADMIN_PASSWORD")}" | field token)
	[ -n "$session" ] || {
		echo "login refused" >&2
		exit 1
	}
}
