#!/usr/bin/env bash
# Installs what building rlrun needs and is missing: Debian packages by name, and MuJoCo's official
# wheel by name and hash (tools/mujoco.txt), unpacked to build/deps/mujoco. Says nothing when nothing is
# missing. usage: tools/setup.sh [test]    ("test" adds what only `make test` needs)
# MUJOCO_DIR=folder with libmujoco.so.3.17.0 and include/mujoco: use that instead of the wheel.
set -eu
cd "$(dirname "$0")/.."

required=(build-essential cmake ninja-build pkg-config python3 python3-pip libopenblas-dev libyaml-dev
    libjansson-dev libxxhash-dev liblz4-dev libpng-dev zlib1g-dev libprotobuf-c-dev protobuf-c-compiler libcmocka-dev)
optional=(libglfw3-dev libopenmpi-dev openmpi-bin libavcodec-dev libavformat-dev libavutil-dev libswscale-dev
    libplplot-dev plplot-driver-cairo)
[ "${1:-}" != test ] || optional+=(clang xvfb libegl1)

fail() {
    echo "setup: $*" >&2
    exit 1
}

# Those of the given packages that are not installed.
missing_of() {
    local have
    have=" $(dpkg-query -W -f='${Package}:${db:Status-Status}\n' "$@" 2>/dev/null |
        sed -n 's/:installed$//p' | tr '\n' ' ')"
    for package in "$@"; do
        case "$have" in *" $package "*) ;; *) echo "$package" ;; esac
    done
}

apt() {
    if [ "$(id -u)" = 0 ]; then
        DEBIAN_FRONTEND=noninteractive apt-get -q "$@" </dev/null
    else
        sudo DEBIAN_FRONTEND=noninteractive apt-get -q "$@" </dev/null
    fi
}

install_packages() {
    local need want
    mapfile -t need < <(missing_of "${required[@]}")
    mapfile -t want < <(missing_of "${optional[@]}")
    [ "${#need[@]}${#want[@]}" != 00 ] || return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        [ "${#need[@]}" = 0 ] && return 0
        fail "neither root nor sudo here; let someone install: ${need[*]}"
    fi
    echo "setup: installing ${need[*]} ${want[*]}"
    apt update || fail "apt-get update failed; is there a network?"
    if [ "${#need[@]}" != 0 ]; then
        apt install -y --no-install-recommends "${need[@]}" || fail "could not install ${need[*]}"
    fi
    for package in "${want[@]}"; do # one by one: each is worth having without the others
        apt install -y --no-install-recommends "$package" ||
            echo "setup: without $package; the part that uses it is left out (see the configuration's output)"
    done
}

fetch_mujoco() {
    local dir=build/deps/mujoco
    [ ! -e "$dir/libmujoco.so.3.17.0" ] || [ ! -e "$dir/include/mujoco/mujoco.h" ] || return 0
    [ "$(uname -m)" = x86_64 ] || fail "the pinned MuJoCo wheel is for x86-64; set MUJOCO_DIR to a MuJoCo 3.17.0"
    echo "setup: fetching MuJoCo 3.17.0"
    mkdir -p build/deps
    work=$(mktemp -d build/deps/fetch.XXXXXX)
    trap 'rm -rf "$work"' EXIT # global: the trap outlives this function
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version 3.11 --implementation cp --abi cp311 --platform manylinux_2_28_x86_64 \
        --require-hashes --dest "$work" -r tools/mujoco.txt ||
        fail "could not fetch MuJoCo 3.17.0; set MUJOCO_DIR to a folder that has it"
    python3 -m zipfile -e "$work"/mujoco-3.17.0-*.whl "$work/wheel"
    mkdir "$work/mujoco"
    mv "$work/wheel/mujoco/libmujoco.so.3.17.0" "$work/wheel/mujoco/include" "$work/mujoco/"
    find "$work/wheel" -path '*dist-info*' -name 'LICENSE*' -exec cp {} "$work/mujoco/" \;
    rm -rf "$dir"
    mv "$work/mujoco" "$dir"
}

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    install_packages
fi # elsewhere the configuration names what it misses
if [ -n "${MUJOCO_DIR:-}" ]; then
    [ -e "$MUJOCO_DIR/libmujoco.so.3.17.0" ] || [ -e "$MUJOCO_DIR/lib/libmujoco.so.3.17.0" ] ||
        fail "MUJOCO_DIR=$MUJOCO_DIR has no libmujoco.so.3.17.0"
else
    fetch_mujoco
fi
