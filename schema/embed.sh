#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# embed.sh DIRECTORY - writes its *.sql as a C file (bridge/schema.h), in order of name.
set -euo pipefail
export LC_ALL=C

echo '#include "bridge/schema.h"'
rows=
for file in "$1"/*.sql; do
	name=${file##*/}
	# Bytes, not a string literal: ISO C promises room for 4095 characters in one.
	printf '\nstatic const unsigned char file_%s[] = {\n' "${name%%_*}"
	od -An -v -tu1 -w24 "$file" | sed 's/ *\([0-9]\{1,\}\)/\1,/g'
	echo '};'
	rows+="	{\"$name\", file_${name%%_*}, sizeof(file_${name%%_*})},"$'\n'
done
printf '\nconst struct schema_file schema_files[] = {\n%s};\n' "$rows"
echo 'const size_t schema_files_len = sizeof(schema_files) / sizeof(schema_files[0]);'
