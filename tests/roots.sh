#!/bin/sh
# What the README promises of a fresh Debian, on fresh Debians: as root, with nothing installed but git, and what the
# scripts install themselves.
#
#     sh tests/roots.sh           12 and 13: the quickstart, the demo and the package; 13: the unit tests, and nodes of its
#                                 OTP; sid: a build with its compiler, nodes of its OTP, plain and over TLS; then one cluster of
#                                 nodes of all three, likewise; so in tests/run.sh, too
#     sh tests/roots.sh --full    12 and 13: the quickstart, the demo, and tests/run.sh with all its parts; before a release
#
# Each starts as debootstrap makes it (minbase and git) and has a clone of what is committed here. It has processes, mounts
# and a terminal of its own, and the network of this machine, from which apt is configured to get packages as it is here.
#
# Environment:
#     CACHE    what is kept: roots, for a week, and packages (/var/tmp/harnessd-roots)
#     SUITES   those to do of "bookworm trixie sid"
#     FUZZ_SECONDS, SEED, SOAK_SECONDS    as tests/run.sh has them
#
# A line for each check, with its seconds; the last one is `N passed, N failed`. A line before it says how many were
# skipped: those of a Debian that could not be had because its packages could not be downloaded, or all of them if no
# namespaces can be made here. The status is 0 if nothing failed, 1 if something did, 2 if it could not run.

set -u
tree=$(cd "$(dirname "$0")/.." && pwd) || exit 2
cd "$tree" || exit 2
. tests/packages.sh
CACHE=${CACHE:-/var/tmp/harnessd-roots}
SUITES=${SUITES:-bookworm trixie sid}
exec </dev/null

full=no
case ${1:-} in
--full) full=yes ;;
'') ;;
*)
    echo "usage: sh tests/roots.sh [--full]" >&2
    exit 2
    ;;
esac
if [ "$(id -u)" != 0 ]; then
    echo "as root, please: fresh Debians are to be made" >&2
    exit 2
fi
require_packages "debootstrap git openssl procps util-linux"

umask 022
mkdir -p "$CACHE/packages" || exit 2
scratch=$(mktemp -d "$CACHE/run.XXXXXX") || exit 2
entered=
passed=0
failed=0
skipped=0

