#!/usr/bin/env bash
# Fuzzes every server in .servers/ (cargo make fetch-servers puts them there), or redis-server where
# there is none. The module is the dev build, whose arithmetic is checked.
#
#   FUZZ_COMMANDS=1000000            this many commands a server instead of 5 million
#   SERVERS="valkey-9.1 redis-8.0"   these alone
#   APPKIT_FUZZ_SEED=1               this seed instead of the clock
#   APPKIT_MODULE=path               this module instead of a build
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

export APPKIT_FUZZ_COMMANDS=${FUZZ_COMMANDS:-5000000}

# Too old for the module.
old_server=redis-6.0

fuzz() { # name server
    local log status=0
    log=$(target_dir)/fuzz-$1.log
    printf '\n=== %s: %s commands\n' "$1" "$APPKIT_FUZZ_COMMANDS"
    APPKIT_SERVER=$2 cargo test --locked --test fuzz -- --nocapture >"$log" 2>&1 || status=$?
    # The servers' logs are long.
    if ((status)); then cat "$log"; else grep -E '^fuzz: |replies, | observed$' "$log"; fi
    if ((status)); then failed+=("$1"); else passed+=("$1"); fi
}

passed=() failed=()
for server in .servers/*/server; do
    name=$(basename "$(dirname "$server")")
    if [[ ! -x $server || $name == "$old_server" ]]; then continue; fi
    if [[ -n ${SERVERS:-} && " $SERVERS " != *" $name "* ]]; then continue; fi
    fuzz "$name" "$PWD/$server"
done
if ((${#passed[@]} + ${#failed[@]} == 0)); then
    if [[ -n ${SERVERS:-} ]]; then
        echo "fuzz: none of $SERVERS is in .servers/" >&2
        exit 1
    fi
    fuzz redis-server "${APPKIT_SERVER:-redis-server}"
fi
printf '\nfuzz: %s passed (%s), %s failed (%s)\n' \
    "${#passed[@]}" "${passed[*]:-}" "${#failed[@]}" "${failed[*]:-}"
((${#failed[@]} == 0))
