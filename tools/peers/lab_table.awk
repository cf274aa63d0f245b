# Sets DPDK's and Gannet's figures of one card side by side: medians, and all runs behind them.
# Input: the lines of lab_guest.sh, "card=C program=P run=N FIGURE=VALUE ...".

function sort(values, count,    i, j, value) {
    for (i = 2; i <= count; i++) {
        value = values[i]
        for (j = i - 1; j > 0 && values[j] > value; j--) values[j + 1] = values[j]
        values[j + 1] = value
    }
}

function median(program, figure,    values, count, i) {
    count = split(runs[program, figure], values, " ")
    for (i = 1; i <= count; i++) values[i] += 0
    sort(values, count)
    return count % 2 ? values[(count + 1) / 2] : (values[count / 2] + values[count / 2 + 1]) / 2
}

{
    program = ""
    for (i = 1; i <= NF; i++) {
        split($i, pair, "=")
        if (pair[1] == "program") program = pair[2]
        else if (pair[1] ~ /_/) runs[program, pair[1]] = runs[program, pair[1]] " " pair[2]
    }
}

END {
    print "| | DPDK l2fwd | Gannet l2fwd | DPDK runs | Gannet runs |"
    print "|---|---|---|---|---|"
    names["tcp_mbps"] = "TCP, Mbit/s"
    names["udp_64b_pps"] = "UDP of 64 bytes, packets a second received"
    names["rtt_us"] = "ping round trip, us"
    count = split("tcp_mbps udp_64b_pps rtt_us", order, " ")
    for (i = 1; i <= count; i++) {
        figure = order[i]
        printf "| %s | %g | %g |%s |%s |\n", names[figure], median("dpdk", figure), median("gannet", figure),
            runs["dpdk", figure], runs["gannet", figure]
    }
}
