#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# make-secrets.sh - makes the installation's passwords on its first start; later it finds
# them in their volumes and does nothing.
set -euo pipefail
# shellcheck source=../lib/secrets.sh
. "${BASH_SOURCE[0]%/*}/secrets.sh"

readonly OURS=/secrets	# for the broker and the bridge
readonly DATABASE=/database-secrets	# mounted into the database's container alone

secret_make "$OURS/broker_password"
secret_make "$OURS/jwt_secret"
secret_make "$OURS/db_password"
secret_make "$DATABASE/db_password" "$(<"$OURS/db_password")"
secret_make "$DATABASE/db_root_password"
# Its image reads them as a user whose number is its own affair.
chmod 444 "$DATABASE"/*_password
