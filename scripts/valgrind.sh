#!/usr/bin/env bash
# Runs the integration tests with every server under valgrind's memcheck. Fails where a test fails,
# where any process of a server makes an invalid access, and where memory is lost that the module
# took.
#
#   scripts/valgrind.sh [TEST…]   only the tests with these words in their names
#   SUITES="ratelimit fuzz"       these suites alone
#
# Needs valgrind (Debian, Ubuntu: apt-get install valgrind; Fedora: dnf install valgrind) and a
# redis-server that is no script.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

if ! command -v valgrind >/dev/null; then
    echo 'valgrind: not installed; on Debian and Ubuntu: sudo apt-get install valgrind' >&2
    exit 1
fi

# Suites of which memcheck has nothing to say: the first tests the harness with servers that crash on
# purpose, the next two the documentation; the others are about time and about many servers at once.
left_out='harness docs guarantees cluster failover soak'

# Tests that cannot hold on a server that is many times slower, or that crash it on purpose.
skipped=(
    --skip timing::
    --skip a_crash_report_comes_to_its_end
)

suites() {
    local file name
    for file in tests/*.rs tests/*/main.rs; do
        name=${file#tests/}
        name=${name%.rs}
        name=${name%/main}
        if [[ " $left_out " != *" $name "* ]]; then echo "$name"; fi
    done
}

if [[ -n ${SUITES:-} ]]; then read -r -a suites <<<"$SUITES"; else mapfile -t suites < <(suites); fi

VALGRIND_LOGS=$(target_dir)/valgrind
rm -rf "$VALGRIND_LOGS"
mkdir -p "$VALGRIND_LOGS"
export VALGRIND_LOGS APPKIT_SERVER=$PWD/scripts/valgrind-server.sh
export APPKIT_DEADLINE_FACTOR=20 APPKIT_SHUTDOWN=1
export APPKIT_FUZZ_COMMANDS=${APPKIT_FUZZ_COMMANDS:-5000}

status=0
cargo test --locked --no-fail-fast "${suites[@]/#/--test=}" -- "${skipped[@]}" "$@" || status=$?

# The first lines of memcheck's complaints about accesses. A killed process writes no summary, so its
# complaints are looked for one by one.
invalid='Invalid (read|write|free)|Mismatched free|uninitialised|Source and destination overlap|Jump to the invalid|Process terminating with default action of signal (4|6|7|8|11) '

# The records of memory that is lost for good and that the module took.
lost_by_module() { # log…
    awk -v RS='==[0-9]+== \n' '/definitely lost in loss record/ && /libredis_appkit/ { print FILENAME; print }' "$@"
}

shopt -s nullglob
logs=("$VALGRIND_LOGS"/*.log)
if ((${#logs[@]} == 0)); then
    echo "valgrind: no server has run" >&2
    exit 1
fi
accesses=$(grep -lE "$invalid" "${logs[@]}" || true)
leaks=$(lost_by_module "${logs[@]}")
concluded=$(grep -l 'ERROR SUMMARY' "${logs[@]}" | wc -l)
if [[ -n $accesses ]]; then
    # shellcheck disable=SC2086 # names without spaces, one a line
    grep -hE -m 3 -A 30 "$invalid" $accesses | sed -n '1,200p'
fi
if [[ -n $leaks ]]; then sed -n '1,200p' <<<"$leaks"; fi
printf '\nvalgrind: %s processes, %s to their end; %s with invalid accesses, %s leaks of the module (logs: %s)\n' \
    "${#logs[@]}" "$concluded" "$(grep -c . <<<"$accesses" || true)" \
    "$(grep -c 'definitely lost' <<<"$leaks" || true)" "$VALGRIND_LOGS"
if [[ -n $accesses || -n $leaks ]] || ((concluded == 0)); then exit 1; fi
exit "$status"
