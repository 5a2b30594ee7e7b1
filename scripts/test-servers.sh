#!/usr/bin/env bash
# Runs the integration tests on each version of the server, with the module built in release mode,
# and closes with a table. Servers that are not in .servers/ yet are fetched first.
#
#   SERVERS="valkey-9.1 redis-8.0"   these alone
#   APPKIT_LONG=1                    many more rounds in the tests that repeat
#   APPKIT_MODULE=path               this module instead of a build
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

# Too old for the module: one test shows that it is refused with a clear line in the log.
old_server=redis-6.0

read -r -a names <<<"${SERVERS:-$(scripts/fetch-servers.sh --names | grep -vx "$old_server" | tr '\n' ' ')}"

# What cannot be fetched shows as SKIPPED in the table; a name that does not exist is a mistake.
scripts/fetch-servers.sh "$old_server" "${names[@]}" || (($? == 1))

if [[ -z ${APPKIT_MODULE:-} ]]; then
    cargo build --release --locked
    APPKIT_MODULE=$(target_dir)/release/libredis_appkit.so
fi
export APPKIT_MODULE
if [[ -x .servers/$old_server/server ]]; then
    export APPKIT_OLD_SERVER=$PWD/.servers/$old_server/server
fi
cargo test --locked --no-run --test '*'

table='server|version|passed|failed|seconds'
total_passed=0 total_failed=0 skipped=0
for name in "${names[@]}"; do
    server=.servers/$name
    if [[ ! -s $server/version ]]; then
        table+=$'\n'"$name|SKIPPED|-|-|-"
        skipped=$((skipped + 1))
        continue
    fi
    printf '\n=== %s (%s)\n' "$name" "$(<"$server/version")"
    start=$SECONDS status=0
    APPKIT_SERVER=$PWD/$server/server cargo test --locked --no-fail-fast --test '*' >"$server/test.log" 2>&1 || status=$?
    read -r passed failed < <(count_results <"$server/test.log")
    if ((failed)); then
        cat "$server/test.log"
        APPKIT_SERVER=$PWD/$server/server second_try "$server/test.log"
        passed=$((passed + recovered)) failed=$((failed - recovered))
    elif ((status != 0 || passed == 0)); then
        failed=1 # It broke off without a result, or there was no test.
        cat "$server/test.log"
    else
        grep '^test result:' "$server/test.log"
    fi
    table+=$'\n'"$name|$(<"$server/version")|$passed|$failed|$((SECONDS - start))"
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
done

printf '\n'
awk -F '|' '{ printf "%-12s  %-8s  %6s  %6s  %7s\n", $1, $2, $3, $4, $5 }' <<<"$table"
if ((skipped)); then printf '\nSKIPPED: %s of %s servers could not be fetched (see above)\n' "$skipped" "${#names[@]}"; fi
printf '\nservers: %s passed, %s failed, %s skipped\n' "$total_passed" "$total_failed" "$skipped"
((total_failed == 0))
