# Sourced by `run`: medians and ratios of $dir/results, and for each part its tables and goals, in Markdown.
# shellcheck shell=bash disable=SC2154

# --- numbers ---

# values NAME PHASE KEY: one a round.
values() {
    awk -v name="$1" -v phase="$2" -v key="$3=" '
        $1 == name && $2 == phase {
            for (i = 3; i <= NF; i++) if (index($i, key) == 1) print substr($i, length(key) + 1)
        }' "$dir/results"
}

middle() {
    sort -g | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

median() { values "$@" | middle; }
kib() { median "$@" | awk '{ print $1 / 1024 }'; }

# ratio NAME PHASE OTHER [OTHER_PHASE] [KEY] [OTHER_KEY]: the median of the rounds' own ratios.
ratio() {
    local key=${5:-cpu_us}
    paste <(values "$1" "$2" "$key") <(values "$3" "${4:-$2}" "${6:-$key}") | awk '$2 > 0 { print $1 / $2 }' | middle
}

form() { awk -v format="$1" -v value="$2" 'BEGIN { printf value == "" ? "–" : format, value }'; }

# --- cells ---

row() {
    printf '| %s' "$1"
    shift
    printf ' | %s' "$@"
    echo ' |'
}

# head_row CELL...: a table's first two lines.
head_row() {
    local i
    row "$@"
    for ((i = 0; i < $#; i++)); do
        printf '|---'
    done
    echo '|'
}

latencies() { echo "$(form %.0f "$(median "$1" "$2" "${3:-}p50_us")") / $(form %.0f "$(median "$1" "$2" "${3:-}p99_us")")"; }
cpu() { form "${3:-%.2f}" "$(median "$1" "$2" cpu_us)"; }

# against NAME PHASE PEER: the ratio, where the peer was measured and has a proxy's processes.
against() { form %.2f "$([ "$1" = direct ] || ratio "$1" "$2" "$3")"; }

thousands() { sed -E ':again; s/([0-9])([0-9]{3})($|,)/\1,\2\3/; t again' <<<"$1"; }

bytes() {
    if [ "$1" -ge 1048576 ]; then
        echo "$(($1 / 1048576)) MiB"
    elif [ "$1" -ge 1024 ]; then
        echo "$(($1 / 1024)) KiB"
    else
        echo "$1 B"
    fi
}

title() {
    case $1 in
    direct) echo "direct, no proxy" ;;
    nginx) echo "$(nginx -v 2>&1 | sed 's|.*nginx/|nginx |'), static token check" ;;
    nginx_wide) echo "the same with buffers of 64 KiB" ;;
    haproxy) echo "HAProxy $(haproxy -v | sed -n '1s/.*version \([0-9.]*\).*/\1/p'), jwt_verify" ;;
    sidelock) echo "**Sidelock, vetting both ways**" ;;
    esac
}

# --- goals ---

# goal TEXT VALUE MOST
goal() {
    local verdict=met
    if [ -z "$2" ] || awk -v value="$2" -v most="$3" 'BEGIN { exit !(value > most) }'; then
        verdict=missed
    fi
    echo "- $1: $(form %.2f "$2"), at most $3: $verdict"
}

with_gate() {
    case $proxies in
    *sidelock*) echo ;;
    *) return 1 ;;
    esac
}

# goals_of FILE: rows of NAME<tab>VALUE<tab>MOST
goals_of() {
    local name value most
    while IFS=$'\t' read -r name value most; do
        goal "$name" "$value" "$most"
    done <"$1"
}

# --- WebSocket ---

