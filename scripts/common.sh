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
