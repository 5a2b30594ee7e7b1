#!/usr/bin/env bash
# Fetches Redis and Valkey servers of several versions into .servers/<name>/, for the tests.
#
#   scripts/fetch-servers.sh [name …]      all of them by default
#   scripts/fetch-servers.sh --names       which there are
#
# Each folder gets three executables, `server`, `cli` and `benchmark`, and a file `version`.
# They are Debian's own packages, unpacked beside the machine's and never installed: apt works in
# private folders here, so no root is needed and the machine's package state stays as it is.
# The mirror is the one that the machine's apt is configured with.
set -euo pipefail
cd "$(dirname "$0")/.."

# name        suite               packages  version
SERVERS_TABLE='
redis-6.0     bullseye            redis     6.0
redis-7.0     bookworm            redis     7.0
valkey-8.0    bookworm-backports  valkey    8.0
redis-8.0     trixie              redis     8.0
valkey-8.1    trixie              valkey    8.1
redis-forky   forky               redis     *
valkey-9.1    forky               valkey    9.1
'
home=$PWD/.servers

say() { printf 'fetch-servers: %s\n' "$*" >&2; }

# Debian's mirrors in the machine's apt configuration, the plain archive first.
debian_mirrors() {
    # shellcheck disable=SC2016 # for apt to expand
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
        sort -u | grep -E '/debian/?$' || true
}

debian_keyring() {
    local file
    for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
        if [[ -r $file ]]; then
            echo "$file"
            return
        fi
    done
    say "no Debian archive keyring (package debian-archive-keyring)"
    return 1
}

# Runs an apt tool with the lists and caches of one suite alone, blind to what is installed. A mirror
# that has fallen behind will do: signatures are checked, and no old package gets onto the machine.
private_apt() { # suite tool argument…
    local dir=$home/.apt/$1 tool=$2
    shift 2
    "$tool" -q -o Dir::Etc::sourcelist="$dir/suite.sources" -o Dir::Etc::sourceparts=- \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$dir/state" -o Dir::State::lists="$dir/lists" \
        -o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache" \
        -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User="$(id -un)" "$@"
}

# Brings the package lists of one suite up to date.
update_suite() { # suite
    local suite=$1 dir=$home/.apt/$1 mirror keyring suites=$1
    # A backport takes its libraries from the release that it was made for.
    if [[ $suite == *-backports ]]; then suites="${suite%-backports} $suite"; fi
    keyring=$(debian_keyring)
    mkdir -p "$dir"/{lists,cache,state}/partial
    mkdir -p "$dir/cache/archives/partial"
    : >"$dir/status"
    for mirror in $(debian_mirrors); do
        cat >"$dir/suite.sources" <<END
Types: deb
URIs: $mirror
Suites: $suites
Components: main
Signed-By: $keyring
END
        if private_apt "$suite" apt-get -o APT::Update::Error-Mode=any update >"$dir/update.log" 2>&1; then
            return
        fi
        tail -n 3 "$dir/update.log" >&2
    done
    say "no package lists of $suite from the mirrors in apt's configuration"
    return 1
}

