#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the first command of README.md, or the first two, on a bare Debian that has git and make, and removes it.
#
#     tests/fresh.sh RELEASE FOLDER 1|2      (as root; debootstrap, and apt sources of Debian on this machine)
set -eu
release=$1 folder=$2 commands=$3

[ "$(id -u)" = 0 ] || { echo 'test-fresh: only root can make a root file system' >&2; exit 2; }
command -v debootstrap >/dev/null || { echo 'test-fresh: debootstrap is missing: run make setup' >&2; exit 2; }
[ ! -e "$folder" ] || { echo "test-fresh: $folder is there: remove it" >&2; exit 2; }
# shellcheck disable=SC2016 # a format of apt-get
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' 'Component: main' | head -n 1)
[ -n "$mirror" ] || { echo 'test-fresh: apt has no source of Debian here: where could it come from?' >&2; exit 2; }

# Mounts are made in a namespace that ends with the run, so that the final rm can remove only this folder.
trap 'rm -rf --one-file-system "$folder"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$folder"
debootstrap --variant=minbase --include=git,make "$release" "$folder" "$mirror" >"$folder/debootstrap.log" || {
	tail -n 5 "$folder/debootstrap.log" >&2
	exit 1
}
cp /etc/resolv.conf "$folder/etc/resolv.conf"
rm "$folder"/var/cache/apt/archives/*.deb
git clone -q . "$folder/charter"
git diff --binary HEAD | git -C "$folder/charter" apply --allow-empty

sed -n 's/^\(make setup[^#]*\).*/\1/p' README.md | head -n "$commands" >"$folder/commands"
[ "$(wc -l <"$folder/commands")" = "$commands" ] || { echo "test-fresh: README.md has not $commands commands" >&2; exit 2; }
while read -r command; do
	echo "test-fresh: $release: $command"
	before=$(chroot "$folder" dpkg-query -W | wc -l)
	# shellcheck disable=SC2016 # expanded inside
	unshare --mount --pid --fork sh -c '
		mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/dev/shm" &&
		mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts" && ln -sf pts/ptmx "$1/dev/ptmx" &&
		exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root http_proxy="${http_proxy-}" \
			sh -c "cd /charter && exec </dev/null && $2"' sh "$folder" "$command" || {
		echo "test-fresh: $release: failed: $command" >&2
		exit 1
	}
	after=$(chroot "$folder" dpkg-query -W | wc -l)
	echo "test-fresh: $release: $command: passed; $((after - before)) packages came, the system has $(du -sxm "$folder" | cut -f1) MB"
done <"$folder/commands"
