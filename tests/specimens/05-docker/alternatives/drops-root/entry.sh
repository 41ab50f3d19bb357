#!/bin/sh
# Starts as root, as whoever mounts a volume may need, and gives root up for good before the service runs.
set -eu
exec setpriv --reuid=10001 --regid=10001 --clear-groups -- "$@"
