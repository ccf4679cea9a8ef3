#!/bin/sh
# How often the causes of slow operations are told rightly (tests/cluster/explain.exs): each cause is brought about in 20
# runs, and 500 runs have none. The machine has to be idle otherwise: what it does beside is a cause as well.
set -eu

bench=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$bench/../.." && pwd)

usage() {
    cat <<TEXT
usage: sh tests/bench/explain.sh [--rounds N] [--runs N] [--only TEXT]
  --rounds N    runs for each cause (20)
  --runs N      runs without any (500)
  --only TEXT   only causes with this in their name; "unaffected" are the runs without any
The daemon is \$HARNESSD, or built in build/release.
Exit code: 0 they were right often enough, 1 they were not, 2 bad options.
TEXT
}

EXPLAIN_ROUNDS=20 EXPLAIN_RUNS=500 EXPLAIN_ONLY=
while [ $# -gt 0 ]; do
    case $1 in
    --rounds | --runs | --only)
        [ -n "${2:-}" ] || { usage >&2; exit 2; }
        case $1 in
        --rounds) EXPLAIN_ROUNDS=$2 ;;
        --runs) EXPLAIN_RUNS=$2 ;;
        --only) EXPLAIN_ONLY=$2 ;;
        esac
        shift 2
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

export EXPLAIN_ROUNDS EXPLAIN_RUNS EXPLAIN_ONLY
if [ -z "${HARNESSD:-}" ]; then
    cmake -S "$root" -B "$root/build/release" -DCMAKE_BUILD_TYPE=Release >/dev/null
    cmake --build "$root/build/release" --parallel "$(nproc)" --target harnessd >/dev/null
    HARNESSD=$root/build/release/harnessd
fi
export HARNESSD
exec sh "$root/tests/run.sh" cluster explain.exs