# The packages and the libraries that they need, libraries of libraries included.
with_libraries() { # suite package…
    local suite=$1 package
    shift
    local -A seen=()
    local queue=("$@")
    while ((${#queue[@]})); do
        package=${queue[0]}
        queue=("${queue[@]:1}")
        if [[ -n ${seen[$package]:-} ]]; then continue; fi
        seen[$package]=1
        echo "$package"
        mapfile -t -O "${#queue[@]}" queue < <(
            private_apt "$suite" apt-cache depends --important "$package" |
                sed -nE 's/^[ |]*(Pre)?Depends: ((lib|zlib|lua-)[^<> ]*)$/\2/p'
        )
    done
}

# A script that starts `binary` with the libraries of its own folder.
write_wrapper() { # folder name binary own-libc?
    local folder=$1 loader='' libraries
    # shellcheck disable=SC2016 # for the wrapper to expand
    libraries=$(cd "$folder" && find root -name '*.so.*' -not -path '*/gconv/*' -printf '%h\n' | sort -u |
        sed 's|^|$here/|' | paste -sd:)
    {
        echo '#!/bin/sh'
        # shellcheck disable=SC2016 # for the wrapper to expand
        echo 'here=$(dirname "$(readlink -f "$0")")'
        if [[ $4 == yes ]]; then
            loader=$(cd "$folder" && find root -name 'ld-linux*.so.*' -type f | head -n 1)
            echo "exec \"\$here/$loader\" --library-path \"$libraries\" \"\$here/root/usr/bin/$3\" \"\$@\""
        else
            echo "export LD_LIBRARY_PATH=\"$libraries\""
            echo "exec \"\$here/root/usr/bin/$3\" \"\$@\""
        fi
    } >"$folder/$2"
    chmod +x "$folder/$2"
}

# The module is linked against the machine's libc, so a server runs with whichever is newer.
brings_newer_libc() { # folder with the packages
    local package theirs ours
    package=$(find "$1" -name 'libc6_*.deb' | head -n 1)
    [[ -n $package ]] || return 1
    theirs=$(dpkg-deb -f "$package" Version)
    ours=$(getconf GNU_LIBC_VERSION)
    dpkg --compare-versions "${theirs%%-*}" gt "${ours##* }"
}

fetch() { # name suite package-prefix expected-version
    local name=$1 suite=$2 prefix=$3 expected=$4 work=$home/.$1.new own_libc=no version packages deb
    update_suite "$suite"
    version=$(private_apt "$suite" apt-cache show --no-all-versions "$prefix-server" |
        sed -nE 's/^Version: ([0-9]+:)?([0-9.]+).*/\2/p')
    # shellcheck disable=SC2053 # `*` stands for any version
    if [[ $version != $expected && $version != $expected.* ]]; then
        say "$suite has $prefix ${version:-nothing}, not $expected"
        return 1
    fi
    rm -rf "$work"
    mkdir -p "$work/packages" "$work/root"
    mapfile -t packages < <(with_libraries "$suite" "$prefix-server" "$prefix-tools")
    (cd "$work/packages" && private_apt "$suite" apt-get download "${packages[@]}" >"$work/download.log" 2>&1) || {
        tail -n 3 "$work/download.log" >&2
        return 1
    }
    if brings_newer_libc "$work/packages"; then own_libc=yes; fi
    for deb in "$work"/packages/*.deb; do
        if [[ $own_libc == no && ${deb##*/} == libc6_* ]]; then continue; fi
        dpkg -x "$deb" "$work/root"
    done
    rm -rf "$work/packages" "$work/download.log" "$work/root"/{etc,usr/share,var}
    write_wrapper "$work" server "$prefix-server" $own_libc
    write_wrapper "$work" cli "$prefix-cli" $own_libc
    write_wrapper "$work" benchmark "$prefix-benchmark" $own_libc
    # Proof that it starts here, and the version as the server itself reports it.
    "$work/server" --version | sed -nE 's/.* v=([0-9.]+).*/\1/p' | grep . >"$work/version"
    rm -rf "${home:?}/$name"
    mv "$work" "$home/$name"
}

wanted() { # name, then the names asked for
    local name=$1 each
    shift
    if (($# == 0)); then return; fi
    for each in "$@"; do
        if [[ $each == "$name" ]]; then return; fi
    done
    return 1
}

main() {
    local name suite prefix expected each missing=0
    for each in "$@"; do
        if ! grep -q "^$each " <<<"$SERVERS_TABLE"; then
            say "unknown server $each; there are:" "$(awk 'NF { printf "%s ", $1 }' <<<"$SERVERS_TABLE")"
            return 2
        fi
    done
    while read -r name suite prefix expected <&3; do
        if [[ -z $name ]] || ! wanted "$name" "$@"; then continue; fi
        if [[ -s $home/$name/version ]]; then continue; fi
        say "fetching $name from Debian $suite"
        # In a process of its own, so that `set -e` holds inside and one failure stops one server.
        if ! "$0" --one "$name" "$suite" "$prefix" "$expected"; then
            say "SKIPPED $name: it cannot be had here"
            missing=1
        fi
    done 3<<<"$SERVERS_TABLE"
    rm -rf "$home/.apt"
    return $missing
}

case ${1:-} in
--one) fetch "${@:2}" ;;
--names) awk 'NF { print $1 }' <<<"$SERVERS_TABLE" ;;
*) main "$@" ;;
esac
