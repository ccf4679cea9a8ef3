#!/bin/sh
# Builds harnessd and runs its tests.
#
#     sh tests/run.sh                      everything
#     sh tests/run.sh format               one part: format, walls, unit, tsan, coverage, package,
#                                          examples, cluster, soak, days, rotation, fuzz, roots or build
#     sh tests/run.sh cluster FILE[:LINE]  one file of tests/cluster, or the test at that line
#     sh tests/run.sh examples PAGE...     some pages of the documents
#
# Environment:
#     BUILD_ROOT     where the builds go (build)
#     HARNESSD       the daemon that the cluster tests run (BUILD_ROOT/asan/harnessd, built first)
#     FUZZ_SECONDS   the time of all fuzzers together (150)
#     TLS            with 1 the cluster tests are over TLS: all nodes speak it, raw ones too
#     SEED           the order of the cluster tests (random; a failed run prints it)
#     SOAK_SECONDS   how long the soak goes on (120)
#     DAYS           how many go by in the part `days` (1), which is in none of the others,
#     DAYS_SECONDS   and how long they take (120)
#     ROTATION_SECONDS  how long the part `rotation` goes on (60), which is in none of the others either
#
# The last line is `N passed, N failed`: walls, unit tests (once, though they run in both builds), checks of the package,
# pages of examples, cluster tests, fuzzers and checks on fresh Debians; a line before it says how many were skipped, if any were. The status
# is 0 if nothing failed, 1 if something did, 2 if it could not run.

set -u
root=$(cd "$(dirname "$0")/.." && pwd) || exit 2
cd "$root" || exit 2
. tests/packages.sh

BUILD_ROOT=${BUILD_ROOT:-$root/build}
FUZZ_SECONDS=${FUZZ_SECONDS:-150}
daemon=${HARNESSD:-$BUILD_ROOT/asan/harnessd}
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
exec </dev/null

passed=0
failed=0
skipped=0
step_started=0

heading() {
    step_started=$(date +%s)
    printf '\n== %s\n' "$1"
}

step_end() {
    printf '== %s (%d s)\n' "$1" $(($(date +%s) - step_started))
}

finish() {
    [ "$skipped" -eq 0 ] || printf '\n%d skipped: see what the tests above need\n' "$skipped"
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
    exit
}

# A step that counts nothing itself: its failure is one failure.
step_failed() {
    failed=$((failed + 1))
    step_end "FAILED: $1"
}

check_format() {
    heading "format: clang-format"
    files=$(find daemon include docs tests -name '*.[ch]')
    if [ -z "$files" ] || clang-format-19 --dry-run -Werror $files; then
        passed=$((passed + 1))
        step_end "formatted"
    else
        step_failed "run: clang-format-19 -i on the files above"
    fi
}

# run_counting COMMAND...: what counts for itself and leaves `PASSED FAILED [SKIPPED]` in the file RESULT. One that leaves
# nothing has failed.
run_counting() {
    rm -f "$scratch/result"
    RESULT="$scratch/result" "$@"
    good=0 bad=1 left_out=0
    [ ! -f "$scratch/result" ] || read -r good bad left_out <"$scratch/result"
    passed=$((passed + good))
    failed=$((failed + bad))
    skipped=$((skipped + ${left_out:-0}))
    step_end "$good passed, $bad failed${left_out:+, $left_out skipped}"
}

# Layers, headers, sizes, documents; and that each of these rules can fail.
check_walls() {
    heading "walls"
    run_counting elixir tests/walls.exs
    run_counting elixir tests/walls.exs --self-test
}

# build NAME TARGETS CMAKE-OPTIONS...
build() {
    name=$1
    targets=$2
    shift 2
    heading "build: $BUILD_ROOT/$name"
    if cmake -S . -B "$BUILD_ROOT/$name" -DHARNESSD_WERROR=ON "$@" >"$scratch/cmake" 2>&1 &&
        cmake --build "$BUILD_ROOT/$name" --parallel "$(nproc)" --target $targets >"$scratch/make" 2>&1; then
        step_end "built"
    else
        cat "$scratch/cmake"
        [ -f "$scratch/make" ] && grep -v '^\[ *[0-9]*%\] Build' "$scratch/make"
        step_failed "build of $name"
        finish
    fi
}

build_release() {
    build release all -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr
}

build_asan() {
    build asan all -DHARNESSD_SANITIZE=address,undefined
}

# How the sanitizers of every part behave: a finding ends the process with a status that nothing else has.
export ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:exitcode=99:quarantine_size_mb=16"
export TSAN_OPTIONS="exitcode=99"
export UBSAN_OPTIONS="print_stacktrace=1:exitcode=99"

