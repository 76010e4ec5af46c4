#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs those of some Debian packages that are missing, and says before how many come with them and how large they are.
#
#     tools/make/setup.sh PACKAGE...
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

missing=
for package; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -z "$missing" ]; then
	echo 'setup: everything is installed'
	exit 0
fi

if [ "$(id -u)" = 0 ]; then
	root=
elif command -v sudo >/dev/null; then
	root='sudo --preserve-env=LC_ALL,DEBIAN_FRONTEND'
else
	echo 'setup: neither root nor sudo; as root, run:' >&2
	echo "  apt-get update && apt-get install -y --no-install-recommends$missing" >&2
	exit 2
fi

echo "setup: missing:$missing"
$root apt-get -qq update
# --assume-no ends with a status; only its summary is needed.
# shellcheck disable=SC2086 # words
$root apt-get install --assume-no --no-install-recommends $missing 2>/dev/null | sed -n \
	-e 's/.* \([0-9]*\) newly installed.*/setup: packages to install: \1/p' \
	-e 's/^Need to get \(.*\) of archives.*/setup: to fetch: \1/p' \
	-e 's/^After this operation, \(.*\) of additional disk space.*/setup: of disk: \1/p'
# shellcheck disable=SC2086
exec $root apt-get install -y --no-install-recommends $missing
