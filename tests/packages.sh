# Sourced by run.sh and demo.sh: sees to it that the Debian packages they need are there.
#
#     require_packages "$BUILD_PACKAGES $TEST_PACKAGES"
#     require_promtool build/tools     and PROMTOOL is the program
#
# Root gets what is missing from apt; anybody else is told the names, and the script ends with status 2.

BUILD_PACKAGES="gcc libc6-dev make cmake dpkg-dev file gzip pkg-config erlang-base erlang-dev libevent-dev libjansson-dev libssl-dev libsystemd-dev elixir"
TEST_PACKAGES="libcmocka-dev erlang-ssl openssl clang libclang-rt-dev curl jq faketime procps iproute2"
# Of which each Debian has the same version: others format differently.
FORMAT_PACKAGES="clang-format-19"
# What the checks of the package need besides.
SERVICE_PACKAGES="systemd"

missing_packages() {
    for package in $1; do
        status=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) || status=
        [ "$status" = installed ] || printf '%s ' "$package"
    done
}

require_packages() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        echo "This is not a Debian system; what is needed is what Debian calls: $1" >&2
        return 0
    fi
    missing=$(missing_packages "$1")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "Missing packages: $missing" >&2
        echo "Install them with: sudo apt-get install --no-install-recommends $missing" >&2
        exit 2
    fi
    echo "Installing: $missing"
    apt_log=$(mktemp)
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes \
        --no-install-recommends $missing; } >"$apt_log" 2>&1 </dev/null; then
        cat "$apt_log" >&2
        rm -f "$apt_log"
        echo "Could not install: $missing" >&2
        exit 2
    fi
    rm -f "$apt_log"
}

# What checks metrics. Up to Debian 12 it is part of a package whose installation starts a server; later it has one of its
# own. It is only taken out of either.
require_promtool() {
    PROMTOOL=$(command -v promtool) && return 0
    PROMTOOL=$1/promtool
    [ ! -x "$PROMTOOL" ] || return 0
    rm -rf "$1/package"
    mkdir -p "$1/package" || exit 2
    if ! (cd "$1/package" && { download_promtool || { apt-get update && download_promtool; }; } &&
        dpkg-deb --extract *.deb . &&
        mv usr/bin/promtool ..) >"$1/log" 2>&1 </dev/null; then
        cat "$1/log" >&2
        echo "Could not get promtool" >&2
        exit 2
    fi
    rm -rf "$1/package"
}

download_promtool() {
    package=promtool
    apt-cache show --no-all-versions promtool >/dev/null 2>&1 || package=prometheus
    apt-get download "$package"
}