# What has two threads: the log, the worker, and the store, whose disk the worker is.
THREADED_TESTS="base_log_writer_test base_worker_test store_test store_disk_test store_foreign_test"

build_tsan() {
    build tsan "$THREADED_TESTS" -DHARNESSD_SANITIZE=thread
}

# unit_tests NAME count|repeat [TEST...]: a repetition in another build adds its failures only.
unit_tests() {
    heading "unit tests: $1"
    only=$(printf '%s' "$*" | cut -s -d' ' -f3- | tr ' ' '|')
    ctest --test-dir "$BUILD_ROOT/$1" ${only:+--tests-regex "^($only)\$"} --parallel "$(nproc)" --verbose --timeout 300 >"$scratch/ctest" 2>&1
    status=$?
    good=$(sed -n 's/.*\[  PASSED  \] \([0-9]*\) test(s).*/\1/p' "$scratch/ctest" | awk '{n += $1} END {print n + 0}')
    bad=$(sed -n 's/.*\[  FAILED  \] .*: \([0-9]*\) test(s), listed below.*/\1/p' "$scratch/ctest" |
        awk '{n += $1} END {print n + 0}')
    if [ "$status" -ne 0 ] || [ "$good" -eq 0 ]; then
        [ "$bad" -gt 0 ] || bad=1
        # What the failed ones wrote, or all if ctest itself failed.
        broken=$(sed -n 's/.*Test *#\([0-9]*\):.*\*\*\*.*/\1/p' "$scratch/ctest")
        [ -n "$broken" ] || cat "$scratch/ctest"
        for number in $broken; do
            grep "^ *$number: " "$scratch/ctest"
        done
        sed -n '/tests passed/,$p' "$scratch/ctest"
    fi
    [ "$2" = repeat ] || passed=$((passed + good))
    failed=$((failed + bad))
    step_end "$good passed, $bad failed"
}

# A port for an epmd of our own, below the range from which the system takes ports for others.
free_port() {
    erl -noshell -eval '
        Try = fun Try(N) ->
            Port = 20000 + rand:uniform(9999),
            case gen_tcp:listen(Port, []) of
                {ok, _} -> io:format("~b", [Port]), halt(0);
                _ when N > 0 -> Try(N - 1)
            end
        end, Try(100).'
}

# cluster_tests DAEMON [FILE[:LINE]]
cluster_tests() {
    HARNESSD=$1
    shift
    heading "cluster tests: $HARNESSD${1:+, $1}"
    require_promtool "$BUILD_ROOT/tools"
    export HARNESSD PROMTOOL
    ulimit -n "$(ulimit -H -n)" 2>/dev/null
    ERL_EPMD_PORT=$(free_port)
    export ERL_EPMD_PORT
    HARNESSD_TLS=$scratch/tls
    sh tests/certificates.sh "$HARNESSD_TLS" 127.0.0.1 127.0.0.2 ::1 localhost "$(hostname)" "$(hostname -s)" || exit 2
    export HARNESSD_TLS
    if [ "${TLS:-}" = 1 ]; then
        export TLS
        set -- --erl "-proto_dist inet_tls -ssl_dist_optfile $HARNESSD_TLS/optfile" tests/cluster/run.exs "$@"
    else
        set -- tests/cluster/run.exs "$@"
    fi
    run_counting elixir "$@"
}

# What takes a fresh Debian is not part of this: sh tests/package.sh.
package_tests() {
    heading "package"
    run_counting sh tests/package.sh --quick
}

# What the unit tests alone go through.
coverage() {
    heading "coverage of the unit tests"
    run_counting sh tests/coverage.sh
}

# What the documents show, as it is printed there: with the ports that a daemon has unless told otherwise, so in a network
# of its own where one can be made, with which ends what it has started.
examples() {
    heading "examples"
    if [ "$BUILD_ROOT" != "$root/build" ]; then
        skipped=$((skipped + 1))
        step_end "skipped: documents have the daemon in build"
        return
    fi
    require_promtool "$BUILD_ROOT/tools"
    export PROMTOOL
    ERL_EPMD_PORT=$(free_port)
    export ERL_EPMD_PORT
    TMPDIR=$scratch
    export TMPDIR
    alone="unshare --net --pid --fork --kill-child --mount-proc"
    if $alone true 2>/dev/null; then
        run_counting $alone sh -c 'ip link set lo up && exec "$@"' sh elixir tests/examples/run.exs "$@"
    else
        run_counting elixir tests/examples/run.exs "$@"
    fi
    unset TMPDIR
}

# Of the release build: what a sanitizer takes for itself would be taken for growth.
soak() {
    cluster_tests "$BUILD_ROOT/release/harnessd" soak.exs
}

# Likewise.
days() {
    cluster_tests "$BUILD_ROOT/release/harnessd" days.exs
}

