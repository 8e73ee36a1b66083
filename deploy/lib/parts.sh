# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# parts.sh - the three programs that run.sh runs: what each needs in place and the
# command that starts it. NAME_prepare runs once, NAME_command sets `command`.

readonly DB_NAME=rollcall
readonly DB_USER=rollcall

secrets_prepare() {
	local dir=$run_dir/secrets

	secret_make "$dir/broker_password"
	secret_make "$dir/db_password"
	secret_make "$dir/jwt_secret"
	if [ -s "$dir/admin_password" ] && [ -n "$admin_password" ] &&
		[ "$admin_password" != "$(<"$dir/admin_password")" ]; then
		say "ROLLCALL_ADMIN_PASSWORD is ignored: $run_dir has an administrator already"
	fi
	secret_make "$dir/admin_password" "${admin_password:-$(random_password 15)}"
}

# In a directory of its own until it is whole: an interrupted first start leaves
# nothing that a second one would take for a database.
database_prepare() {
	local dir=$run_dir/mariadb install

	secrets_to_sql >"$run_dir/secrets/database.sql"
	[ -d "$dir" ] && return
	say "creating the database"
	install=$(dirname "$mariadbd")/../bin/mariadb-install-db
	[ -x "$install" ] || install=$(program ROLLCALL_MARIADBD mariadb-install-db)
	rm -rf "$dir.new"
	"$install" --no-defaults --user="$(id -un)" --datadir="$dir.new" --skip-test-db \
		--skip-name-resolve --auth-root-authentication-method=socket \
		--auth-root-socket-user="$(id -un)" >"$run_dir/log/mariadb-install.log" 2>&1 ||
		die "cannot create the database; see $run_dir/log/mariadb-install.log"
	mv "$dir.new" "$dir"
}

# What the server runs before it lets anyone in, at every start.
secrets_to_sql() {
	local password

	password=$(<"$run_dir/secrets/db_password")
	cat <<-SQL
		CREATE DATABASE IF NOT EXISTS $DB_NAME CHARACTER SET utf8mb4;
		CREATE USER IF NOT EXISTS '$DB_USER'@'localhost' IDENTIFIED BY '$password';
		ALTER USER '$DB_USER'@'localhost' IDENTIFIED BY '$password';
		GRANT ALL ON $DB_NAME.* TO '$DB_USER'@'localhost';
	SQL
}

# No option files: whatever the machine's own server is set to is not for this one.
database_command() {
	command=("$mariadbd" --no-defaults --user="$(id -un)" --datadir="$run_dir/mariadb"
		--socket="$db_socket" --pid-file="$run_dir/mariadb.pid" --skip-networking
		--skip-name-resolve --init-file="$run_dir/secrets/database.sql"
		--character-set-server=utf8mb4)
}

broker_prepare() {
	local dir=$run_dir/broker

	broker_accounts "$dir/passwd" "$run_dir/secrets/broker_password"
	cp "$root/deploy/mosquitto/rollcall.acl" "$dir/acl"
	mkdir -p "$dir/data"
	broker_config "$root/deploy/mosquitto/rollcall.conf" \
		USER="$(id -un)" PASSWORD_FILE="$dir/passwd" ACL_FILE="$dir/acl" \
		PLUGIN="$plugin" STORAGE_PATH="$run_dir/plugin" NODE_ID="${ROLLCALL_NODE_ID:-broker-1}" \
		MQTT_PORT="$mqtt_port" MQTT_BIND=127.0.0.1 WS_PORT="$ws_port" WS_BIND="$bind" \
		PERSISTENCE_PATH="$dir/data" >"$dir/mosquitto.conf"
}

broker_command() {
	command=("$mosquitto" -c "$run_dir/broker/mosquitto.conf")
}

bridge_prepare() {
	local secrets=$run_dir/secrets

	bridge_environment=(
		ROLLCALL_HTTP_BIND="$bind" ROLLCALL_HTTP_PORT="$http_port"
		ROLLCALL_DB_SOCKET="$db_socket" ROLLCALL_DB_NAME="$DB_NAME" ROLLCALL_DB_USER="$DB_USER"
		ROLLCALL_DB_PASSWORD_FILE="$secrets/db_password"
		ROLLCALL_BROKER_HOST=127.0.0.1 ROLLCALL_BROKER_PORT="$mqtt_port"
		ROLLCALL_BROKER_USER="$BRIDGE_USER"
		ROLLCALL_BROKER_PASSWORD_FILE="$secrets/broker_password"
		ROLLCALL_JWT_SECRET_FILE="$secrets/jwt_secret"
		ROLLCALL_WEBSOCKET_URL="${ROLLCALL_WEBSOCKET_URL:-$ws_url}"
		ROLLCALL_MQTT_URL="mqtt://127.0.0.1:$mqtt_port"
	)
	# Emptied once the password was changed: the bridge has a user by then.
	[ ! -s "$secrets/admin_password" ] ||
		bridge_environment+=(ROLLCALL_ADMIN_PASSWORD_FILE="$secrets/admin_password")
}

bridge_command() {
	command=(env "${bridge_environment[@]}" "$bridge")
}

# sql STATEMENT - as the owner of the server, who needs no password on its socket.
sql_client() {
	mariadb --no-defaults --socket="$db_socket" --user="$(id -un)" --batch --skip-column-names "$@"
}
