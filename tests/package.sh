#!/bin/sh
# The Debian package: what is in it, and whether it does what it is for.
#
#     sh tests/package.sh --quick    builds it and looks at it, in seconds
#     sh tests/package.sh            also installs it on a fresh Debian 12, boots that, uses the service in all ways that an
#                                    administrator does, and removes it; as root, in some two minutes
#
# The fresh Debian is made by debootstrap once and kept in CACHE (/var/tmp/harnessd-package). What runs in it has namespaces
# of its own and reaches nothing but its own loopback. BUILD_ROOT is where builds go (build).
#
# A line for each check; the last one is `N passed, N failed`. The status is 0 if nothing failed, 1 if something did, 2 if
# it could not run.

set -u
tree=$(cd "$(dirname "$0")/.." && pwd) || exit 2
cd "$tree" || exit 2
. tests/packages.sh
BUILD_ROOT=${BUILD_ROOT:-$tree/build}
CACHE=${CACHE:-/var/tmp/harnessd-package}
exec </dev/null

quick=no
case ${1:-} in
--quick) quick=yes ;;
'') ;;
*)
    echo "usage: sh tests/package.sh [--quick]" >&2
    exit 2
    ;;
esac

require_packages "$BUILD_PACKAGES $SERVICE_PACKAGES"
scratch=$(mktemp -d) || exit 2
root=$scratch/root
cgroup=$scratch/cgroup
booted=
passed=0
failed=0