# Likewise, and so that all nodes speak TLS.
rotation() {
    TLS=1
    cluster_tests "$BUILD_ROOT/release/harnessd" rotation.exs
}

# What the README promises of fresh Debians. Those are made as root, and not within one of them.
roots() {
    heading "fresh Debians"
    if [ "$(id -u)" != 0 ] || [ -n "${HARNESSD_IN_ROOT:-}" ]; then
        skipped=$((skipped + 1))
        step_end "skipped: it takes root, and not within one of them"
        return
    fi
    run_counting sh tests/roots.sh
}

# fuzz_one NAME SECONDS: what it finds interesting goes to a corpus of its own, the tree's is only read.
fuzz_one() {
    mkdir -p "$scratch/corpus/$1"
    corpus=
    [ -d "tests/fuzz/corpus/$1" ] && corpus="tests/fuzz/corpus/$1"
    "$BUILD_ROOT/fuzz/tests/fuzz_$1" -timeout=10 -rss_limit_mb=2048 -max_total_time="$2" -print_final_stats=1 \
        -verbosity=1 -artifact_prefix="$BUILD_ROOT/fuzz/$1-" "$scratch/corpus/$1" $corpus \
        >"$scratch/fuzz-$1" 2>&1
    echo $? >"$scratch/fuzz-$1.status"
}

fuzz_report() {
    if [ "$(cat "$scratch/fuzz-$1.status" 2>/dev/null)" = 0 ]; then
        passed=$((passed + 1))
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/fuzz-$1")
        echo "$1: no finding in $runs inputs"
    else
        failed=$((failed + 1))
        echo "$1: FAILED"
        tail -n 60 "$scratch/fuzz-$1"
    fi
}

fuzz() {
    names=$(find tests/fuzz -maxdepth 1 -name '*.c' 2>/dev/null | sed 's:.*/::; s:\.c$::' | sort)
    count=$(printf '%s\n' $names | grep -c .)
    if [ "$count" -eq 0 ]; then
        heading "fuzzers: none"
        return
    fi
    build fuzz "$(printf 'fuzz_%s ' $names)" -DCMAKE_C_COMPILER=clang -DHARNESSD_FUZZ=ON -DHARNESSD_SANITIZE=address,undefined
    seconds=$((FUZZ_SECONDS / count))
    [ "$seconds" -gt 0 ] || seconds=1
    heading "fuzzers: $count, $seconds s each, two at a time"
    before=$failed
    # Two queues side by side; a fuzzer that fails does not keep the next one from running.
    number=0
    evens= odds=
    for name in $names; do
        if [ $((number % 2)) -eq 0 ]; then evens="$evens $name"; else odds="$odds $name"; fi
        number=$((number + 1))
    done
    (for name in $evens; do fuzz_one "$name" "$seconds"; done) &
    first=$!
    (for name in $odds; do fuzz_one "$name" "$seconds"; done) &
    wait "$first" "$!"
    for name in $names; do
        fuzz_report "$name"
    done
    step_end "$((count - failed + before)) passed, $((failed - before)) failed"
}

part=${1:-all}
[ $# -eq 0 ] || shift
packages="$BUILD_PACKAGES $TEST_PACKAGES"
case $part in all | format) packages="$packages $FORMAT_PACKAGES" ;; esac
require_packages "$packages"
case $part in
all)
    check_format
    check_walls
    build_release
    unit_tests release repeat
    package_tests
    build_asan
    unit_tests asan count
    build_tsan
    unit_tests tsan repeat $THREADED_TESTS
    coverage
    examples
    cluster_tests "$daemon"
    soak
    fuzz
    roots
    ;;
build)
    build_release
    ;;
format)
    check_format
    ;;
walls)
    check_walls
    ;;
unit)
    build_release
    unit_tests release repeat
    build_asan
    unit_tests asan count
    ;;
tsan)
    build_tsan
    unit_tests tsan count $THREADED_TESTS
    ;;
coverage)
    coverage
    ;;
examples)
    build_release
    examples "$@"
    ;;
package)
    package_tests
    ;;
cluster)
    [ -n "${HARNESSD:-}" ] || build_asan
    cluster_tests "$daemon" "$@"
    ;;
soak)
    build_release
    soak
    ;;
days)
    build_release
    days
    ;;
rotation)
    build_release
    rotation
    ;;
fuzz)
    fuzz
    ;;
roots)
    roots
    ;;
*)
    echo "usage: sh tests/run.sh [format|walls|unit|tsan|coverage|package|examples [PAGE...]|cluster [FILE[:LINE]]|soak|days|rotation|fuzz|roots|build]" >&2
    exit 2
    ;;
esac
finish
