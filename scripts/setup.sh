#!/usr/bin/env bash
# Installs what the build and the tests need beyond Rust, a C compiler and git: libclang (bindgen
# reads the module API's header with it) and a Redis server. Silent and offline when all is there.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

# The places where bindgen looks for the library.
have_libclang_library() {
    local dirs dir file prefix
    if [[ -f ${LIBCLANG_PATH:-} ]]; then return; fi
    dirs=("${LIBCLANG_PATH:-}")
    if prefix=$(llvm-config --prefix 2>/dev/null); then dirs+=("$prefix/lib"); fi
    IFS=: read -r -a paths <<<"${LD_LIBRARY_PATH:-}"
    dirs+=("${paths[@]}" /usr/lib/llvm-*/lib /usr/lib/*-linux-gnu /usr/lib /usr/lib64
        /usr/lib64/llvm*/lib* /usr/local/lib /usr/local/llvm*/lib
        /opt/homebrew/opt/llvm/lib /usr/local/opt/llvm/lib)
    for dir in "${dirs[@]}"; do
        if [[ -z $dir ]]; then continue; fi
        for file in "$dir"/libclang.so* "$dir"/libclang-[0-9]*.so* "$dir"/libclang.dylib; do
            if [[ -e $file ]]; then return; fi
        done
    done
    return 1
}

# The library alone is no use: it needs clang's own stddef.h, which is packaged separately.
have_clang_headers() {
    if [[ -n ${LIBCLANG_PATH:-} || -n ${BINDGEN_EXTRA_CLANG_ARGS:-} ]]; then return; fi
    local file
    for file in {/usr/lib/llvm-*/lib,/usr/lib,/usr/lib64,/usr/local/lib,/usr/local/llvm*/lib,/opt/homebrew/opt/llvm/lib,/usr/local/opt/llvm/lib}/clang/*/include/stddef.h; do
        if [[ -e $file ]]; then return; fi
    done
    return 1
}

have_libclang() { have_libclang_library && have_clang_headers; }
have_server() { [[ -n ${APPKIT_SERVER:-} ]] || command -v redis-server >/dev/null; }
have_cli() { command -v redis-cli >/dev/null; }

missing_packages() {
    have_libclang || echo libclang-dev
    have_server || echo redis-server
    have_cli || echo redis-tools
}

how_to_install() { # package…
    local fedora=() brew=() package
    for package in "$@"; do
        case $package in
        libclang-dev) fedora+=(clang-devel) brew+=(llvm) ;;
        redis-server) fedora+=(redis) brew+=(redis) ;;
        redis-tools) if [[ " $* " != *' redis-server '* ]]; then fedora+=(redis) brew+=(redis); fi ;;
        esac
    done
    cat >&2 <<END
setup: missing: $*
Install with the one that fits, and run the same command again:
    sudo apt-get update && sudo apt-get install $*
    sudo dnf install ${fedora[*]}
    brew install ${brew[*]}
END
}

main() {
    local missing
    mapfile -t missing < <(missing_packages)
    if ((${#missing[@]} == 0)); then return; fi
    if may_use_apt; then
        echo "setup: installing ${missing[*]} with apt-get (no service is started)" >&2
        apt_install "${missing[@]}"
        mapfile -t missing < <(missing_packages)
        if ((${#missing[@]} == 0)); then return; fi
    fi
    how_to_install "${missing[@]}"
    return 1
}

main
