#!/bin/sh
# How often the true quantile is inside of the intervals of reports, by runs that are made up: 10,000 of each kind, or as
# many as are given. It takes some minutes of one processor, and no others.
#
#     sh tests/bench/intervals.sh [RUNS]
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
build=${HARNESSD_BUILD:-$root/build/release}
cmake -S "$root" -B "$build" >/dev/null
cmake --build "$build" --target intervals >/dev/null
exec "$build/tests/intervals" "$@"
