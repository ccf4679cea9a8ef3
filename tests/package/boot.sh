#!/bin/sh
# Boots the systemd of a root directory in namespaces of its own: boot.sh ROOT CGROUP. What is started here has its own
# processes, mounts, loopback and branch of the control groups, and ends with its first process.
#
# CGROUP is where the control groups are mounted for this, a folder that is ours; the branch is named harnessd-package.
set -e
root=$1
cgroup=$2

if [ -z "${INSIDE:-}" ]; then
    mount -t cgroup2 cgroup2 "$cgroup"
    mkdir -p "$cgroup/harnessd-package"
    echo $$ >"$cgroup/harnessd-package/cgroup.procs"
    INSIDE=yes exec unshare --cgroup --pid --fork --kill-child --mount --net --uts --ipc sh "$0" "$root" "$cgroup"
fi

mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/zero" c 1 5
mknod -m 666 "$root/dev/full" c 1 7
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9
mknod -m 666 "$root/dev/tty" c 5 0
ln -s pts/ptmx "$root/dev/ptmx"
mkdir "$root/dev/pts" "$root/dev/shm"
ip link set lo up
cd "$root"
pivot_root . mnt
umount -l /mnt
# As systemd has it when it boots a machine; credentials are mounted for a service from outside of it.
mount --make-rshared /
exec env -i container=harnessd PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system
