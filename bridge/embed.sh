#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# embed.sh NAME HEADER FILE... - writes the files as C, in order of name: NAME_files[] of
# struct NAME_file (name, bytes, number of bytes), which HEADER declares, and NAME_files_len.
set -euo pipefail
export LC_ALL=C

readonly name=$1 header=$2
shift 2

printf '#include "%s"\n' "$header"
rows=
n=0
while read -r file; do
	# Bytes, not a string literal: ISO C promises room for 4095 characters in one.
	printf '\nstatic const unsigned char file_%d[] = {\n' $n
	od -An -v -tu1 -w24 "$file" | sed 's/ *\([0-9]\{1,\}\)/\1,/g'
	echo '};'
	rows+="	{\"${file##*/}\", file_$n, sizeof(file_$n)},"$'\n'
	n=$((n + 1))
done < <(printf '%s\n' "$@" | sort)
printf '\nconst struct %s_file %s_files[] = {\n%s};\n' "$name" "$name" "$rows"
printf 'const size_t %s_files_len = sizeof(%s_files) / sizeof(%s_files[0]);\n' "$name" "$name" "$name"
