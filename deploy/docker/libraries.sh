#!/bin/bash
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# libraries.sh FILE - the Debian packages that hold the shared libraries FILE is linked with.
set -euo pipefail

# The file behind the link, since ldconfig makes some links that no package holds; by name
# alone, since dpkg and the linker may call the same directory /lib and /usr/lib.
ldd "$1" | awk '$2 == "=>" { print $3 }' | xargs readlink -f | sed 's#.*/#*/#' |
	xargs dpkg-query -S | cut -d: -f1 | grep -v -- '-dev$' | sort -u
