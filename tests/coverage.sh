#!/bin/sh
# What the unit tests alone go through: lines and branches of each folder of daemon/, by gcov, and of the machine that
# leads a run through its states.
#
#     sh tests/coverage.sh
#
# BUILD_ROOT is where the build goes (build). A line for each folder; those that have a floor pass or fail by it. The last
# line is `N passed, N failed`, and both numbers go to the file RESULT. The status is 0 if nothing failed, 1 if something
# did, 2 if it could not run.

set -u
tree=$(cd "$(dirname "$0")/.." && pwd) || exit 2
cd "$tree" || exit 2
. tests/packages.sh
BUILD_ROOT=${BUILD_ROOT:-$tree/build}
exec </dev/null

# Of the lines, in percent.
FLOORS="load=85 faults=85 registry=88 machine=85"

# Which has a part of its own in a folder.
machine_folder=run
machine_files="machine|opening|hooks|observing|loading|ending|resolving"

require_packages "$BUILD_PACKAGES $TEST_PACKAGES"
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

find "$BUILD_ROOT/coverage" -name '*.gcda' -delete 2>/dev/null
if ! { cmake -S . -B "$BUILD_ROOT/coverage" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=--coverage &&
    cmake --build "$BUILD_ROOT/coverage" --parallel "$(nproc)"; } >"$scratch/build" 2>&1; then
    tail -n 40 "$scratch/build" >&2
    exit 2
fi
if ! ctest --test-dir "$BUILD_ROOT/coverage" --parallel "$(nproc)" --timeout 300 >"$scratch/ctest" 2>&1; then
    tail -n 40 "$scratch/ctest" >&2
    exit 2
fi

# lines FOLDER FILES: "covered lines covered branches" of its files whose names match, those that no test has gone through
# as well.
lines() {
    find "$BUILD_ROOT/coverage/CMakeFiles/$1.dir" -name '*.gcno' |
        xargs gcov --json-format --stdout --branch-probabilities 2>/dev/null |
        jq -r --arg files "/daemon/$1/($2)\\.[ch]$" '
            .files[] | select(.file | test($files)) | .lines[] |
            [(.count > 0), ([.branches[]? | select(.count > 0)] | length), (.branches | length)] | @tsv' |
        awk '{lines++; covered += $1 == "true"; taken += $2; branches += $3}
            END {print covered + 0, lines + 0, taken + 0, branches + 0}'
}

floor_of() {
    for floor in $FLOORS; do
        [ "${floor%=*}" != "$1" ] || echo "${floor#*=}"
    done
}

passed=0
failed=0
printf '%-10s %18s %18s\n' part lines branches
for folder in daemon/*/ machine; do
    folder=${folder#daemon/}
    folder=${folder%/}
    case $folder in
    machine) set -- $(lines "$machine_folder" "$machine_files") ;;
    *) set -- $(lines "$folder" '.*') ;;
    esac
    floor=$(floor_of "$folder")
    verdict=
    if [ -n "$floor" ] && [ $(($1 * 100)) -ge $((floor * $2)) ] && [ "$2" -gt 0 ]; then
        passed=$((passed + 1))
        verdict="ok, at least $floor %"
    elif [ -n "$floor" ]; then
        failed=$((failed + 1))
        verdict="FAILED, less than $floor %"
    fi
    echo "$folder $1 $2 $3 $4 $verdict" | awk '{
        rest = ""
        for (i = 6; i <= NF; i++) rest = rest " " $i
        printf "%-10s %6d of %6d %3d%% %6d of %6d %3d%% %s\n", $1, $2, $3, $3 ? 100 * $2 / $3 : 0, $4, $5,
            $5 ? 100 * $4 / $5 : 0, rest
    }'
done
[ -z "${RESULT:-}" ] || echo "$passed $failed" >"$RESULT"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
