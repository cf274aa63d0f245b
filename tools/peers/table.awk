# Sets `bench=... cycles_per_object=...` lines side by side: DPDK's (peer=dpdk) and Gannet's
# (no peer, or peer=gannet). Lines of other peers and all other text are passed over.
#
# A case is bench, case, cores, bulk and cache. DPDK's pool lines name their cache size; a
# Gannet line that names none stands beside each of them.

function add(figures, key, value) {
    if (key in figures)
        value = figures[key] " " value
    figures[key] = value
}

# The middle one of the numbers in a list; of two in the middle, their mean.
function median(list,    values, count, i, j, swap) {
    count = split(list, values, " ")
    for (i = 1; i <= count; i++)
        for (j = i + 1; j <= count; j++)
            if (values[j] + 0 < values[i] + 0) {
                swap = values[i]; values[i] = values[j]; values[j] = swap
            }
    return (values[int((count + 1) / 2)] + values[int(count / 2) + 1]) / 2
}

function row(key, dpdk_list, gannet_list,    runs) {
    runs = dpdk_list
    gsub(" ", " / ", runs)
    printf "%-50s %8s  %-16s %8s  %s\n", label[key],
        dpdk_list == "" ? "-" : sprintf("%.2f", median(dpdk_list)), runs,
        gannet_list == "" ? "-" : sprintf("%.2f", median(gannet_list)),
        gannet_list == "" ? "no Gannet figure" : \
        dpdk_list == "" ? "no DPDK figure" : \
        sprintf("%.2f", median(gannet_list) / median(dpdk_list))
}

/^bench=/ {
    split("", field)
    for (i = 1; i <= NF; i++) {
        at = index($i, "=")
        field[substr($i, 1, at - 1)] = substr($i, at + 1)
    }
    if (!("cycles_per_object" in field) || !("case" in field))
        next
    # DPDK's rings hold pointers.
    if (("elem" in field) && field["elem"] != 8)
        next
    if (!("cores" in field))
        field["cores"] = 1
    plain = field["bench"] " " field["case"] " cores=" field["cores"] " bulk=" field["bulk"]
    key = field["cache"] == "" ? plain : plain " cache=" field["cache"]
    if (!(key in label)) {
        label[key] = key
        without_cache[key] = plain
        order[++keys] = key
    }
    if (field["peer"] == "dpdk") {
        add(dpdk, key, field["cycles_per_object"])
        beside_dpdk[plain] = 1
    } else if (field["peer"] == "" || field["peer"] == "gannet")
        add(gannet, key, field["cycles_per_object"])
}

END {
    print "Cycles an object; the ratio is Gannet / DPDK: below 1, Gannet is faster."
    printf "%-50s %8s  %-16s %8s  %s\n", "case", "DPDK", "DPDK runs", "Gannet", "ratio"
    for (i = 1; i <= keys; i++) {
        key = order[i]
        plain = without_cache[key]
        if (key in dpdk)
            row(key, dpdk[key], (key in gannet) ? gannet[key] : gannet[plain])
        else if ((key in gannet) && !(key in beside_dpdk))
            row(key, "", gannet[key])
    }
}
