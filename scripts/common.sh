# Shared by the scripts; sourced from the project's root.
# shellcheck shell=bash

# Where cargo puts what it builds (CARGO_TARGET_DIR and configuration files count).
target_dir() {
    cargo metadata --format-version 1 --no-deps --offline |
        sed -nE 's/.*"target_directory":"([^"]*)".*/\1/p'
}

# Sums cargo's "test result:" lines on standard input to "passed failed".
count_results() {
    sed -nE 's/^test result: .* ([0-9]+) passed; ([0-9]+) failed;.*/\1 \2/p' |
        awk '{ passed += $1; failed += $2 } END { print passed + 0, failed + 0 }'
}

# The failed tests in a log of `cargo test`, one a line: suite and name.
failed_tests() { # log
    awk '
        / Running / {
            suite = $NF
            sub(/.*\//, "", suite)
            sub(/-[0-9a-f]+\)$/, "", suite)
            if ($2 == "unittests") suite = "lib"
        }
        /^test .* \.\.\. FAILED$/ { print suite, $2 }' "$1"
}

# Runs each test that failed once more, alone: what a busy machine has upset passes now, what is broken
# does not. Says loudly which needed it. Leaves the number that passed in `recovered`.
second_try() { # log
    local suite name target
    recovered=0
    while read -r suite name <&3; do
        if [[ $suite == lib ]]; then target=(--lib); else target=(--test "$suite"); fi
        if cargo test --locked "${target[@]}" -- --exact "$name" </dev/null >"$1.again" 2>&1 &&
            grep -q '^test result: ok. 1 passed' "$1.again"; then
            printf 'UNSTABLE: %s %s failed among the others and passed alone\n' "$suite" "$name"
            recovered=$((recovered + 1))
        else
            printf 'FAILED twice: %s %s\n' "$suite" "$name"
            cat "$1.again"
        fi
    done 3< <(failed_tests "$1")
}

# Runs a command as root, or fails where that would need a password.
as_root() {
    if (($(id -u) == 0)); then "$@"; else sudo -n "$@"; fi
}

may_use_apt() {
    command -v apt-get >/dev/null && as_root true 2>/dev/null
}

no_services=/usr/sbin/policy-rc.d
remove_no_services=no
allow_services() {
    if [[ $remove_no_services == yes ]]; then as_root rm -f "$no_services"; fi
    remove_no_services=no
}

# Installs packages. Debian's redis-server starts a service on port 6379 and has it start at boot. Nobody
# asked for one here, so this install does neither. A service that is already there stays as it is.
apt_install() { # package…
    local status=0
    trap allow_services EXIT
    if [[ ! -e $no_services ]]; then
        remove_no_services=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$no_services" >/dev/null
        as_root chmod 755 "$no_services"
    fi
    as_root apt-get -q update || echo 'apt-get update failed; trying with the lists that are there' >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@" || status=$?
    if [[ " $* " == *' redis-server '* ]]; then
        as_root deb-systemd-helper disable redis-server.service >/dev/null 2>&1 || true
        as_root update-rc.d redis-server disable >/dev/null 2>&1 || true
    fi
    allow_services
    return "$status"
}
