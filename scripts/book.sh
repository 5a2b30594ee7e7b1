#!/usr/bin/env bash
# Makes the book of docs/: target/book/index.html. Installs mdBook where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v mdbook >/dev/null; then
    echo "book: installing mdbook with cargo" >&2
    cargo install --locked mdbook
fi
mdbook build
echo "target/book/index.html"