large_table() {
    local way=$1 of=$2 name size cells
    shift 2
    cells=("$of, CPU µs/msg (× HAProxy)")
    for size in "$@"; do
        cells+=("$(bytes "$size")")
    done
    head_row "${cells[@]}"
    for name in ${wide_targets#direct }; do
        cells=("$(title "$name")")
        for size in "$@"; do
            cells+=("$(cpu "$name" "${way}_$size" %.1f) ($(against "$name" "${way}_$size" haproxy))")
        done
        row "${cells[@]}"
    done
    echo
}

# among PHASE WORD: what the presence of many that rest costs.
among() {
    local name
    for name in $proxies; do
        row "$(title "$name")" "$(form %.1f "$(kib "$name" "$1" idle_bytes)")" "$(cpu "$name" "$1")" \
            "$(form %.2f "$(median "$name" "$1" among_cpu_us)")" \
            "$(form %.2f "$(ratio "$name" "$1" "$name" "$1" among_cpu_us cpu_us)")" \
            "$(latencies "$name" "$1")" "$(latencies "$name" "$1" among_)"
    done
}

goals_websocket() {
    local size most
    goal "CPU per message against nginx" "$(ratio sidelock w1 nginx)" 1.25
    goal "CPU per message against HAProxy" "$(ratio sidelock w1 haproxy)" 1.15
    goal "p99 at 16 connections against nginx" "$(ratio sidelock latency nginx latency p99_us)" 1.2
    for size in $sizes; do
        case $size in
        300) continue ;;
        4096) most=1.05 ;;
        1048576) most=1.5 ;;
        *) most=1.15 ;;
        esac
        goal "CPU per answer of $(bytes "$size") against HAProxy" "$(ratio sidelock "down_$size" haproxy)" $most
        goal "CPU per request of $(bytes "$size") against HAProxy" "$(ratio sidelock "up_$size" haproxy)" $most
    done
    goal "KiB an idle connection" "$(kib sidelock idle idle_bytes)" 2
    goal "CPU per message among $(thousands "$idle") idle connections against none" \
        "$(ratio sidelock idle sidelock idle among_cpu_us cpu_us)" 1.1
}

