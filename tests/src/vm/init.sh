#!/bin/sh
# The first process of the guest: makes the bench (docs/lab.md), then serves commands until the machine is stopped.
#
# The channel is a virtio serial port. A command is one line, with backslash and newline escaped:
#     NUMBER COMMAND     answered by its output and then: NUL lab NUMBER STATUS newline
# A second port takes numbers of commands to kill.
export PATH=/bin:/busybox HOME=/root TERM=linux
busybox mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1

fail() {
    echo "lab: $*"
    [ -z "$channel" ] || printf 'failed: %s\n' "$*" >&3
    busybox poweroff -f
}

. /etc/lab
busybox mount -t proc proc /proc || fail "no /proc"
# In a folder of their own: its `ip` and `ping` must not replace the real ones.
busybox --install -s /busybox
mount -t sysfs sys /sys && mount -t tmpfs tmp /run && mount -t tmpfs tmp /tmp || fail "no /sys, /run or /tmp"
mkdir -p /run/netns /run/lab /dev/pts /dev/shm /dev/hugepages
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t hugetlbfs huge /dev/hugepages

load() { insmod "/modules/$1.ko" || fail "insmod $1"; }
# Linux's own network drivers last: by then the cards that are not theirs are taken.
while read -r module; do
    case $module in
    vfio_pci)
        load "$module"
        for port in $ports; do
            echo vfio-pci >"/sys/bus/pci/devices/$port/driver_override"
            # Without an IOMMU vfio-pci takes no card; it then has no driver.
            echo "$port" >/sys/bus/pci/drivers/vfio-pci/bind 2>/run/lab/bind || [ "$iommu" = off ] ||
                fail "vfio-pci does not take $port: $(cat /run/lab/bind)"
        done
        ;;
    *) load "$module" ;;
    esac
    # The ports can be opened a moment after their driver has come.
    if [ "$module" = virtio_console ] && [ "$mode" = serve ]; then
        tries=0
        until (: 3<>/dev/vport0p1 4<>/dev/vport0p2) 2>/dev/null; do
            [ $tries -lt 100 ] || fail "no virtio serial ports"
            tries=$((tries + 1))
            sleep 0.1
        done
        channel=/dev/vport0p1
        exec 3<>$channel 4<>/dev/vport0p2
    fi
done </modules/order

# A kernel NIC, its namespace, the last part of its addresses.
namespace() {
    interface=$(ls "/sys/bus/pci/devices/$1/net") || fail "Linux has no driver for $1"
    ip netns add "$2" && ip link set dev "$interface" netns "$2" name eth0 && ip -n "$2" -batch - <<EOF || fail "namespace $2"
link set lo up
address add 203.0.113.$3/24 dev eth0
address add fd5a:47a1:6e17::$3/64 dev eth0 nodad
link set eth0 up
EOF
}
namespace "$kernel_a" a 1
namespace "$kernel_b" b 2

if [ "$mode" = shell ]; then
    echo "This is the guest. Ports: $ports. Namespaces: ip netns exec a ... 'exit' ends it."
    cd /root && setsid -c /bin/bash -i
    poweroff -f
fi

# Kills what the host has lost patience with: the session of the command.
while read -r number; do
    [ -f "/run/lab/$number" ] && kill -s KILL -- "-$(cat "/run/lab/$number")"
done <&4 3<&- 4<&- &

echo ready >&3
while IFS=' ' read -r number command; do
    printf 'echo $$ >/run/lab/%s\n%b\n' "$number" "$command" >/run/lab/command
    # By its path: busybox's setsid would take busybox's own shell.
    setsid /bin/dash /run/lab/command </dev/null >&3 2>&1 3<&- 4<&-
    status=$?
    rm "/run/lab/$number"
    printf '\0lab %s %s\n' "$number" "$status" >&3
done <&3
fail "the channel is closed"