# What runs inside ends with its first process, and is waited for, so that nothing is written to what is removed.
clean_up() {
    if [ -n "$entered" ]; then
        kill -KILL $(ps --ppid "$entered" -o pid=) 2>/dev/null || kill -KILL "$entered" 2>/dev/null
        wait "$entered"
    fi
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# What another one left that could not clean up is not locked.
exec 9>"$scratch/lock"
flock 9
for other in "$CACHE"/run.*; do
    [ "$other" = "$scratch" ] || ! [ -e "$other/lock" ] || flock --nonblock "$other/lock" rm -rf "$other"
done

finish() {
    [ -z "${RESULT:-}" ] || echo "$passed $failed $skipped" >"$RESULT"
    [ "$skipped" -eq 0 ] || echo "$skipped skipped: see above"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

if ! unshare --mount --pid --ipc --uts --fork true; then
    echo "no namespaces can be made here"
    skipped=1
    finish
fi

# For the roots to clone; whoever owns the tree.
printf '[safe]\n\tdirectory = *\n' >"$scratch/gitconfig"
GIT_CONFIG_GLOBAL="$scratch/gitconfig" git clone --quiet --bare --no-hardlinks . "$scratch/harnessd.git" || exit 2

# Status of a step that could not get what the mirror has to give.
NOT_TO_BE_HAD=75

# --- Roots ---

# The mirror of this machine's Debian, if it says so; nothing is debootstrap's own.
mirror() {
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian //p' | head -n 1
}

# make_base SUITE: the root that all others are copies of. Old ones have packages that are superseded.
make_base() {
    [ -z "$(find "$CACHE/$1" -maxdepth 0 -mtime -7 2>/dev/null)" ] || return 0
    mkdir -p "$CACHE/packages/$1" || return 1
    if ! debootstrap --variant=minbase --include=git --cache-dir="$CACHE/packages/$1" "$1" "$scratch/base" $(mirror); then
        # What it could not unpack or configure is no fault of the mirror.
        grep -qE "^E: (Failed getting|Couldn't download)" "$scratch/output" && return $NOT_TO_BE_HAD
        tail -n 50 "$scratch/base/debootstrap/debootstrap.log"
        return 1
    fi
    touch "$scratch/base"
    rm -f "$scratch"/base/var/cache/apt/archives/*.deb
    rm -rf "$CACHE/$1"
    mv "$scratch/base" "$CACHE/$1"
}

# configure ROOT: apt gets through as it does here, names are known as they are here; what is installed need not
# survive a loss of power.
configure() {
    cp /etc/resolv.conf /etc/hosts "$1/etc"
    apt-config dump | grep -E '^Acquire::(https?|Check-Date|Check-Valid-Until|ForceIPv|Retries)' |
        grep -v Auto-Detect >"$1/etc/apt/apt.conf.d/99host"
    if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
        cp /etc/ssl/certs/ca-certificates.crt "$1/etc/apt/host.crt"
        echo 'Acquire::https::CAInfo "/etc/apt/host.crt";' >>"$1/etc/apt/apt.conf.d/99host"
    fi
    echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/99host"
}

# copy_base SUITE NAME: a fresh root in $scratch/NAME with a clone of the tree.
copy_base() {
    cp -a --reflink=auto "$CACHE/$1" "$scratch/$2" && configure "$scratch/$2" &&
        cp -a "$scratch/harnessd.git" "$scratch/$2/srv" &&
        cp -al "$CACHE/packages/$1/." "$scratch/$2/var/cache/apt/archives" &&
        enter "$scratch/$2" git clone --quiet /srv/harnessd.git /root/harnessd
}

# enter ROOT COMMAND...: INT is not ignored there, as it is by what runs in the background. What we are killed with
# kills it, too.
enter() {
    entered_root=$1
    shift
    setpriv --pdeathsig KILL env --default-signal=INT,QUIT unshare --mount --pid --ipc --uts --fork --kill-child \
        sh tests/roots/enter.sh "$entered_root" "$@" 8>&- 9>&- &
    entered=$!
    wait "$entered"
    entered_status=$?
    entered=
    return $entered_status
}

# get_packages SUITE: what the scripts will install is downloaded here, to tell that it is not to be had from everything
# else. In a root that is then thrown away, the lists of packages with it: the scripts have to get them.
get_packages() {
    exec 8>"$CACHE/lock"
    flock 8
    make_base "$1" && copy_base "$1" packages && download_packages && keep_packages "$1"
    got=$?
    exec 8>&-
    rm -rf "$scratch/packages" "$scratch/base"
    return $got
}

download_packages() {
    FOLDER=/root/harnessd enter "$scratch/packages" sh -c '
        . tests/packages.sh && packages="$BUILD_PACKAGES $TEST_PACKAGES $SERVICE_PACKAGES" || exit 1
        [ '$full' = no ] || packages="$packages $FORMAT_PACKAGES"
        apt-get update --option APT::Update::Error-Mode=any || exit '$NOT_TO_BE_HAD'
        # Names that are wrong are for the scripts to fail with.
        apt-get install --print-uris --no-install-recommends $packages >/dev/null || exit 0
        apt-get install --yes --download-only --no-install-recommends $packages || exit '$NOT_TO_BE_HAD'
        apt-get autoclean'
}

keep_packages() {
    rm -rf "$CACHE/packages/$1"
    mkdir "$CACHE/packages/$1" && cp -al "$scratch"/packages/var/cache/apt/archives/*.deb "$CACHE/packages/$1"
}

# --- What is checked ---

# check NAME COMMAND...: what the command says is shown when it fails, or else its last line.
check() {
    name=$1
    shift
    started=$(date +%s)
    "$@" >"$scratch/output" 2>&1
    status=$?
    seconds=$(($(date +%s) - started))
    if [ $status -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok      $name ($seconds s): $(tail -n 1 "$scratch/output")"
    elif [ $status -eq $NOT_TO_BE_HAD ] && [ "$1" = get_packages ]; then
        tail -n 3 "$scratch/output" | sed 's/^/        /'
    else
        failed=$((failed + 1))
        echo "FAILED  $name ($seconds s)"
        sed 's/^/        /' "$scratch/output"
    fi
    return $status
}

# here COMMAND...: in the clone in the root at hand.
here() {
    FOLDER=/root/harnessd enter "$scratch/root" "$@"
}

# With all parts nothing may be left out, but for this here.
here_with_all_parts() {
    here "$@" && grep -q '^1 skipped' "$scratch/output"
}

# take SUITE DEBIAN CHECKS: whether there are fresh roots to be had; if not, that many checks are skipped.
take() {
    suite=$1
    debian="Debian $2"
    case " $SUITES " in *" $suite "*) ;; *) return 1 ;; esac
    check "$debian: a fresh one, and the packages to install" get_packages "$suite"
    taken=$?
    if [ $taken -eq $NOT_TO_BE_HAD ]; then
        skipped=$((skipped + $3 + 1))
        echo "skipped $debian: it could not be downloaded"
    fi
    [ $taken -eq 0 ]
}

fresh() {
    rm -rf "$scratch/root"
    copy_base "$suite" root >"$scratch/output" 2>&1 && return
    cat "$scratch/output" >&2
    exit 2
}

# keep: the root at hand is done with, but for nodes out of it beside those of others.
keep() {
    mv "$scratch/root" "$scratch/$suite" && kept="$kept $scratch/$suite"
}

# mixed TLS: the daemon is that of the oldest Debian, out of its root, as what it needs may be elsewhere of another version.
mixed() {
    HARNESSD=/root/harnessd/build/release/harnessd TLS=$1 sh tests/mixed.sh $kept
}

kept=
# What the README tells people to do first is done first. How many checks there are with all parts, and without.
for release in "bookworm 12 3 3" "trixie 13 5 6"; do
    set -- $release
    if [ $full = yes ]; then checks=$3; else checks=$4; fi
    take "$1" "$2" "$checks" || continue
    fresh
    check "$debian: the README's quickstart" here bash tests/roots/quickstart.sh
    [ $full = no ] || fresh
    check "$debian: sh tests/demo.sh" here sh tests/demo.sh
    if [ $full = yes ]; then
        fresh
        check "$debian: sh tests/run.sh" here_with_all_parts sh tests/run.sh
    else
        [ $suite = bookworm ] || check "$debian: sh tests/run.sh unit" here sh tests/run.sh unit
        check "$debian: sh tests/run.sh package" here sh tests/run.sh package
    fi
    [ $suite = bookworm ] || check "$debian: sh tests/interop.sh with its OTP" here sh tests/interop.sh /
    [ $suite = bookworm ] || check "$debian: the same over TLS" here env TLS=1 sh tests/interop.sh /
    keep
done
if take sid sid 3; then
    fresh
    check "$debian: sh tests/run.sh build" here sh tests/run.sh build
    check "$debian: sh tests/interop.sh with its OTP" here sh tests/interop.sh /
    check "$debian: the same over TLS" here env TLS=1 sh tests/interop.sh /
    keep
fi
# Of one release alone there is nothing to mix.
set -- $kept
if [ $# -gt 1 ]; then
    check "one cluster of nodes of $# Debians: sh tests/mixed.sh" mixed 0
    check "the same over TLS" mixed 1
else
    skipped=$((skipped + 2))
    echo "skipped one cluster of nodes of several Debians: there are not several"
fi
finish