report_websocket() {
    local name
    echo "## WebSocket"
    head_row "300 B" "CPU µs/msg" "× nginx" "× HAProxy" "msgs/s" "64: p50 / p99 µs" "16: p50 / p99 µs"
    for name in $targets; do
        row "$(title "$name")" "$(cpu "$name" w1)" "$(against "$name" w1 nginx)" "$(against "$name" w1 haproxy)" \
            "$(form %.0f "$(median "$name" w1 rate)")" "$(latencies "$name" w1)" "$(latencies "$name" latency)"
    done
    echo
    # shellcheck disable=SC2086
    large_table down answers $sizes
    # shellcheck disable=SC2086
    large_table up requests ${sizes#300 }
    head_row "" "KiB an idle connection" "16 active alone, CPU µs/msg" "among $(thousands "$idle") idle" "×" \
        "alone: p50 / p99 µs" "among: p50 / p99 µs"
    among idle
    with_gate && goals_websocket
    echo
}

# --- HTTP ---

goals_http() {
    goal "CPU per HTTP request against HAProxy" "$(ratio sidelock http_300 haproxy)" 1.6
    goal "CPU per result of 64 KiB against HAProxy" "$(ratio sidelock http_64k haproxy)" 1.5
    goal "CPU per result of 1 MiB against HAProxy" "$(ratio sidelock http_1m haproxy)" 2.7
    goal "KiB an open stream" "$(kib sidelock streams idle_bytes)" 7.5
}

report_http() {
    local name
    echo "## HTTP"
    head_row "300 B" "CPU µs/request" "× nginx" "× HAProxy" "requests/s" "p50 / p99 µs"
    for name in $wide_targets; do
        row "$(title "$name")" "$(cpu "$name" http_300)" "$(against "$name" http_300 nginx)" \
            "$(against "$name" http_300 haproxy)" "$(form %.0f "$(median "$name" http_300 rate)")" \
            "$(latencies "$name" http_300)"
    done
    echo
    head_row "" "64 KiB: CPU µs/request" "× HAProxy" "p50 / p99 µs" "1 MiB: CPU µs/request" "× HAProxy" "p50 / p99 µs"
    for name in $wide_targets; do
        row "$(title "$name")" "$(cpu "$name" http_64k %.0f)" "$(against "$name" http_64k haproxy)" \
            "$(latencies "$name" http_64k)" "$(cpu "$name" http_1m %.0f)" "$(against "$name" http_1m haproxy)" \
            "$(latencies "$name" http_1m)"
    done
    echo
    head_row "" "KiB an open stream" "16 posting alone, CPU µs/request" "among $(thousands "$streams") streams" "×" \
        "alone: p50 / p99 µs" "among: p50 / p99 µs"
    among streams
    with_gate && goals_http
    echo
}

# --- TLS ---

goals_tls() {
    goal "CPU per message with TLS against HAProxy" "$(ratio sidelock tls_ws haproxy)" 1.15
    goal "CPU per HTTP request with TLS against HAProxy" "$(ratio sidelock tls_http haproxy)" 1.15
    goal "KiB an idle connection with TLS" "$(kib sidelock tls_idle idle_bytes)" 20
}

report_tls() {
    local name
    echo "## TLS"
    head_row "TLS 1.3, 300 B" "WebSocket: CPU µs/msg" "× nginx" "× HAProxy" "p50 / p99 µs" \
        "HTTP: CPU µs/request" "× nginx" "× HAProxy" "p50 / p99 µs" "KiB an idle connection"
    for name in $proxies; do
        row "$(title "$name")" "$(cpu "$name" tls_ws)" "$(against "$name" tls_ws nginx)" \
            "$(against "$name" tls_ws haproxy)" "$(latencies "$name" tls_ws)" "$(cpu "$name" tls_http)" \
            "$(against "$name" tls_http nginx)" "$(against "$name" tls_http haproxy)" "$(latencies "$name" tls_http)" \
            "$(form %.1f "$(kib "$name" tls_idle idle_bytes)")"
    done
    with_gate && goals_tls
    echo
}

# --- what is rare ---

goals_rare() {
    goal "CPU from handshake to first message against HAProxy" "$(ratio sidelock handshakes haproxy)" 1.3
    goal "CPU per refused message against a forwarded one" "$(ratio sidelock refused sidelock forwarded)" 1.3
    goal "CPU per message of two workers against one" "$(ratio two workers sidelock)" 1.05
    goal "the busier worker's share" "$(median two workers busiest)" 0.55
    goal "CPU µs per message of what has started a service" "$(median launched own cpu_us)" 0.01
    goal "ms of a first connection to a service that was started, its first message and the end, p99" \
        "$(median launched beginnings p99_us | awk '{ print $1 / 1000 }')" 1
    goal "ms until $(thousands "$ends") connections of a revoked session are closed" \
        "$(median sidelock ends closed_ms)" 100
}

report_rare() {
    local name
    echo "## What is rare"
    head_row "a handshake, its first message, and the end" "CPU µs" "× nginx" "× HAProxy" "p50 / p99 µs"
    for name in $proxies; do
        row "$(title "$name")" "$(cpu "$name" handshakes %.0f)" "$(against "$name" handshakes nginx)" \
            "$(against "$name" handshakes haproxy)" "$(latencies "$name" handshakes)"
    done
    with_gate || return 0
    head_row "Sidelock, 300 B by WebSocket, 64 connections" "CPU µs/msg" "×" "the busiest process's share" "p50 / p99 µs"
    row "forwarded" "$(cpu sidelock forwarded)" 1.00 "$(form %.2f "$(median sidelock forwarded busiest)")" \
        "$(latencies sidelock forwarded)"
    row "refused, with a line in the audit log" "$(cpu sidelock refused)" \
        "$(form %.2f "$(ratio sidelock refused sidelock forwarded)")" \
        "$(form %.2f "$(median sidelock refused busiest)")" "$(latencies sidelock refused)"
    row "one worker" "$(cpu sidelock workers)" 1.00 "$(form %.2f "$(median sidelock workers busiest)")" \
        "$(latencies sidelock workers)"
    row "two workers" "$(cpu two workers)" "$(against two workers sidelock)" \
        "$(form %.2f "$(median two workers busiest)")" "$(latencies two workers)"
    echo
    head_row "Sidelock, 300 B by WebSocket, 64 connections" "CPU µs/msg" "×" "p50 / p99 µs" "a handshake, its first message, and the end: CPU µs" "p50 / p99 µs"
    for name in sidelock launched; do
        row "$([ $name = sidelock ] && echo "before a service on a Unix socket" || echo "before one that it has started, on a port")" \
            "$(cpu $name beside)" "$(against $name beside sidelock)" "$(latencies $name beside)" \
            "$(cpu $name beginnings %.0f)" "$(latencies $name beginnings)"
    done
    echo
    head_row "connections of a revoked session" "all closed, ms" "CPU, ms"
    row "$(thousands "$ends")" "$(form %.0f "$(median sidelock ends closed_ms)")" "$(form %.0f "$(median sidelock ends cpu_ms)")"
    with_gate && goals_rare
    echo
}

# --- what grows with what ---

# grown PHASE KEY: the ratio of the most to the least.
grown() { ratio "grown_${growth##* }" "$1" "grown_${growth%% *}" "$1" "$2"; }

grown_row() {
    local count cells=("$2")
    for count in $growth; do
        cells+=("$(cpu "grown_$count" "$1") ($(form %.0f "$(median "grown_$count" "$1" p50_us)"))")
    done
    row "${cells[@]}" "$(form %.2f "$(grown "$1" cpu_us)") ($(form %.2f "$(grown "$1" p50_us)"))"
}

report_growth() {
    local count cells=("CPU µs (p50 µs)")
    echo "## What grows with what"
    for count in $growth; do
        cells+=("$(thousands "$count")")
    done
    head_row "${cells[@]}" "× from the least to the most"
    grown_row beside_sessions "an admission, so many gate sessions"
    grown_row beside_connections "an admission, as many connections too"
    grown_row beside_mcp_sessions "a request, so many gate sessions and MCP sessions"
    cells=("at rest for a second beside so many connections: CPU ms")
    for count in $growth; do
        cells+=("$(form %.1f "$(median "grown_$count" beside_connections rest_ms)")")
    done
    row "${cells[@]}" "$(form %.2f "$(grown beside_connections rest_ms)")"
    echo
    goal "CPU of an admission, from the fewest gate sessions to the most" "$(grown beside_sessions cpu_us)" 1.1
    goal "CPU of an admission, from the fewest connections to the most" "$(grown beside_connections cpu_us)" 1.1
    goal "CPU of a request, from the fewest MCP sessions to the most" "$(grown beside_mcp_sessions cpu_us)" 1.1
    goal "CPU ms in a second at rest beside the most connections" \
        "$(median "grown_${growth##* }" beside_connections rest_ms)" 25
    echo
}

# --- what the gate does alone ---

report_promises() {
    echo "## Promises"
    goals_of "$dir/promises"
    echo
}

report_loads() {
    echo "## Loads"
    goals_of "$dir/loads"
    echo
}

# --- the whole ---

print_json() {
    awk '
        { for (i = 3; i <= NF; i++) print $1, $2, substr($i, 1, index($i, "=") - 1) }' "$dir/results" | sort -u |
        while read -r name phase key; do
            echo "$name ${phase}_$key $(median "$name" "$phase" "$key")"
        done | awk '
            BEGIN { printf "{" }
            $1 != name { printf "%s\n  \"%s\": {", name ? "}," : "", $1; name = $1; separator = "" }
            { printf "%s\"%s\": %s", separator, $2, $3; separator = ", " }
            END { print (name ? "}" : "") "\n}" }'
}

print_disturbance() {
    [ -s "$dir/disturbances" ] || return 0
    awk -v share="$(sort -g "$dir/disturbances" | tail -n 1)" -v repeated="$repeated" 'BEGIN {
        printf "Other work held a proxy\047s processor for at most %.1f %% of a measurement; ", share * 100
        printf "%d disturbed measurements were repeated.\n", repeated
    }'
}
