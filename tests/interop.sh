#!/bin/sh
# The daemon with nodes of another OTP release: epmd and the BEAM nodes run out of a root directory that
#
#     debootstrap --variant=minbase --include=erlang-base,elixir SUITE ROOT
#
# has made, with erlang-ssl for TLS=1, which has all of them speak TLS with certificates that are checked;
# `sh tests/interop.sh ROOT` (as root, for chroot) prints what passed. HARNESSD is the daemon
# (build/release/harnessd). All of it is on loopback, with an epmd on a port of its own; nothing is left
# running. The status is 0 if nothing failed, 1 if something did, 2 if it could not run.

set -u
tree=$(cd "$(dirname "$0")/.." && pwd) || exit 2
HARNESSD=${HARNESSD:-$tree/build/release/harnessd}
if [ $# -ne 1 ] || ! [ -x "$1/usr/bin/elixir" ] || ! [ -x "$HARNESSD" ] || [ "$(id -u)" != 0 ]; then
    echo "usage, as root: [HARNESSD=FILE] sh tests/interop.sh ROOT" >&2
    exit 2
fi
exec </dev/null

# Inside the root, and the HOME of the nodes, where they find their cookie.
scratch=$(mktemp -d "$1/tmp/interop.XXXXXX") || exit 2
inside=${scratch#"$1"}
running=
stop_all() {
    for pid in $running; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$scratch"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

export LC_ALL=C.UTF-8 HOME="$inside" ERL_EPMD_PORT=$((20000 + $$ % 10000))
chroot "$1" sh -c 'exec $(command -v epmd || echo /usr/lib/erlang/erts-*/bin/epmd) -address 127.0.0.1' \
    >"$scratch/log" 2>&1 &
running=$!

# The nodes have the same files by other paths.
tls=
if [ "${TLS:-}" = 1 ]; then
    sh "$tree/tests/certificates.sh" "$scratch/tls" 127.0.0.1 || exit 2
    sed "s|$scratch|$inside|g" "$scratch/tls/optfile" >"$scratch/tls/nodes"
    tls=", \"tls\": {\"optfile\": \"$scratch/tls/optfile\"}"
    export ERL_FLAGS="-proto_dist inet_tls -ssl_dist_optfile $inside/tls/nodes"
fi

umask 077
od -An -N20 -tx1 /dev/urandom | tr -d ' \n' >"$scratch/.erlang.cookie"
cat >"$scratch/config" <<END
{"node": {"name": "harness@127.0.0.1", "cookie_file": "$scratch/.erlang.cookie"$tls},
 "scenario_dir": "$scratch", "epmd": {"start": false}, "http": {"listen": ""}, "peers": ["dialed@127.0.0.1"], "access": {"chaos": {"allow": ["*"]}}}
END
"$HARNESSD" --config "$scratch/config" >>"$scratch/log" 2>&1 &
daemon=$!
running="$daemon $running"
tries=0
until grep -q "ready node=" "$scratch/log"; do
    tries=$((tries + 1))
    if ! kill -0 "$daemon" 2>/dev/null || [ "$tries" -ge 600 ]; then
        cat "$scratch/log" >&2
        exit 2
    fi
    sleep 0.05
done

cp "$tree/tests/interop.exs" "$tree/tests/checks.exs" "$scratch"
chroot "$1" elixir --name shell@127.0.0.1 "$inside/interop.exs" "$daemon" "$inside" && exit 0
tail -n 40 "$scratch/log" >&2
exit 1
