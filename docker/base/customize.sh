#!/bin/sh
# Makes a fresh Debian root ($1) look like the official Python image and takes out what changes from run to run.
# WHEELHOUSE is the folder of wheels, PACKAGES the file that gets the list of installed packages.
set -eu
root=$1

chroot "$root" python3 -m venv --copies --system-site-packages /usr/local
ln -sf python3 "$root/usr/local/bin/python"

mkdir "$root/tmp/wheels"
for name in pip setuptools wheel packaging; do
    cp "$WHEELHOUSE/$name"-*.whl "$root/tmp/wheels/"
done
chroot "$root" /usr/local/bin/python -m pip install --quiet --no-index --no-compile --no-cache-dir \
    --root-user-action ignore --find-links /tmp/wheels --upgrade pip setuptools wheel
rm -rf "$root/tmp/wheels"

dpkg-query --admindir="$root/var/lib/dpkg" --show > "$PACKAGES"

rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/* "$root"/var/log/* "$root"/etc/apt/sources.list.d/*
rm -f "$root/etc/machine-id" "$root/var/lib/dbus/machine-id" "$root/etc/resolv.conf" "$root/etc/hostname"
# Empty, not absent: it would name the mirror of the machine that built the image.
: > "$root/etc/apt/sources.list"
find "$root" -xdev -name __pycache__ -type d -prune -exec rm -rf {} +
