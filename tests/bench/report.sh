# Sourced by `run`: medians and ratios of $dir/results, the tables and the goals.
# shellcheck shell=bash disable=SC2154

# values NAME PHASE KEY: one a round.
values() {
    awk -v name="$1" -v phase="$2" -v key="$3=" '
        $1 == name && $2 == phase {
            for (i = 3; i <= NF; i++) if (index($i, key) == 1) print substr($i, length(key) + 1)
        }' "$dir/results"
}

middle() {
    sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

median() { values "$@" | middle; }

# ratio NAME PEER PHASE KEY [PEER_KEY]: the median of the rounds' own ratios.
ratio() {
    paste <(values "$1" "$3" "$4") <(values "$2" "$3" "${5:-$4}") | awk '{ print $1 / $2 }' | middle
}

form() { awk -v format="$1" -v value="$2" 'BEGIN { printf format, value }'; }

title() {
    case $1 in
    direct) echo "direct, no proxy" ;;
    nginx) echo "$(nginx -v 2>&1 | sed 's|.*nginx/|nginx |'), static token check" ;;
    nginx_wide) echo "the same with buffers of 64 KiB" ;;
    haproxy) echo "HAProxy $(haproxy -v | sed -n '1s/.*version \([0-9.]*\).*/\1/p'), jwt_verify" ;;
    sidelock) echo "**Sidelock, vetting both ways**" ;;
    esac
}

print_websocket_tables() {
    local name
    echo "| | CPU µs/msg | × nginx | × HAProxy | msgs/s | 64: p50 / p99 µs | 16: p50 / p99 µs |"
    echo "|---|---|---|---|---|---|---|"
    for name in $targets; do
        local cpu=– to_nginx=– to_haproxy=–
        if [ "$name" != direct ]; then
            cpu=$(form %.2f "$(median "$name" w1 cpu_us)")
            to_nginx=$(form %.2f "$(ratio "$name" nginx w1 cpu_us)")
            to_haproxy=$(form %.2f "$(ratio "$name" haproxy w1 cpu_us)")
        fi
        printf '| %s | %s | %s | %s | %.0f | %.0f / %.0f | %.0f / %.0f |\n' "$(title "$name")" \
            "$cpu" "$to_nginx" "$to_haproxy" "$(median "$name" w1 rate)" \
            "$(median "$name" w1 p50_us)" "$(median "$name" w1 p99_us)" \
            "$(median "$name" latency p50_us)" "$(median "$name" latency p99_us)"
    done
    echo
    print_large_table
    echo "| | KiB an idle connection | 16 active alone, CPU µs/msg | among $idle idle | × | p99 µs alone / among |"
    echo "|---|---|---|---|---|---|"
    for name in $proxies; do
        printf '| %s | %s | %.2f | %.2f | %.2f | %.0f / %.0f |\n' "$(title "$name")" \
            "$(form %.1f "$(median "$name" idle idle_bytes | awk '{ print $1 / 1024 }')")" \
            "$(median "$name" idle cpu_us)" "$(median "$name" idle among_cpu_us)" \
            "$(ratio "$name" "$name" idle among_cpu_us cpu_us)" \
            "$(median "$name" idle p99_us)" "$(median "$name" idle among_p99_us)"
    done
}

