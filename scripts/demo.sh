#!/usr/bin/env bash
# Grades the reference solution of lab 05 and the same solution with one fault, and says where the reports are.
set -euo pipefail
cd "$(dirname "$0")/.."
grader=$PWD/.venv/bin/grader
reports=.cache/demo
fault=tests/specimens/05-docker/mutants/nonroot-no-user

grade() { # NAME SUBMISSION; a mark below the maximum is an answer here, not an error
    local status=0
    printf '\n--- %s: %s ---\n' "$1" "$2"
    "$grader" run labs/05 "$2" || status=$?
    if [ "$status" -gt 1 ]; then
        exit "$status"
    fi
    "$grader" show --format html > "$reports/$1.html"
}

rm -rf "$reports"
mkdir -p "$reports"
cp -R solutions/05-docker "$reports/one-fault"
# A mutant is a folder of files laid over the solution, and remove.txt with those to take out.
if [ -f "$fault/remove.txt" ]; then
    while read -r name; do rm -f "$reports/one-fault/$name"; done < "$fault/remove.txt"
fi
cp -R "$fault/." "$reports/one-fault/"
rm -f "$reports/one-fault/expect.toml" "$reports/one-fault/remove.txt"

"$grader" images build
grade solution solutions/05-docker
grade one-fault "$reports/one-fault"
printf '\nThe reports as web pages:\n  %s\n  %s\n' "$PWD/$reports/solution.html" "$PWD/$reports/one-fault.html"
