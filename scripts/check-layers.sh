#!/usr/bin/env bash
# Checks the layers of the source tree, and prints file:line and the rule for each breach.
#
#   scripts/check-layers.sh [root]
#
# 1. `unsafe` and `redis_module` appear in src/server/ and src/lib.rs alone.
# 2. Pure files name nothing of the server: all of src/ but src/server/, src/lib.rs and each
#    family's commands.rs.
# 3. No Rust file has more than 400 lines.
#
# Comments and strings do not count for 1 and 2.
set -euo pipefail

cd "${1:-$(dirname "$0")/..}"

# Blanks out comments and the insides of literals, keeping the lines.
code_only() {
    awk '
    { rest = $0; out = "" }
    { while (rest != "") {
        if (depth) {                                   # in a block comment; they nest
            if (!match(rest, /\/\*|\*\//)) { rest = ""; break }
            depth += substr(rest, RSTART, 2) == "/*" ? 1 : -1
            rest = substr(rest, RSTART + 2)
        } else if (closing != "") {                    # in a raw string
            if (!(at = index(rest, closing))) { rest = ""; break }
            rest = substr(rest, at + length(closing)); closing = ""
        } else if (quoted) {                           # in a string
            if (!match(rest, /^([^"\\]|\\.)*"/)) { rest = ""; break }
            rest = substr(rest, RLENGTH + 1); quoted = 0
        } else if (rest ~ /^\/\//) {
            break
        } else if (rest ~ /^\/\*/) {
            depth = 1; rest = substr(rest, 3)
        } else if (match(rest, /^b?\047([^\047\\]|\\[^\047]+|\\\047)\047/)) {
            out = out "_"; rest = substr(rest, RLENGTH + 1)
        } else if (match(rest, /^[bc]?r#*"/)) {
            hashes = rest; sub(/^[bc]?r/, "", hashes); sub(/".*/, "", hashes)
            closing = "\"" hashes; rest = substr(rest, RLENGTH + 1); out = out "_"
        } else if (match(rest, /^[bc]?"/)) {
            quoted = 1; rest = substr(rest, RLENGTH + 1); out = out "_"
        } else {                                       # a whole word, or one other character
            if (!match(rest, /^[A-Za-z0-9_]+/)) RLENGTH = 1
            out = out substr(rest, 1, RLENGTH); rest = substr(rest, RLENGTH + 1)
        }
      }
      print out
    }' "$1"
}

# Lines that hold `unsafe` or `redis_module` as a word.
server_only_words() {
    code_only "$1" | grep -nwE 'unsafe|redis_module' | cut -d: -f1 || true
}

# Lines on which a path into the server module starts, in a `use` of several lines as well.
server_paths() {
    code_only "$1" | awk '
        { line = $0 }
        !in_use && line ~ /(^|[^A-Za-z0-9_])use[ \t]/ { in_use = 1; start = NR; statement = "" }
        in_use { statement = statement " " line }
        in_use && line ~ /;/ {
            in_use = 0
            if (statement ~ /[^A-Za-z0-9_]server[^A-Za-z0-9_]/ && statement ~ /(crate|super)[ \t]*::/) print start
            next
        }
        !in_use && line ~ /(crate|super)::server([^A-Za-z0-9_]|$)/ { print NR }'
}

is_server_side() {
    [[ $1 == src/server/* || $1 == src/server.rs || $1 == src/lib.rs ]]
}

is_pure() {
    ! is_server_side "$1" && [[ $1 != src/*/commands.rs && $1 != src/*/commands/* ]]
}

breaches() {
    local file line count
    while IFS= read -r file; do
        count=$(wc -l <"$file")
        if ((count > 400)); then
            echo "$file:401: a file has at most 400 lines, this one $count"
        fi
        if [[ $file != src/* ]]; then continue; fi
        if ! is_server_side "$file"; then
            for line in $(server_only_words "$file"); do
                echo "$file:$line: \`unsafe\` and \`redis_module\` belong to src/server/ and src/lib.rs"
            done
        fi
        if is_pure "$file"; then
            for line in $(server_paths "$file"); do
                echo "$file:$line: a pure file names nothing of crate::server"
            done
        fi
    done
}

if [[ ! -f src/lib.rs ]]; then
    echo "check-layers: no src/lib.rs in $PWD" >&2
    exit 2
fi
folders=()
for folder in src tests benches examples; do
    if [[ -d $folder ]]; then folders+=("$folder"); fi
done
found=$(find "${folders[@]}" -name '*.rs' | sort | breaches)
if [[ -n $found ]]; then
    echo "$found"
    exit 1
fi
