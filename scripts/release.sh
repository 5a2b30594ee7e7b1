#!/usr/bin/env bash
# Makes dist/redis-appkit-VERSION-linux-MACHINE.tar.gz and its checksum, and proves that what is in it
# loads: unpacks it elsewhere and starts APPKIT_SERVER (default: redis-server) with it.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

version=$(sed -nE 's/^version = "(.*)"$/\1/p' Cargo.toml | head -n 1)
name=redis-appkit-$version-linux-$(uname -m)
archive=$name.tar.gz
work=$(mktemp -d)
server_id=''
clean_up() {
    if [[ -n $server_id ]]; then kill "$server_id" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap clean_up EXIT

pack() {
    cargo build --release --locked
    mkdir -p "$work/$name" dist
    cp "$(target_dir)/release/libredis_appkit.so" redis.conf LICENSE README.md "$work/$name/"
    chmod 755 "$work/$name/libredis_appkit.so"
    # The same commit makes the same archive: names sorted, nobody's user, the commit's time.
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(commit_time)" \
        -C "$work" -cf - "$name" | gzip -9n >"dist/$archive"
    (cd dist && sha256sum "$archive" >"$archive.sha256")
}

commit_time() { git log -1 --format=%ct 2>/dev/null || echo 0; }

# What somebody does who has downloaded the two files.
try_out() {
    local unpacked=$work/elsewhere/$name reply try
    mkdir "$work/elsewhere"
    (cd dist && sha256sum --check --quiet "$archive.sha256")
    tar -C "$work/elsewhere" -xzf "dist/$archive"
    "${APPKIT_SERVER:-redis-server}" "$unpacked/redis.conf" --port 0 --unixsocket "$work/socket" \
        --dir "$work" --loadmodule "$unpacked/libredis_appkit.so" >"$work/log" 2>&1 &
    server_id=$!
    for ((try = 0; try < 100; try++)); do
        reply=$(redis-cli -s "$work/socket" APP.RATELIMIT user:42 10 EX 60 2>&1 | head -n 3 | tr '\n' ' ') || true
        if [[ $reply == '1 10 9 ' ]]; then return; fi
        if ! kill -0 "$server_id" 2>/dev/null; then break; fi
        sleep 0.1
    done
    echo "release: the server did not answer with the library of $archive:" >&2
    cat "$work/log" >&2
    return 1
}

pack
try_out
echo "dist/$archive, $(du -h "dist/$archive" | cut -f1)"
cat "dist/$archive.sha256"
