#!/usr/bin/env bash
# engine.sh answers | wait SECONDS | start | stop: the container engine of a machine without a service manager.
set -euo pipefail
cd "$(dirname "$0")/.."
pid_file=$PWD/.cache/dockerd.pid
log=$PWD/.cache/dockerd.log

answers() {
    .venv/bin/python - 2> /dev/null << 'END'
from docker import APIClient
from docker.utils import kwargs_from_env

APIClient(timeout=10, **kwargs_from_env()).ping()
END
}

wait_for() {
    for _ in $(seq "$1"); do
        answers && return 0
        sleep 1
    done
    return 1
}

ours() { [ -s "$pid_file" ] && [ "$(cat "/proc/$(cat "$pid_file")/comm" 2> /dev/null)" = dockerd ]; }

start() {
    if ! grep -q ' /sys/fs/cgroup' /proc/mounts && command -v cgroupfs-mount > /dev/null; then
        cgroupfs-mount
    fi
    printf 'setup: starting dockerd (log: %s)\n' "$log"
    # No bridge and no firewall rules: what the grader runs has no network, so the host's stays as it is.
    setsid nohup dockerd --bridge=none --iptables=false --ip-forward=false --pidfile "$pid_file" \
        < /dev/null > "$log" 2>&1 &
    if ! wait_for 60; then
        printf 'setup: dockerd does not answer after 60 s; the end of its log:\n'
        tail -n 5 "$log"
        return 1
    fi
}

stop() {
    ours || return 0
    pid=$(cat "$pid_file")
    printf 'stopping the dockerd that setup started (%s)\n' "$pid"
    kill "$pid"
    for _ in $(seq 30); do
        [ -e "/proc/$pid" ] || return 0
        sleep 1
    done
}

case "${1:-}" in
    answers) answers ;;
    wait) wait_for "$2" ;;
    start) start ;;
    stop) stop ;;
    *) printf 'usage: engine.sh answers | wait SECONDS | start | stop\n' >&2; exit 2 ;;
esac
