#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# embed.sh DIRECTORY - writes the built dashboard in it (index.html and assets/) as a C file
# (bridge/http/dashboard_assets.h), each file plain and compressed. An empty directory is fine.
set -euo pipefail
export LC_ALL=C

type_of() {
	case $1 in
	*.html) echo "text/html; charset=utf-8" ;;
	*.js) echo "text/javascript; charset=utf-8" ;;
	*.css) echo "text/css; charset=utf-8" ;;
	*.svg) echo "image/svg+xml" ;;
	*.txt) echo "text/plain; charset=utf-8" ;;
	*)
		echo "embed.sh: what is the type of $1?" >&2
		return 1
		;;
	esac
}

# array NAME - standard input as an array of bytes.
array() {
	printf '\nstatic const unsigned char %s[] = {\n' "$1"
	od -An -v -tu1 -w24 | sed 's/ *\([0-9]\{1,\}\)/\1,/g'
	echo '};'
}

shopt -s nullglob
echo '#include "bridge/http/dashboard_assets.h"'
rows=
n=0
for file in "$1"/index.html "$1"/assets/*; do
	[ -e "$file" ] || continue
	n=$((n + 1))
	type=$(type_of "$file")
	array "plain_$n" <"$file"
	# -n: no name and no time, so that equal files make equal programs.
	gzip -9n <"$file" | array "gzip_$n"
	rows+="	{\"${file##*/}\", \"$type\", plain_$n, gzip_$n, sizeof(plain_$n), sizeof(gzip_$n)},"$'\n'
done
# The last row is not counted; ISO C has no empty arrays.
printf '\nconst struct dashboard_file dashboard_files[] = {\n%s' "$rows"
printf '	{"", "", 0, 0, 0, 0},\n};\n'
echo 'const size_t dashboard_files_len = sizeof(dashboard_files) / sizeof(dashboard_files[0]) - 1;'
