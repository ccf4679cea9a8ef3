#!/bin/sh
# One cluster of nodes of several OTP releases and the daemon: a node runs out of each of the root directories, which
# are made as those of interop.sh (`/` is this machine), and epmd and the daemon out of the first.
#
#     sh tests/mixed.sh ROOT ROOT...       (as root, for chroot) prints what passed
#
# With TLS=1 all of them speak TLS, with certificates that are checked. HARNESSD is the daemon, a file of the first root
# (build/release/harnessd here). All of it is on loopback, with an epmd on a port of its own; nothing is left running. The
# status is 0 if nothing failed, 1 if something did, 2 if it could not run.

set -u
tree=$(cd "$(dirname "$0")/.." && pwd) || exit 2
HARNESSD=${HARNESSD:-$tree/build/release/harnessd}
usage() {
    echo "usage, as root: [HARNESSD=FILE] sh tests/mixed.sh ROOT ROOT..." >&2
    exit 2
}
[ $# -ge 2 ] && [ -x "$1/$HARNESSD" ] && [ "$(id -u)" = 0 ] || usage
for root in "$@"; do
    [ -x "$root/usr/bin/elixir" ] || usage
done
exec </dev/null

# The same path in each root, and the HOME of the nodes, where they find their cookie.
scratch=$(mktemp -d /tmp/mixed.XXXXXX) || exit 2
running=
clean_up() {
    for pid in $running; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    for root in "$@"; do
        rm -rf "$root/$scratch"
    done
    rm -rf "$scratch"
}
trap 'clean_up "$@"' EXIT
trap 'exit 130' INT TERM

export LC_ALL=C.UTF-8 HOME="$scratch" ERL_EPMD_PORT=$((20000 + $$ % 10000))
http=127.0.0.1:$((ERL_EPMD_PORT - 10000))
tls=
if [ "${TLS:-}" = 1 ]; then
    sh "$tree/tests/certificates.sh" "$scratch/tls" 127.0.0.1 || exit 2
    tls=", \"tls\": {\"optfile\": \"$scratch/tls/optfile\"}"
    export ERL_FLAGS="-proto_dist inet_tls -ssl_dist_optfile $scratch/tls/optfile"
fi
umask 077
od -An -N20 -tx1 /dev/urandom | tr -d ' \n' >"$scratch/.erlang.cookie"
mkdir "$scratch/state"
cat >"$scratch/config" <<END
{"node": {"name": "harness@127.0.0.1", "cookie_file": "$scratch/.erlang.cookie"$tls}, "state_dir": "$scratch/state",
 "epmd": {"start": false}, "http": {"listen": "$http"}, "access": {"chaos": {"allow": ["*"]}}}
END
cp "$tree/tests/mixed.exs" "$tree/tests/checks.exs" "$scratch"
for root in "$@"; do
    [ -e "$root/$scratch" ] || cp -a "$scratch" "$root/$scratch" || exit 2
done

first=$1
chroot "$first" sh -c 'exec $(command -v epmd || echo /usr/lib/erlang/erts-*/bin/epmd) -address 127.0.0.1' \
    >"$scratch/log" 2>&1 &
running=$!

# start READY COMMAND...: what is told of in the log when it is ready.
start() {
    ready=$1
    shift
    chroot "$@" >>"$scratch/log" 2>&1 &
    running="$! $running"
    tries=0
    until grep -q "$ready" "$scratch/log"; do
        tries=$((tries + 1))
        if ! kill -0 "${running%% *}" 2>/dev/null || [ "$tries" -ge 1200 ]; then
            cat "$scratch/log" >&2
            exit 2
        fi
        sleep 0.05
    done
}

start "ready node=" "$first" "$HARNESSD" --config "$scratch/config"
others=
number=1
for root in "$@"; do
    [ "$number" = 1 ] || others="$others n$number@127.0.0.1"
    [ "$number" = 1 ] ||
        start "ready: n$number@" "$root" elixir --name "n$number@127.0.0.1" "$scratch/mixed.exs" serve
    number=$((number + 1))
done
chroot "$first" elixir --name n1@127.0.0.1 "$scratch/mixed.exs" drive "$http" $others && exit 0
tail -n 60 "$scratch/log" >&2
exit 1
