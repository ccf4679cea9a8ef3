#!/bin/sh
# Measures harnessd and judges the figures. Everything runs on the loopback interface and is gone at the end; the parts
# are in parts/, each with what it measures and why.
set -eu

PARTS='calls casts threads fairness rate pause memory cost'
# On which core a process wakes up, and what that costs, changes from one measurement to the next, above all with one
# call in flight on a virtual machine. Many short measurements in turn tell more than few long ones.
PASSES_PER_ROUND=3

usage() {
    cat <<TEXT
usage: sh tests/bench/run.sh [--only PART]... [--rounds N] [--seconds S] [--short] [--without-harnessd]
  --only PART           only this part, and others so named, of: $PARTS
  --rounds N            rounds over all clients, of three passes of calls and one of casts; medians are of all passes (5)
  --seconds S           length of one measurement of calls per second, in whole seconds (2)
  --short               fewer rounds, and less time for rate and cost: to try it, not to quote it
  --without-harnessd    only calls and casts of the raw client and the BEAM client, to know a machine
The daemon is built in build/release, or in \$HARNESSD_BUILD. All parts take some ten minutes.
Exit code: 0 all targets met, 1 some missed or something failed, 2 bad options.
TEXT
}

bad_option() {
    echo "bench: $*" >&2
    exit 2
}

whole_number() {
    case $2 in
    '' | 0* | *[!0-9]*) bad_option "$1 wants a positive whole number" ;;
    esac
}

known_part() {
    case " $PARTS " in
    *" $1 "*) ;;
    *) bad_option "--only wants one of: $PARTS" ;;
    esac
}

only=''
rounds=''
seconds=2
short=no
with_harnessd=yes
while [ $# -gt 0 ]; do
    case $1 in
    --rounds | --seconds)
        whole_number "$1" "${2:-}"
        [ "$1" = --rounds ] && rounds=$2 || seconds=$2
        shift 2
        ;;
    --only)
        known_part "${2:-}"
        only="$only $2"
        shift 2
        ;;
    --short)
        short=yes
        shift
        ;;
    --without-harnessd)
        with_harnessd=no
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

# scaled LONG SHORT: which of them it is.
scaled() {
    if [ $short = yes ]; then echo "$2"; else echo "$1"; fi
}

[ -n "$rounds" ] || rounds=$(scaled 5 2)
[ $with_harnessd = yes ] || PARTS='calls casts'
bench=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$bench/../.." && pwd)
build=${HARNESSD_BUILD:-$root/build/release}
. "$bench/lib/processes.sh"
. "$bench/lib/figures.sh"

build_all
start_epmd
print_machine
for part in ${only:-$PARTS}; do
    . "$bench/parts/$part.sh"
    echo "bench: $part" >&2
    "measure_$part"
done
print_verdicts
[ $missed -eq 0 ]
