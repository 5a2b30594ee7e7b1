#!/usr/bin/env bash
# A Redis server under valgrind's memcheck, to be named in APPKIT_SERVER; valgrind.sh does. Each
# process writes a log of its own into VALGRIND_LOGS.
set -euo pipefail

# The server's allocator is replaced by valgrind's, or no access to its memory could be checked.
# What it finds is in the logs alone: an exit code of its own would make the server throw away what a
# child of it has written.
exec valgrind --tool=memcheck --soname-synonyms='somalloc=*jemalloc*' --num-callers=30 \
    --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=none \
    --log-file="${VALGRIND_LOGS:?}/%p.log" --keep-debuginfo=yes \
    --suppressions="$(dirname "$0")/valgrind.supp" "$(command -v redis-server)" "$@"