clean_up() {
    [ -z "$booted" ] || shut_down
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# check NAME COMMAND...: what the command says is shown when it fails.
check() {
    name=$1
    shift
    if "$@" >"$scratch/output" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
        sed 's/^/        /' "$scratch/output"
    fi
}

finish() {
    [ -z "${RESULT:-}" ] || echo "$passed $failed" >"$RESULT"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

# --- The package itself ---

build_package() {
    rm -f "$BUILD_ROOT"/release/*.deb
    cmake -S . -B "$BUILD_ROOT/release" -DCMAKE_BUILD_TYPE=Release -DHARNESSD_WERROR=ON -DCMAKE_INSTALL_PREFIX=/usr &&
        cmake --build "$BUILD_ROOT/release" --parallel "$(nproc)" --target harnessd && (cd "$BUILD_ROOT/release" && cpack)
}

# In the order of their folders.
manual="harnessd-run.1 harnessd-scenario.5 harnessd.json.5 harnessd.8"

has_what_it_should() {
    dpkg-deb --contents "$package" | awk '!/^d/ {print $1, $2, $6}' >"$scratch/contents"
    {
        echo "-rw-r--r-- root/root ./etc/harnessd/harnessd.json"
        for file in config/scenarios/*.json; do
            [ ! -e "$file" ] || echo "-rw-r--r-- root/root ./etc/harnessd/scenarios/${file##*/}"
        done
        echo "-rwxr-xr-x root/root ./usr/bin/harnessd"
        echo "-rw-r--r-- root/root ./usr/lib/systemd/system/harnessd.service"
        for file in NEWS.md README.md SECURITY.md copyright; do
            echo "-rw-r--r-- root/root ./usr/share/doc/harnessd/$file"
        done
        LC_ALL=C ls docs/guide/*.md docs/reference/*.md docs/speed.md | sed 's:^:-rw-r--r-- root/root ./usr/share/doc/harnessd/:'
        echo "-rw-r--r-- root/root ./usr/share/doc/harnessd/examples/demo.exs"
        echo "-rw-r--r-- root/root ./usr/share/doc/harnessd/examples/playground.sh"
        for page in $manual; do
            echo "-rw-r--r-- root/root ./usr/share/man/man${page##*.}/$page.gz"
        done
    } >"$scratch/expected"
    diff "$scratch/expected" "$scratch/contents"
}

says_what_it_needs() {
    dpkg-deb --info "$package"
    for library in libc6 libevent-core-2.1-7 libevent-extra-2.1-7 libevent-openssl-2.1-7 libjansson4 libssl3 libsystemd0; do
        # With times of 64 bits some have other names.
        dpkg-deb --field "$package" Depends | grep -qE "\b$library(t64)?\b" || return 1
    done
    [ "$(dpkg-deb --field "$package" Recommends)" = erlang-base ] &&
        dpkg-deb --control "$package" "$scratch/control" &&
        for script in postinst prerm postrm; do sh -n "$scratch/control/$script" || return 1; done &&
        grep '^-.*/etc/' "$scratch/contents" | sed 's/.* \././; s/^\.//' | diff "$scratch/control/conffiles" -
}

program_runs() {
    version=$(dpkg-deb --field "$package" Version)
    [ "$("$files/usr/bin/harnessd" --version)" = "harnessd $version" ] &&
        "$files/usr/bin/harnessd" --check-config "$files/etc/harnessd/harnessd.json"
}

# No epmd of its own, and what is kept is where the unit lets it write.
configuration_is_for_a_service() {
    grep '"start": false' "$files/etc/harnessd/harnessd.json" &&
        grep '"state_dir": "/var/lib/harnessd"' "$files/etc/harnessd/harnessd.json" &&
        grep '"scenario_dir": "/etc/harnessd/scenarios"' "$files/etc/harnessd/harnessd.json"
}

# The unit as it is, but for where its program is. What verify has to say is no failure to it.
unit_is_right() {
    sed "s:=/usr/bin/harnessd:=$files/usr/bin/harnessd:" "$files/usr/lib/systemd/system/harnessd.service" \
        >"$scratch/harnessd.service"
    said=$(systemd-analyze verify --man=no "$scratch/harnessd.service" 2>&1)
    status=$?
    echo "$said"
    [ $status -eq 0 ] && [ -z "$said" ]
}

# 20 is an exposure of 2.0.
unit_is_hardened() {
    systemd-analyze security --offline=true --threshold=20 "$scratch/harnessd.service"
}

unit_waits_longer_than_runs_may_take() {
    stop=$(sed -n 's/^TimeoutStopSec=//p' "$scratch/harnessd.service")
    shutdown=$(sed -n 's/.*"shutdown_ms": \([0-9]*\).*/\1/p' "$files/etc/harnessd/harnessd.json")
    echo "$stop s, $shutdown ms"
    [ $((stop * 1000)) -gt "$shutdown" ]
}

# names_all PAGE PATTERN FLAGS...: what the program's help has names of, behind two spaces.
names_all() {
    gzip -dc "$files/usr/share/man/$1.gz" | sed 's/\\f[BR]/ /g; s/\\//g' >"$scratch/manual"
    pattern=$2
    shift 2
    "$files/usr/bin/harnessd" "$@" | sed -n "s/^  \($pattern\)\( .*\)*$/\1/p" >"$scratch/names"
    [ -s "$scratch/names" ] || return 1
    while read -r word; do
        grep -e "^ $word " "$scratch/manual" || return 1
    done <"$scratch/names"
}

manual_names_everything() {
    names_all man8/harnessd.8 '--[a-z-]*' --help && names_all man8/harnessd.8 '[A-Z][A-Z_]*' --help-keys &&
        names_all man1/harnessd-run.1 '--[a-z-]*' run --help && names_all man5/harnessd.json.5 '[a-z][a-z_.]*' --help-keys
}

# dead_links PAGES-FOLDER ROOT: what links of its pages lead to that is not there; those with a slash at their beginning lead
# to below ROOT.
dead_links() {
    find "$1" -name '*.md' | while read -r page; do
        grep -oE '\]\([^)# ]+' "$page" | sed 's/^](//' | grep -vE '^[a-z]+:' | sort -u | while read -r link; do
            case $link in
            /*) [ -e "$2$link" ] ;;
            *) [ -e "${page%/*}/$link" ] ;;
            esac || echo "${page#"$1"/}: $link"
        done
    done
}

# That a dead link is found is seen in a page that has one.
links_lead_somewhere() {
    dead_links "$files/usr/share/doc/harnessd" "$files" >"$scratch/dead"
    cat "$scratch/dead"
    mkdir -p "$scratch/alone" && echo '[a page](nowhere.md)' >"$scratch/alone/page.md" &&
        [ "$(dead_links "$scratch/alone" "$files")" = 'page.md: nowhere.md' ] && ! [ -s "$scratch/dead" ]
}

# What pages and scenarios show runs without the tree.
documents_name_what_is_installed() {
    ! grep -rnE --exclude=demo.exs 'build/release/harnessd|tests/demo\.exs|[ `]config/' "$files/usr/share/doc/harnessd" "$files/etc/harnessd" &&
        grep -rhoE '/usr/share/doc/[a-z/]*demo\.exs' "$files/usr/share/doc/harnessd" "$files/etc/harnessd" | sort -u >"$scratch/named" &&
        while read -r file; do [ -f "$files$file" ] || return 1; done <"$scratch/named"
}

# Of another prefix nothing goes anywhere else.
installs_below_a_prefix() {
    cmake -S . -B "$scratch/build" -DCMAKE_BUILD_TYPE=Release &&
        mkdir -p "$scratch/build/packaging" && cp "$BUILD_ROOT/release/harnessd" "$scratch/build/harnessd" &&
        cp "$BUILD_ROOT"/release/packaging/*.gz "$scratch/build/packaging" &&
        cmake --install "$scratch/build" --prefix "$scratch/prefix" &&
        (cd "$scratch/prefix" && find . -type f | sort) >"$scratch/installed" &&
        sed 's/.* //; s:^\./usr/:./:' "$scratch/expected" | sort | diff - "$scratch/installed"
}

# What the table "What is installed" names is in the package or the unit has to do with it, and no file is anywhere else.
documents_say_where_everything_is() {
    sed -n '/^## What is installed/,$s/^| `\([^`]*\)` .*/\1/p' docs/reference/files.md >"$scratch/told"
    [ -s "$scratch/told" ] || return 1
    echo "StateDirectory=/var/lib/$(sed -n 's/^StateDirectory=//p' "$scratch/harnessd.service")" >>"$scratch/harnessd.service"
    while read -r path; do
        [ -e "$files$path" ] || grep -E "[=:]$path\$" "$scratch/harnessd.service" || { echo "no $path" && return 1; }
    done <"$scratch/told"
    sed 's/.* \././' "$scratch/contents" | sed 's/^\.//' | while read -r file; do
        while read -r path; do
            case $file in "$path" | "$path"/*) continue 2 ;; esac
        done <"$scratch/told"
        echo "$file is not told of"
    done >"$scratch/untold"
    cat "$scratch/untold"
    ! [ -s "$scratch/untold" ]
}

check "the package is built" build_package
package=$(echo "$BUILD_ROOT"/release/harnessd_*.deb)
[ -f "$package" ] || finish
files=$scratch/files
dpkg-deb --extract "$package" "$files" || exit 2
check "it has what it should" has_what_it_should
check "it says what it needs" says_what_it_needs
check "its program runs and takes its configuration" program_runs
check "its configuration is for a service" configuration_is_for_a_service
check "its unit is right" unit_is_right
check "its unit is hardened" unit_is_hardened
check "its unit waits longer than runs may take to end" unit_waits_longer_than_runs_may_take
check "its manual names every flag, variable and key" manual_names_everything
check "links of its documents lead somewhere" links_lead_somewhere
check "its documents name what is installed" documents_name_what_is_installed
check "its documents say where everything is" documents_say_where_everything_is
check "cmake installs the same below another prefix" installs_below_a_prefix
[ "$quick" = no ] || finish

# --- On a fresh Debian ---

if [ "$(id -u)" != 0 ]; then
    echo "as root, please: a fresh Debian is to be made and booted" >&2
    exit 2
fi
require_packages "debootstrap iproute2 procps util-linux curl"

make_debian() {
    [ -f "$CACHE/debian.tar" ] || {
        mkdir -p "$CACHE" &&
            debootstrap --variant=minbase --include=systemd,systemd-sysv,curl bookworm "$CACHE/debian" &&
            tar -C "$CACHE/debian" -cf "$CACHE/debian.part" . && mv "$CACHE/debian.part" "$CACHE/debian.tar"
        rm -rf "$CACHE/debian"
    }
    mkdir "$root" && tar -C "$root" -xf "$CACHE/debian.tar"
}

# As apt is used in a folder in which nothing runs.
in_root() {
    mount -t proc proc "$root/proc" || return 1
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
    in_root_status=$?
    umount "$root/proc"
    return $in_root_status
}

installs() {
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    cp "$package" "$root/root/harnessd.deb"
    in_root sh -c 'apt-get update && apt-get --yes install /root/harnessd.deb'
}

is_enabled() {
    in_root systemctl is-enabled harnessd && in_root sh -c 'command -v epmd'
}

prints_its_version() {
    in_root harnessd --version
}

# --- Booted ---

# What a system that is booted is asked to do.
ask() {
    nsenter --target "$booted" --mount --uts --ipc --net --pid --cgroup env -i HOME=/root \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# until_true SECONDS COMMAND...
until_true() {
    tries=$(($1 * 10))
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}

first_process() {
    booted=$(ps --ppid "$starter" -o pid=,comm= | awk '$2 == "systemd" {print $1}')
    [ -n "$booted" ]
}

is_up() {
    ask systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'
}

boot() {
    mkdir -p "$cgroup"
    unshare --mount sh tests/package/boot.sh "$root" "$cgroup" >"$scratch/boot" 2>&1 &
    starter=$!
    if ! { until_true 20 first_process && until_true 60 is_up; }; then
        cat "$scratch/boot"
        return 1
    fi
}

# With its first process all others end; then its control groups are empty.
shut_down() {
    kill -KILL "$booted" 2>/dev/null
    wait "$starter" 2>/dev/null
    booted=
    unshare --mount sh -c 'mount -t cgroup2 cgroup2 "$1" &&
        find "$1/harnessd-package" -depth -type d -exec rmdir {} +' sh "$cgroup" 2>/dev/null
}

property() {
    ask systemctl show --value --property "$1" harnessd
}

# is PROPERTY VALUE
is() {
    value=$(property "$1")
    echo "$1=$value"
    [ "$value" = "$2" ]
}

story() {
    ask journalctl --unit harnessd --no-pager --output cat
}

is_ready() {
    ask curl --silent --fail http://127.0.0.1:9464/readyz
}

does_not_start_without_a_cookie() {
    is ActiveState inactive && is ConditionResult no && is UnitFileState enabled
}

# The cookie goes where the man page says, and nowhere else.
starts_with_a_cookie() {
    ask sh -c 'umask 077 && od -An -N20 -tx1 /dev/urandom | tr -d " \n" >/etc/harnessd/cookie &&
        cp /etc/harnessd/cookie /root/.erlang.cookie' &&
        sed -i 's/"harness@localhost"/"harness@127.0.0.1"/' "$root/etc/harnessd/harnessd.json" &&
        ask systemctl start harnessd && is ActiveState active && is_ready &&
        story | grep 'info ready node=harness@127.0.0.1' && ! story | grep -f "$root/etc/harnessd/cookie"
}

status_says_what_it_is_at() {
    until_true 10 status_has_text
}

status_has_text() {
    property StatusText | grep 'harness@127.0.0.1: 0 runs, 0 nodes connected'
}

# evaluate EXPRESSION: in a node of the cluster, with H for the daemon's; prints what comes of it.
evaluate() {
    ask erl -noshell -name shell@127.0.0.1 -eval "
        H = 'harness@127.0.0.1', pong = net_adm:ping(H), io:format(\"~0p~n\", [begin $1 end]), halt(0)."
}

can_be_called() {
    evaluate 'spawn(fun() -> register(echo, self()), receive {_, {Pid, Tag}, X} -> Pid ! {Tag, X} end end),
        {ok, #{metrics := #{total_operations := N}, errors := E}} =
            erpc:call(H, harness, run, [#{target => echo, threads => [[hello]]}]), {N, E}' | grep '{1,#{}}'
}

# In the folder that systemd has made for it, which outlives the service.
keeps_runs() {
    id=$(evaluate 'spawn(fun() -> register(echo, self()), receive {_, {Pid, Tag}, X} -> Pid ! {Tag, X} end end),
        {ok, Id} = erpc:call(H, harness, start, [#{target => {echo, node()}, threads => [[hello]]}]),
        {ok, _} = erpc:call(H, harness, await, [Id]), Id' | tail -n 1)
    ask systemctl restart harnessd && ask curl --silent --fail "http://127.0.0.1:9464/runs/$id" | tee "$scratch/run" &&
        grep '"total_operations":1' "$scratch/run" && ask ls "/var/lib/private/harnessd/runs/$id.term"
}

runs_with_no_rights() {
    pid=$(property MainPID)
    ask sh -c "grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/$pid/status" | tee "$scratch/rights"
    ! grep -E 'Uid:.\b0\b' "$scratch/rights" && grep -E 'CapEff:.0+$' "$scratch/rights" &&
        grep -E 'CapBnd:.0+$' "$scratch/rights" && grep -E 'NoNewPrivs:.1' "$scratch/rights" &&
        grep -E 'Seccomp:.2' "$scratch/rights"
}

reloads() {
    sed -i 's/"runs": 64/"runs": 7/' "$root/etc/harnessd/harnessd.json" && ask systemctl reload harnessd &&
        story | grep 'configuration changed key=limits.runs from=64 to=7' && is ActiveState active &&
        evaluate '#{limits := #{runs := R}} = erpc:call(H, harness, info, []), R' | grep '^7$'
}

starts_again_when_killed() {
    before=$(property MainPID)
    ask systemctl kill --signal KILL harnessd && until_true 20 is_ready && is NRestarts 1 && is ActiveState active &&
        [ "$(property MainPID)" != "$before" ]
}

# The unit gives it 30 s; here there is less time.
starts_again_when_it_hangs() {
    ask mkdir -p /run/systemd/system/harnessd.service.d &&
        ask sh -c 'printf "[Service]\nWatchdogSec=2\nTimeoutAbortSec=2\n" >/run/systemd/system/harnessd.service.d/test.conf' &&
        ask systemctl daemon-reload && ask systemctl restart harnessd && sleep 5 && is NRestarts 0 &&
        ask systemctl kill --signal STOP harnessd && until_true 30 has_restarted && until_true 20 is_ready &&
        ask journalctl --no-pager | grep -i 'harnessd.service: Watchdog timeout' &&
        ask rm -r /run/systemd/system/harnessd.service.d && ask systemctl daemon-reload
}

has_restarted() {
    is NRestarts 1
}

# The epmd that it uses is the host's and stays.
stops() {
    ask systemctl stop harnessd && is ActiveState inactive && is Result success && ask systemctl is-active epmd &&
        ask epmd -names && ! ask epmd -names | grep harness
}

is_not_tried_again_with_a_bad_configuration() {
    cp "$root/etc/harnessd/harnessd.json" "$scratch/good.json"
    sed -i 's/"runs": 7/"runs": 0/' "$root/etc/harnessd/harnessd.json"
    ask systemctl start harnessd
    sleep 3
    is ActiveState failed && is ExecMainStatus 2 && is NRestarts 0 &&
        story | grep 'limits.runs: 0 is not in 1 to 10000' && cp "$scratch/good.json" "$root/etc/harnessd/harnessd.json" &&
        ask systemctl reset-failed harnessd && ask systemctl start harnessd && is_ready
}

# What the administrator has changed stays, and the new program runs.
can_be_installed_again() {
    before=$(property MainPID)
    ask dpkg --install --force-confold /root/harnessd.deb && grep '"runs": 7' "$root/etc/harnessd/harnessd.json" &&
        until_true 20 is_ready && [ "$(property MainPID)" != "$before" ]
}

is_removed() {
    ask apt-get --yes remove harnessd && [ -f "$root/etc/harnessd/harnessd.json" ] &&
        [ -f "$root/etc/harnessd/cookie" ] && ! [ -e "$root/usr/bin/harnessd" ] && ! ask epmd -names | grep harness
}

# Nothing with its name is left, but for what dpkg and apt have noted, and what the journal says.
is_purged() {
    ask apt-get --yes purge harnessd && rm "$root/root/harnessd.deb" &&
        ! find "$root" -xdev -name '*harnessd*' -not -path '*/var/cache/*' -not -path '*/var/log/*' | grep . &&
        ! ask dpkg --get-selections harnessd | grep .
}

check "a fresh Debian 12 is there" make_debian
check "it installs with what it needs" installs
check "its service is enabled, and there is an epmd" is_enabled
check "it prints its version" prints_its_version
check "that Debian boots" boot
[ -n "$booted" ] || finish
check "the service does not start without a cookie" does_not_start_without_a_cookie
check "it starts with a cookie" starts_with_a_cookie
check "its status says what it is at" status_says_what_it_is_at
check "it can be called from a node" can_be_called
check "it keeps runs" keeps_runs
check "it runs with no rights" runs_with_no_rights
check "it reloads" reloads
check "it starts again when it was killed" starts_again_when_killed
check "it starts again when it hangs" starts_again_when_it_hangs
check "it stops, and epmd does not" stops
check "it is not tried again with a bad configuration" is_not_tried_again_with_a_bad_configuration
check "it can be installed again" can_be_installed_again
check "it is removed, and its configuration is not" is_removed
check "it is purged" is_purged
finish