# Messages of each size: answers, and requests.
print_large_table() {
    local name way size
    for way in down up; do
        printf '| %s, CPU µs/msg (× HAProxy) |' "$([ $way = down ] && echo answers || echo requests)"
        for size in $sizes; do
            [ $way = up ] && [ "$size" -eq 300 ] || printf ' %s B |' "$size"
        done
        printf '\n|---|'
        for size in $sizes; do
            [ $way = up ] && [ "$size" -eq 300 ] || printf -- '---|'
        done
        echo
        for name in ${http_targets#direct }; do
            printf '| %s |' "$(title "$name")"
            for size in $sizes; do
                [ $way = up ] && [ "$size" -eq 300 ] ||
                    printf ' %s (%s) |' "$(form %.1f "$(median "$name" "${way}_$size" cpu_us)")" \
                        "$(form %.2f "$(ratio "$name" haproxy "${way}_$size" cpu_us)")"
            done
            echo
        done
        echo
    done
}

print_http_tables() {
    local name phase
    echo "| 300 B | CPU µs/request | × nginx | × HAProxy | requests/s | p50 / p99 µs |"
    echo "|---|---|---|---|---|---|"
    for name in $http_targets; do
        local cpu=– to_nginx=– to_haproxy=–
        if [ "$name" != direct ]; then
            cpu=$(form %.2f "$(median "$name" http_300 cpu_us)")
            to_nginx=$(form %.2f "$(ratio "$name" nginx http_300 cpu_us)")
            to_haproxy=$(form %.2f "$(ratio "$name" haproxy http_300 cpu_us)")
        fi
        printf '| %s | %s | %s | %s | %.0f | %.0f / %.0f |\n' "$(title "$name")" \
            "$cpu" "$to_nginx" "$to_haproxy" "$(median "$name" http_300 rate)" \
            "$(median "$name" http_300 p50_us)" "$(median "$name" http_300 p99_us)"
    done
    echo
    echo "| | 64 KiB: CPU µs/request | × HAProxy | p50 / p99 µs | 1 MiB: CPU µs/request | × HAProxy | p50 / p99 µs |"
    echo "|---|---|---|---|---|---|---|"
    for name in $http_targets; do
        printf '| %s |' "$(title "$name")"
        for phase in http_64k http_1m; do
            local cpu=– to_haproxy=–
            if [ "$name" != direct ]; then
                cpu=$(form %.0f "$(median "$name" $phase cpu_us)")
                to_haproxy=$(form %.2f "$(ratio "$name" haproxy $phase cpu_us)")
            fi
            printf ' %s | %s | %.0f / %.0f |' "$cpu" "$to_haproxy" \
                "$(median "$name" $phase p50_us)" "$(median "$name" $phase p99_us)"
        done
        echo
    done
    echo
    echo "| | KiB an open stream | 16 posting alone, CPU µs/request | among $streams streams | × |"
    echo "|---|---|---|---|---|"
    for name in $proxies; do
        printf '| %s | %s | %.2f | %.2f | %.2f |\n' "$(title "$name")" \
            "$(form %.1f "$(median "$name" streams idle_bytes | awk '{ print $1 / 1024 }')")" \
            "$(median "$name" streams cpu_us)" "$(median "$name" streams among_cpu_us)" \
            "$(ratio "$name" "$name" streams among_cpu_us cpu_us)"
    done
}

print_tables() {
    [ "$websocket" = no ] || print_websocket_tables
    [ "$websocket$http" != yesyes ] || echo
    [ "$http" = no ] || print_http_tables
}

print_json() {
    local name phase key line value separator=
    echo "{"
    for name in $targets $([ "$http" = no ] || echo nginx_wide); do
        printf '%s  "%s": {' "$separator" "$name"
        separator=
        for phase in w1 latency $(printf 'down_%s ' $sizes) $(printf 'up_%s ' $sizes) idle http_300 http_64k http_1m streams; do
            line=$(grep -m 1 "^$name $phase " "$dir/results" || true)
            for key in $(tr ' ' '\n' <<<"$line" | sed -n 's/=.*//p'); do
                value=$(median "$name" "$phase" "$key")
                printf '%s"%s_%s": %s' "$separator" $phase "$key" "$value"
                separator=", "
            done
        done
        printf '}'
        separator=$',\n'
    done
    printf '\n}\n'
}

print_disturbance() {
    awk -v share="$(disturbance "$(cat "$dir/results")")" -v repeated=$repeated 'BEGIN {
        printf "Other work held a proxy\047s processor for at most %.1f %% of a measurement; ", share * 100
        printf "%d disturbed measurements were repeated.\n", repeated
    }'
}

# goal TEXT VALUE MOST
goal() {
    local verdict=met
    if awk -v value="$2" -v most="$3" 'BEGIN { exit !(value > most) }'; then
        verdict=missed
    fi
    echo "- $1: $(form %.2f "$2"), at most $3: $verdict"
}

print_websocket_goals() {
    goal "CPU per message against nginx" "$(ratio sidelock nginx w1 cpu_us)" 1.25
    goal "CPU per message against HAProxy" "$(ratio sidelock haproxy w1 cpu_us)" 1.15
    goal "p99 at 16 connections against nginx" "$(ratio sidelock nginx latency p99_us)" 1.2
    local way size most
    for size in $sizes; do
        [ "$size" -ne 300 ] || continue
        most=1.15
        [ "$size" -gt 4096 ] || most=1.05
        [ "$size" -le 65536 ] || most=1.5
        for way in down up; do
            goal "CPU per $([ $way = down ] && echo answer || echo request) of $size B by WebSocket against HAProxy" \
                "$(ratio sidelock haproxy "${way}_$size" cpu_us)" $most
        done
    done
    goal "KiB an idle connection" "$(median sidelock idle idle_bytes | awk '{ print $1 / 1024 }')" 6
    goal "CPU per message among $idle idle connections against none" \
        "$(ratio sidelock sidelock idle among_cpu_us cpu_us)" 1.1
}

print_http_goals() {
    goal "CPU per HTTP request against HAProxy" "$(ratio sidelock haproxy http_300 cpu_us)" 1.6
    goal "CPU per result of 64 KiB against HAProxy" "$(ratio sidelock haproxy http_64k cpu_us)" 1.5
    goal "CPU per result of 1 MiB against HAProxy" "$(ratio sidelock haproxy http_1m cpu_us)" 2.7
    goal "KiB an open stream" "$(median sidelock streams idle_bytes | awk '{ print $1 / 1024 }')" 7.5
}

# print_rows FILE: NAME<tab>VALUE<tab>MOST
print_rows() {
    local name value most
    while IFS=$'\t' read -r name value most; do
        goal "$name" "$value" "$most"
    done <"$1"
}

print_goals() {
    [ "$websocket" = no ] || print_websocket_goals
    [ "$http" = no ] || print_http_goals
    [ "$promises" = no ] || print_rows "$dir/promises"
    [ "$loads" = no ] || print_rows "$dir/loads"
}
