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
