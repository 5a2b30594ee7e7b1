#!/usr/bin/env bash
# Runs every example against a server with the module, with the one command that its README gives, and
# closes with a table. The server and a cluster of three nodes run on free ports of 127.0.0.1.
#
#   CLIENTS="python go"     these examples alone
#   APPKIT_MODULE=path      this module instead of a build
#   APPKIT_SERVER=path      another server than redis-server
#
# What this machine lacks (a language, a package registry, a browser) is SKIPPED, in the table and in
# the closing line, but no failure.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
exec </dev/null

# folder | what must be there | fetches the dependencies (no network: SKIPPED) | results when all is well
# `-` in the last column: a test runner says how many there are.
EXAMPLES='
python|python3|python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt|8
node|node npm|npm ci --silent|7
go|go|go mod download|3
java|java mvn|mvn -q -B dependency:resolve dependency:resolve-plugins|3
rust|cargo|cargo fetch --locked --quiet|5
webapp-node|node npm|npm ci --silent|-
express-session-store|node npm|npm ci --silent|-
webapp-go|go|go mod download|-
django-sessions|python3|python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt|-
'
server=${APPKIT_SERVER:-redis-server}

work=$(mktemp -d)
pids=()
cleanup() {
    if ((${#pids[@]})); then kill "${pids[@]}" 2>/dev/null || true; fi
    wait
    rm -rf "$work"
}
trap cleanup EXIT

say() { printf 'test-clients: %s\n' "$*" >&2; }

# Starts a server with the module and puts its port into `started`. Ports are taken from below those
# that outgoing connections use, so that the cluster's second port (10000 above) is free as well; where
# one is not, the server ends and another one is tried.
start_server() { # argument…
    local dir pid _
    for _ in 1 2 3 4 5; do
        started=$((RANDOM % 12000 + 10000))
        dir=$work/server.$started
        mkdir "$dir"
        "$server" --port "$started" --bind 127.0.0.1 --dir "$dir" --save '' --loadmodule "$module" "$@" >"$dir/log" 2>&1 &
        pid=$!
        while kill -0 "$pid" 2>/dev/null; do
            if redis-cli -p "$started" info server 2>/dev/null | grep -q "^process_id:$pid"; then
                pids+=("$pid")
                return
            fi
            sleep 0.1
        done
    done
    cat "$dir/log" >&2
    return 1
}

start_cluster() {
    local nodes=() tries
    for _ in 1 2 3; do
        start_server --cluster-enabled yes
        nodes+=("127.0.0.1:$started")
    done
    redis-cli --cluster create "${nodes[@]}" --cluster-yes >"$work/cluster.log"
    for ((tries = 0; tries < 100; tries++)); do
        if redis-cli -p "$started" cluster info | grep -q 'cluster_state:ok'; then return; fi
        sleep 0.1
    done
    cat "$work/cluster.log" >&2
    return 1
}

# The one command in a README: its first block of shell.
readme_command() { # folder
    awk '/^```sh$/ { inside = 1; next } /^```$/ && inside { exit } inside' "$1/README.md"
}

table='example|client|version|result'
passed=0 failed=0 skipped=0
row() { # example client version result
    table+=$'\n'"$1|$2|$3|$4"
}
skip() { # example client reason
    say "SKIPPED $1: $3"
    row "$1" "$2" - "SKIPPED: $3"
    skipped=$((skipped + 1))
}

lacking() { # command…
    local each
    for each in "$@"; do
        command -v "$each" >/dev/null || echo "$each"
    done
}

# Lines `PASSED name [version]` and `SKIPPED name: reason` in an example's output.
read_results() { # example log expected
    local name=$1 log=$2 expected=$3 count=0 line
    while read -r line; do
        case $line in
        'PASSED '*' ['*']')
            line=${line#PASSED }
            row "$name" "${line% \[*}" "$(sed -E 's/.*\[(.*)\]$/\1/' <<<"$line")" passed
            count=$((count + 1))
            ;;
        'SKIPPED '*)
            line=${line#SKIPPED }
            skip "$name" "${line%%: *}" "${line#*: }"
            ;;
        esac
    done <"$log"
    passed=$((passed + count))
    if ((count != expected)); then
        row "$name" all - "FAILED: $count of $expected results"
        failed=$((failed + 1))
    fi
}

# The closing counts of node's test runner, `go test -v` or unittest.
read_test_counts() { # example log status
    local name=$1 log=$2 status=$3 p f s
    read -r p f s < <(awk '
        /^(# |ℹ )pass [0-9]+$/ { p += $3 }
        /^(# |ℹ )fail [0-9]+$/ { f += $3 }
        /^(# |ℹ )skipped [0-9]+$/ { s += $3 }
        /^ *--- PASS: / { p++ }
        /^ *--- FAIL: / { f++ }
        /^ *--- SKIP: / { s++ }
        /^Ran [0-9]+ tests? in / { ran += $2 }
        /^(OK|FAILED) ?\(?/ && match($0, /skipped=[0-9]+/) { s += substr($0, RSTART + 8, RLENGTH - 8); ran -= substr($0, RSTART + 8, RLENGTH - 8) }
        /^FAILED \(/ { n = 0; if (match($0, /failures=[0-9]+/)) n += substr($0, RSTART + 9, RLENGTH - 9); if (match($0, /errors=[0-9]+/)) n += substr($0, RSTART + 7, RLENGTH - 7); f += n; ran -= n }
        END { print p + ran, f + 0, s + 0 }' "$log")
    # A run that breaks off without a result is a failure too, and so is one without a test.
    if ((status != 0 && f == 0)) || ((p == 0 && f == 0)); then f=1; fi
    if ((f)); then row "$name" tests - "FAILED: $p passed, $f failed, $s skipped"; else row "$name" tests - "$p passed, $s skipped"; fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    grep -E 'SKIP' "$log" >&2 || true
}

# The browser of the web app's tests, where apt may install it; without it they skip themselves.
install_browser() {
    if [[ -x ${CHROMIUM:-/usr/bin/chromium} ]] || ! may_use_apt; then return; fi
    say 'installing chromium with apt-get'
    (apt_install chromium) >"$work/apt.log" 2>&1 || say 'SKIPPED chromium: it cannot be installed here'
}

run_example() { # name needs fetch expected
    local name=$1 needs=$2 fetch=$3 expected=$4 folder=examples/$1 log=$work/$1.log missing command status=0
    # shellcheck disable=SC2086 # a list of commands
    missing=$(lacking $needs | paste -sd' ')
    if [[ -n $missing ]]; then
        skip "$name" all "this machine has no $missing"
        return
    fi
    command=$(readme_command "$folder")
    printf '\n=== %s: %s\n' "$name" "$command"
    if [[ $name == webapp-node ]]; then install_browser; fi
    if ! (cd "$folder" && timeout 300 bash -c "$fetch") >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        skip "$name" all 'its dependencies cannot be had here'
        return
    fi
    (cd "$folder" && timeout 300 bash -c "$command") >"$log" 2>&1 || status=$?
    if ((status)); then
        cat "$log"
    else
        grep -E '^(PASSED|SKIPPED) ' "$log" || true
    fi
    if [[ $expected == - ]]; then
        read_test_counts "$name" "$log" "$status"
        return
    fi
    read_results "$name" "$log" "$expected"
    if ((status)) && ! grep -qE "^$name\\|all\\|-\\|FAILED" <<<"$table"; then
        row "$name" all - "FAILED: exit code $status"
        failed=$((failed + 1))
    fi
}

main() {
    local name needs fetch expected known
    known=$(awk -F '|' 'NF { print $1 }' <<<"$EXAMPLES" | paste -sd' ')
    for name in ${CLIENTS:-}; do
        if [[ " $known " != *" $name "* ]]; then
            say "unknown example $name; there are: $known"
            return 2
        fi
    done
    if [[ -z ${APPKIT_MODULE:-} ]]; then
        cargo build --release --locked
        APPKIT_MODULE=$(target_dir)/release/libredis_appkit.so
    fi
    module=$(realpath "$APPKIT_MODULE")
    start_cluster
    export CLUSTER_URL=redis://127.0.0.1:$started
    start_server
    export REDIS_URL=redis://127.0.0.1:$started

    while IFS='|' read -r name needs fetch expected <&3; do
        if [[ -z $name || (-n ${CLIENTS:-} && " $CLIENTS " != *" $name "*) ]]; then continue; fi
        run_example "$name" "$needs" "$fetch" "$expected"
    done 3<<<"$EXAMPLES"

    printf '\n'
    awk -F '|' '{ printf "%-22s  %-32s  %-8s  %s\n", $1, $2, $3, $4 }' <<<"$table"
    if ((skipped)); then printf '\nSKIPPED: %s results could not be had on this machine (see above)\n' "$skipped"; fi
    printf '\nclients: %s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
    ((failed == 0))
}

main
