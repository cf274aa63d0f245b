#!/bin/sh
# The guest's part of tools/peers/lab: forwards with each program in turn and measures between the namespaces.
#
#   lab_guest.sh CARD RUNS
#
# Prints one line a program and run. What a program says goes to standard error when it does not forward.
set -eu

card=$1 runs=$2
port_0=0000:01:00.0 port_1=0000:02:00.0
tcp_seconds=10 udp_seconds=5
server=203.0.113.2
log=/tmp/forwarder.log

# Both on core 1, with bursts of 32 and the defaults of their own for everything else.
forwarder() { # $1: program
    case $1 in
    gannet) exec /l2fwd --cores 1 --port "pci:$port_0" --port "pci:$port_1" --json ;;
    dpdk) exec /dpdk-l2fwd -l 1 -n 1 --in-memory --no-telemetry -a "$port_0" -a "$port_1" -- -p 3 -P -q 2 -T 0 --no-mac-updating ;;
    esac
}

fail() {
    echo "$1" >&2
    cat "$log" >&2
    exit 1
}

# The clients keep to core 0: sharing the core of a program that polls would measure the guest's scheduler.
in_a() { ip netns exec a taskset 1 "$@"; }
in_b() { ip netns exec b taskset 1 "$@"; }

wait_for_forwarding() { # $1: program
    tries=30
    until in_a /bin/ping -q -c 1 -W 1 "$server" >/dev/null; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "$1 does not forward on $card: it said"
    done
}

stop() { # $1: process
    kill -TERM "$1" || true
    tries=100
    while kill -0 "$1" 2>/dev/null; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || kill -KILL "$1"
        sleep 0.1
    done
    wait "$1" || true
}

# Microseconds: min/avg/max/mdev of ping's last line.
rtt_us() { in_a /bin/ping -q -c 100 -i 0.02 "$server" | awk -F/ '/^rtt/ { printf "%.0f", $5 * 1000 }'; }

# As the receiver counts them.
tcp_mbps() { in_a timeout 60 iperf3 -c "$server" -t "$tcp_seconds" -f m | awk '/receiver/ { print $7 }'; }

frames_received() { ip netns exec b cat /sys/class/net/eth0/statistics/rx_packets; }

# As namespace b's card counts them: how many of them iperf3 has time to read is another matter.
udp_pps() {
    before=$(frames_received)
    in_a timeout 60 iperf3 -u -b 0 -l 64 -c "$server" -t "$udp_seconds" >/dev/null || fail 'iperf3 over UDP failed'
    echo $((($(frames_received) - before) / udp_seconds))
}

measure() { # $1: program, $2: run
    forwarder "$1" >"$log" 2>&1 &
    process=$!
    wait_for_forwarding "$1"
    rtt=$(rtt_us) tcp=$(tcp_mbps) udp=$(udp_pps)
    echo "card=$card program=$1 run=$2 tcp_mbps=$tcp udp_64b_pps=$udp rtt_us=$rtt"
    stop "$process"
}

in_b iperf3 -s -D
run=1
while [ "$run" -le "$runs" ]; do
    measure dpdk "$run"
    measure gannet "$run"
    run=$((run + 1))
done
