#!/bin/sh
# The noisy neighbours of tests/cluster/support/neighbours.ex, with times: a run at 2,000/s with a suspended process,
# beside each of them and beside a control that uses as much of the processor and sends nothing, in turn. Neighbours are
# in a control group of the lowest weight. The machine has to be idle otherwise.
set -eu

bench=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$bench/../.." && pwd)
page=$root/docs/internals/neighbours.md

usage() {
    cat <<TEXT
usage: sh tests/bench/noisy.sh [--only TEXT] [--rounds N] [--write]
  --only TEXT   only neighbours with this in their name
  --rounds N    rounds of each kind for each neighbour (5)
  --write       put the table into $page
The daemon is \$HARNESSD, or built in build/release. All neighbours take some half an hour, as root; what takes root is
left out without it.
Exit code: 0 the run was never touched, 1 it was or something failed, 2 bad options.
TEXT
}

write=no
while [ $# -gt 0 ]; do
    case $1 in
    --only | --rounds)
        [ -n "${2:-}" ] || { usage >&2; exit 2; }
        [ "$1" = --only ] && NOISY_ONLY=$2 || NOISY_ROUNDS=$2
        shift 2
        ;;
    --write)
        write=yes
        shift
        ;;
    --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
done
[ "$write" = no ] || [ -z "${NOISY_ONLY:-}" ] || { echo "noisy: --write takes all neighbours" >&2; exit 2; }

NOISY_TABLE=$(mktemp)
trap 'rm -f "$NOISY_TABLE"' EXIT
export NOISY_TABLE NOISY_ONLY="${NOISY_ONLY:-}" NOISY_ROUNDS="${NOISY_ROUNDS:-5}"

if [ -z "${HARNESSD:-}" ]; then
    sh "$root/tests/run.sh" build
    export HARNESSD="$root/build/release/harnessd"
fi
. "$bench/lib/figures.sh"
print_machine
status=0
sh "$root/tests/run.sh" cluster noisy.exs || status=$?

if [ "$write" = yes ] && [ -s "$NOISY_TABLE" ]; then
    awk -v table="$NOISY_TABLE" -v machine="$(print_machine), medians of $NOISY_ROUNDS rounds" '
        /^<!-- table -->$/ { print; print ""; print machine; print ""; while ((getline line < table) > 0) print line; print ""; skip = 1 }
        /^<!-- end -->$/ { skip = 0 }
        !skip { if ($0 != "<!-- table -->") print }
    ' "$page" >"$NOISY_TABLE.page"
    cat "$NOISY_TABLE.page" >"$page"
    rm -f "$NOISY_TABLE.page"
fi
exit $status
