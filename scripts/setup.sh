#!/usr/bin/env bash
# setup.sh [notebook | dev]: with `notebook`, also JupyterLab and what the labs' notebooks import; with `dev`, that and
# what the tests and the measurements need.
# Makes what the workbench needs and this machine lacks: .venv with the pinned packages, a container engine that
# answers, the tool that makes the course base. Quick when all is there. What it cannot do, it says in one command.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
root_on_debian() { [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; }

packages_listed=no
install() {
    if [ "$packages_listed" = no ]; then
        apt-get update -qq || true
        packages_listed=yes
    fi
    say "installing $*"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >> .cache/setup.log 2>&1
}

find_python() {
    for name in python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

make_venv() {
    [ -x .venv/bin/python ] && .venv/bin/python -m pip --version > /dev/null 2>&1 && return
    python=$(find_python) || python=""
    if [ -z "$python" ] && root_on_debian && install python3 python3-venv; then
        python=$(find_python) || python=""
    fi
    if [ -z "$python" ]; then
        say "Python 3.11 or newer is not here. Type: sudo apt-get install python3.11 python3.11-venv"
        exit 1
    fi
    say "making .venv with $("$python" --version)"
    if ! "$python" -m venv .venv > .cache/venv.log 2>&1; then
        if ! root_on_debian || ! install python3-venv || ! "$python" -m venv --clear .venv; then
            say "Python's venv module is not here. Type: sudo apt-get install python3-venv"
            exit 1
        fi
    fi
}

install_project() {
    wanted=$(cat pyproject.toml constraints.txt | sha256sum)
    mark=.venv/installed$extra
    [ "$(cat "$mark" 2> /dev/null)" = "$wanted" ] && return
    [ -z "$extra" ] || has_torch || require_room
    say "installing the pinned packages${extra:+ with }$extra"
    [ -z "$extra" ] || has_torch || install_torch
    pip_install --editable ".$extra" --constraint constraints.txt || { tail -n 20 .cache/pip.log; exit 1; }
    printf '%s\n' "$wanted" > "$mark"
}

pip_install() { # the wheels of the notebook image serve here too, so that a class without network needs no index
    if [ -d .cache/notebook ]; then
        run_pip --no-index --find-links .cache/notebook --find-links .cache/wheelhouse "$@" && return
    fi
    run_pip "$@"
}

run_pip() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@" > .cache/pip.log 2>&1
}

has_torch() {
    .venv/bin/python -c 'import sys; from importlib.metadata import version
sys.exit(version("torch").partition("+")[0] != sys.argv[1])' "$torch" 2> /dev/null
}

install_torch() {
    # First and by itself: what PyPI offers under this version for Linux is built for graphics cards, five times as large.
    [ "$(uname -s)" = Linux ] || return 0
    pip_install --no-deps "torch==$torch+cpu" && return
    say "pip finds no CPU build of torch $torch, and takes the default one (gigabytes). To avoid it: interrupt, add the"
    say "    index of CPU builds that pytorch.org names to pip's configuration (extra-index-url), type the command again"
}

require_room() {
    free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
    say "what notebooks need: 0.6 GB to download, 2.1 GB of disk, two or three minutes"
    [ "$free" -ge 4 ] && return
    say "only $free GB are free here, and 4 are needed while pip works. Free some space, then type the command again"
    exit 1
}

install_ps() {
    # The engine lists a container's processes with the machine's own `ps`.
    command -v ps > /dev/null && return
    root_on_debian && install procps && return
    say "ps is not here; where processes cannot be read directly, nobody sees who runs (sudo apt-get install procps)"
}

install_test_tools() { # `mount` is missing on the smallest systems; the tests fill a small disk with it
    command -v mount > /dev/null || { root_on_debian && install mount; } || say "mount is not here; the tests need it"
}

install_bootstrap() {
    command -v mmdebstrap > /dev/null && return
    root_on_debian && install mmdebstrap && return
    say "mmdebstrap is not here; only making the course base needs it (sudo apt-get install mmdebstrap)"
}

install_browser() {
    command -v chromium > /dev/null && return
    root_on_debian && install chromium && return
    say "chromium is not here; only the tests of the report's page need it. Type: sudo apt-get install chromium"
}

ensure_engine() {
    scripts/engine.sh answers && return
    if ! command -v dockerd > /dev/null && root_on_debian; then
        install docker.io || true
        scripts/engine.sh wait 10 && return
    fi
    if [ "$(id -u)" = 0 ] && command -v dockerd > /dev/null; then
        scripts/engine.sh start && return
    fi
    say "no container engine answers; without one only part of a lab can be assessed. Type:"
    say "    sudo apt-get install -y docker.io mmdebstrap && sudo usermod -aG docker \$USER && newgrp docker"
}

extra=${1:+[$1]}
torch=$(sed -n 's/^torch==//p' constraints.txt)
mkdir -p .cache
make_venv
install_project
ensure_engine
install_ps
install_bootstrap
[ "$extra" != "[dev]" ] || install_test_tools
[ "$extra" != "[dev]" ] || install_browser
