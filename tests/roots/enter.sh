#!/bin/sh
# Runs a command in a root directory: enter.sh ROOT COMMAND..., as the first process of namespaces of its own, which
# roots.sh has made. With it everything that it started ends, and its mounts are gone.
#
# The status is the command's, or 1 if it left something running or a file in /tmp.
set -e
root=$1
shift

mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
# Not chroot, below which no namespace could be made again.
cd "$root"
pivot_root . mnt
cd /
umount -l /mnt
cd "${FOLDER:-/}"
set +e

# What whoever has nothing but a fresh Debian has of an environment, and how its apt gets through.
for name in http_proxy https_proxy no_proxy SEED FUZZ_SECONDS SOAK_SECONDS; do
    eval "value=\${$name-}"
    [ -z "$value" ] || set -- "$name=$value" "$@"
done
env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HARNESSD_IN_ROOT=1 "$@"
status=$?

# A zombie has no program any more.
find_running() {
    running=
    for process in /proc/[0-9]*; do
        [ "$process" = /proc/1 ] || ! [ -e "$process/exe" ] || running="$running $process"
    done
    [ -n "$running" ]
}

# What was told to end may take its time.
tries=100
while find_running && [ $tries -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
done
for process in $running; do
    echo "left running: $(tr '\0' ' ' <"$process/cmdline")"
    status=1
done
# But for what systemd makes there when it is installed.
for file in $(ls -A /tmp | grep -v '^\..*-unix$'); do
    echo "left: /tmp/$file"
    status=1
done
exit $status
