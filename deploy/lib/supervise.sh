# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# supervise.sh - starts the parts, starts again what dies, stops them in order.
#
# Everything that runs in the background is a job with a name: the three parts, the
# probe that waits for the first "ready", and the watch on the first password. The
# loop waits for any of them to end; nothing is polled. Every job asks the kernel to
# be stopped when this script dies, whatever kills it.
#
# Once "ready" is said, this script runs builtins alone: bash drops a SIGINT that comes
# while it waits for a program in the foreground, or in a command substitution.

readonly PARTS=(database broker bridge)	# stopped in the opposite order
readonly GIVE_UP_AFTER=5	# deaths before the first "ready"
readonly STEADY_MS=10000	# lived that long: the next death counts as the first
readonly READY_SECONDS=90

declare -A job_of=()	# process id -> job
declare -A pid_of=()	# job -> process id
declare -A started_ms=() deaths=()
ready=

now_ms() { now=$((${EPOCHREALTIME/[.,]/} / 1000)); }

# job_start NAME COMMAND... - in a session of its own, so that Ctrl-C reaches this
# script alone, which then ends the parts in order.
job_start() {
	local name=$1

	shift
	setsid setpriv --pdeathsig TERM -- "$@" </dev/null >>"$run_dir/log/$name.log" 2>&1 &
	pid_of[$name]=$!
	job_of[$!]=$name
	now_ms
	started_ms[$name]=$now
}

# part_start NAME [SECONDS] - the pause is the part's own, so that others that die
# meanwhile are not kept waiting; the process id stays the same.
part_start() {
	local name=$1 pause=${2:-0} command

	"${name}_command"
	[ "$pause" = 0 ] || command=(sh -c 'sleep "$0"; exec "$@"' "$pause" "${command[@]}")
	job_start "$name" "${command[@]}"
}

# Growing pauses keep a part that cannot live from filling the disk with its log;
# they stay below the second within which a part has to be back.
part_died() {
	local name=$1 status=$2 pauses=(0 0.1 0.2 0.4 0.8)

	now_ms
	[ $((now - started_ms[$name])) -lt $STEADY_MS ] || deaths[$name]=0
	status_text "$status"
	say "the $name ended ($text); starting it again; see $run_dir/log/$name.log"
	deaths[$name]=$((${deaths[$name]:-0} + 1))
	if [ -z "$ready" ] && [ "${deaths[$name]}" -ge $GIVE_UP_AFTER ]; then
		tail -n 15 "$run_dir/log/$name.log" >&2
		die "the $name does not start"
	fi
	local i=$((deaths[$name] - 1))
	[ $i -lt ${#pauses[@]} ] || i=-1
	part_start "$name" "${pauses[$i]}"
	[ -z "$ready" ] || ready_write
}

status_text() {
	if [ "$1" -gt 128 ]; then text="killed by signal $(($1 - 128))"; else text="exit status $1"; fi
}

probe_start() {
	job_start probe timeout $READY_SECONDS bash -c \
		'until curl -fsS -m 5 -o /dev/null "$0/readyz"; do sleep 0.1; done' "$url"
}

probe_ended() {
	if [ "$1" != 0 ]; then
		curl -sS -m 5 "$url/readyz" >&2 || true
		die "not ready after $READY_SECONDS seconds; the logs are in $run_dir/log"
	fi
	ready=1
	[ ! -s "$run_dir/secrets/admin_password" ] || initial_password_in_force || initial_password_forget
	watch_start
	ready_print
	ready_write
}

initial_password_in_force() {
	[ "$(sql_client -e "SELECT count(*) FROM $INITIAL_PASSWORD")" != 0 ]
}

initial_password_read() {
	first_password=
	IFS= read -r first_password <"$run_dir/secrets/admin_password" || true
}

initial_password_forget() {
	: >"$run_dir/secrets/admin_password"
}

# Waits inside the server for the first password to be changed, instead of asking
# again and again from here. Ends with 0 only when it was.
watch_start() {
	[ -s "$run_dir/secrets/admin_password" ] || return 0
	job_start watch mariadb --no-defaults --socket="$db_socket" --user="$user" --delimiter=// -e \
		"BEGIN NOT ATOMIC WHILE EXISTS(SELECT 1 FROM $INITIAL_PASSWORD) DO DO SLEEP(2); END WHILE; END//"
}

watch_ended() {
	if [ "$1" = 0 ]; then
		initial_password_forget
		bridge_prepare
		ready_write
		return
	fi
	# The server went away; it is looked for again when it can have come back.
	job_start pause sleep 2
}

# Replaced as a whole: a reader sees the old file or the new one.
ready_write() {
	local file=$run_dir/ready.env

	initial_password_read
	printf 'ROLLCALL_%s\n' "URL=$url" "WS_URL=$ws_url" "MQTT_URL=mqtt://127.0.0.1:$mqtt_port" \
		ADMIN_USER=admin "ADMIN_PASSWORD=$first_password" \
		"BROKER_PID=${pid_of[broker]}" "BRIDGE_PID=${pid_of[bridge]}" \
		"DB_PID=${pid_of[database]}" "DB_SOCKET=$db_socket" >"$file.new"
	mv "$file.new" "$file" &
	wait $!
}

# job_missed - sets `pid` to a job that has ended unseen: where several are killed at
# once, bash puts all of them away when it tells of the first, and wait -n never
# names the others. No other process is started in here, since bash would look again then.
job_missed() {
	for pid in "${!job_of[@]}"; do
		kill -0 "$pid" 2>/dev/null || return 0
	done
	pid=
	return 1
}

# The loop: one turn per job that ends.
supervise() {
	local pid name status

	while :; do
		status=0
		# Bash has words of its own about killed jobs.
		if job_missed; then
			wait "$pid" || status=$?
		else
			wait -n -p pid "${!job_of[@]}" || status=$?
		fi 2>/dev/null
		[ -n "$pid" ] || continue
		name=${job_of[$pid]}
		unset "job_of[$pid]" "pid_of[$name]"
		case $name in
		probe) probe_ended "$status" ;;
		watch) watch_ended "$status" ;;
		pause) watch_start ;;
		*) part_died "$name" "$status" ;;
		esac
	done
}

# stop_all - bridge, broker, database: each may need the ones that end after it.
stop_all() {
	local name i

	trap '' INT TERM HUP
	rm -f "$run_dir/ready.env"
	for name in probe watch pause; do job_stop "$name" 5; done
	for ((i = ${#PARTS[@]} - 1; i >= 0; i--)); do job_stop "${PARTS[$i]}" 30; done
}

job_stop() {
	local pid=${pid_of[$1]:-} seconds=$2 timer ended=

	[ -n "$pid" ] || return 0
	unset "pid_of[$1]" "job_of[$pid]"
	kill "$pid" 2>/dev/null || return 0
	sleep "$seconds" &
	timer=$!
	wait -n -p ended "$pid" "$timer" || true
	if [ "$ended" = "$timer" ]; then
		say "the $1 does not end; killing it"
		kill -KILL "$pid" 2>/dev/null || true
	fi
	# It has inherited that SIGTERM is ignored by now.
	kill -KILL "$timer" 2>/dev/null || true
	wait "$pid" "$timer" 2>/dev/null || true
}
