# Sourced by `run`: the parts of a run, and how one measurement is made. Results go to
# $dir/results: NAME PHASE and name=value, a line each.
# shellcheck shell=bash disable=SC2154

# --- one measurement ---

# The largest share of the time that other work held a proxy's processor.
disturbance() {
    tr ' ' '\n' | sed -n 's/^.*wait_share=//p' | sort -g | tail -n 1
}

# through NAME WAY: the generator's options for a way through a proxy: ws, http, wss or https.
# nginx_wide is another path of nginx. $tokens names another file of tokens than the proxy's own.
through() {
    local name=$1 proxy=${1%_wide} to=${path[$1]:-} file entry
    case $2 in
    http*) to=${http_path[$name]} && echo "--http" ;;
    esac
    if [ "$name" = direct ]; then
        echo "--path $to --socket $dir/service.sock"
        return
    fi
    file=$dir/${tokens:-$proxy.token} entry=${port[$proxy]}
    case $2 in
    wss | https)
        entry=${tls_port[$proxy]} && echo "--tls"
        [ ! -e "$dir/$proxy.tls_token" ] || file=$dir/$proxy.tls_token
        ;;
    esac
    echo "--path $to --port $entry --token-file $file --pids ${pids[$proxy]}"
}

# once NAME PHASE WAY OPTION...: one line of results.
once() {
    local name=$1 phase=$2 way=$3
    shift 3
    # shellcheck disable=SC2046
    line=$($load_on "$load" $(through "$name" "$way") "$@") ||
        failed "the run through $name failed: $phase" "$([ "$name" = direct ] && echo service || echo "${name%_wide}")"
    sleep 0.05
}

keep() { echo "$1 $2 $line" >>"$dir/results"; }

# measure NAME PHASE WAY OPTION...: a measurement that other work disturbed is repeated, whoever it is
# that was measured, until the part's patience is at its end.
repeated=0
measure() {
    while true; do
        once "$@"
        if [ "$SECONDS" -ge "$patient_until" ] ||
            awk -v share="$(disturbance <<<"$line")" -v most="$disturbed_share" 'BEGIN { exit share > most }'; then
            break
        fi
        repeated=$((repeated + 1))
        sleep 1
    done
    disturbance <<<"$line" >>"$dir/disturbances"
    keep "$@"
}

# in_rounds COUNT FUNCTION: few clean rounds say more than many disturbed ones.
in_rounds() {
    local round
    patient_until=$((SECONDS + patience_s))
    for round in $(seq "$1"); do
        if [ "$round" -gt "$rounds_least" ] && [ "$SECONDS" -ge "$patient_until" ]; then
            echo "bench: no patience for more rounds" >&2
            break
        fi
        echo "bench: $2, round $round of $1" >&2
        "$2"
    done
}

start_peers() {
    local name
    mapfile -t free_port < <("$load" free-ports --connections 5)
    port[nginx]=${free_port[0]} port[haproxy]=${free_port[1]}
    tls_port[nginx]=${free_port[2]} tls_port[haproxy]=${free_port[3]}
    path[direct]=/ path[nginx]=/ path[nginx_wide]=/ws_wide path[haproxy]=/
    http_path[direct]=/ http_path[nginx]=/mcp http_path[nginx_wide]=/wide http_path[haproxy]=/mcp
    echo "not.a.token" >"$dir/wrong.token"
    write_certificate
    start_service
    for name in $proxies; do
        "write_$name"
        start "$name"
    done
}

# --- WebSocket ---

messages_both() {
    local name
    for name in $targets; do
        measure "$name" w1 ws --connections 64 --warmup "$warmup" --messages "$messages"
        measure "$name" latency ws --connections 16 --warmup "$warmup" --messages "$latency_messages"
    done
}

# Messages of each size each way, the other being of 300 bytes.
large_messages() {
    local name size count
    for size in $sizes; do
        count=$((large_bytes / size))
        count=$((count > large_most ? large_most : count < large_least ? large_least : count))
        for name in $wide_targets; do
            measure "$name" "down_$size" ws --connections 16 --result-bytes "$size" \
                --warmup $((count / 10 + 1)) --messages $((count + 1))
            [ "$size" -eq 300 ] || measure "$name" "up_$size" ws --connections 16 --request-bytes "$size" \
                --warmup $((count / 10 + 1)) --messages $((count + 1))
        done
    done
}

# resting PHASE WAY COUNT [--streams]: beside active connections so many that rest. Memory is measured on
# a process that has just started: one that has served before would hand out what it kept.
resting() {
    local phase=$1 way=$2 count=$3 name
    shift 3
    for name in $proxies; do
        stop "$name"
        start "$name"
        measure "$name" "$phase" "$way" --connections 16 --warmup "$warmup" --messages "$calls" --idle "$count" "$@"
    done
}

idle_connections() { resting idle ws "$idle"; }
open_streams() { resting streams http "$streams" --streams; }
idle_with_tls() { resting tls_idle wss "$tls_idle"; }

run_websocket() {
    in_rounds "$messages_rounds" messages_both
    in_rounds "$rounds" large_messages
    in_rounds "$few_rounds" idle_connections
}

# --- HTTP ---

# post NAME PHASE RESULT_BYTES MESSAGES
post() {
    measure "$1" "$2" http --connections 16 --result-bytes "$3" --warmup $(($4 / 10)) --messages "$4"
}

requests() {
    local name
    for name in $wide_targets; do
        post "$name" http_300 300 "$calls"
        post "$name" http_64k 65536 "$calls_64k"
        post "$name" http_1m 1048576 "$calls_1m"
    done
}

run_http() {
    in_rounds "$messages_rounds" requests
    in_rounds "$few_rounds" open_streams
}

# --- TLS ---

with_tls() {
    local name
    for name in $proxies; do
        measure "$name" tls_ws wss --connections 64 --warmup "$warmup" --messages "$calls"
        measure "$name" tls_http https --connections 16 --warmup "$warmup" --messages "$calls"
    done
}

run_tls() {
    in_rounds "$rounds" with_tls
    in_rounds "$few_rounds" idle_with_tls
}

# --- what is rare ---

# The processes of a gate wait for each other here: that is no disturbance, so nothing is repeated.
handshakes_and_refusals() {
    local name
    for name in $proxies; do
        once "$name" handshakes ws handshakes --warmup $((handshakes / 10)) --messages "$handshakes"
        keep "$name" handshakes
    done
    [ "$name" = sidelock ] || return 0
    once sidelock forwarded ws --connections "$refused_connections" --warmup $((refusals / 10)) --messages "$refusals"
    keep sidelock forwarded
    # Each has a line in the audit log as long as no session has more than two hundred.
    make_sessions sidelock bench "$refused_connections" >"$dir/fresh.token"
    tokens=fresh.token once sidelock refused ws --connections "$refused_connections" --warmup $((refusals / 10)) --messages "$refusals" \
        --tool forbidden --refused
    keep sidelock refused
}

two_workers() {
    local name
    for name in sidelock two; do
        once $name workers ws --connections 64 --warmup "$warmup" --messages "$messages"
        keep $name workers
    done
}

# A service that the gate has started is reached by TCP, in a network of its own.
launched_service() {
    local name
    for name in sidelock launched; do
        once $name beside ws --connections 64 --warmup "$warmup" --messages "$messages"
        keep $name beside
        once $name beginnings ws handshakes --warmup $((handshakes / 10)) --messages "$handshakes"
        keep $name beginnings
    done
    # The launcher, and what stands between it and the service.
    once launched own ws --connections 64 --warmup "$warmup" --messages "$messages" \
        --pids "$(tree "$(pgrep -P "${pid[launched]}" -f 'launcher$')")"
    keep launched own
}

# A session's connections, all of them, when it is revoked.
many_ends() {
    make_sessions sidelock bench 1 >"$dir/fresh.token"
    tokens=fresh.token once sidelock ends ws ends --connections "$ends" --control "$dir/sidelock.control" \
        --revoke "$(cut -d ' ' -f 2 "$dir/fresh.token")"
    keep sidelock ends
}

run_rare() {
    in_rounds "$rounds" handshakes_and_refusals
    [ "${proxies%sidelock}" != "$proxies" ] || return 0
    write_gate two 2
    start two
    in_rounds "$rounds" two_workers
    stop two
    write_gate launched 1 "\"command\": [\"/usr/bin/taskset\", \"-c\", \"${processor[0]}\", \"$service\", \"${free_port[4]}\"], \"executables\": [\"$service\"]"
    start launched
    in_rounds "$rounds" launched_service
    stop launched
    in_rounds "$few_rounds" many_ends
}

# --- what grows with what ---

# Three gates that differ in how much each has; they take turns.

# admissions PHASE OPTION...: admissions by the sessions of each gate, all of them by turns.
admissions() {
    local phase=$1 count
    shift
    for count in $growth; do
        tokens=all_$count.token once "grown_$count" "$phase" ws handshakes --warmup $((handshakes / 10)) \
            --messages "$handshakes" "${@/COUNT/$count}"
        keep "grown_$count" "$phase"
    done
}

beside_sessions() { admissions beside_sessions; }
beside_connections() { admissions beside_connections --idle COUNT --idle-http /mcp; }

# MCP sessions live as long as the worker: it is a new one each time.
beside_mcp_sessions() {
    local count
    for count in $growth; do
        stop "grown_$count"
        start "grown_$count"
        head -n "$growth_mcp_tokens" "$dir/all_$count.token" >"$dir/mcp.token"
        tokens=mcp.token once "grown_$count" beside_mcp_sessions http mcp-sessions --sessions "$count" \
            --connections 16 --warmup $((calls / 10)) --messages "$calls"
        keep "grown_$count" beside_mcp_sessions
    done
}

run_growth() {
    local count
    for count in $growth; do
        write_gate "grown_$count" 1
        start "grown_$count"
        make_sessions "grown_$count" bench "$count" >"$dir/all_$count.token"
    done
    in_rounds "$rounds" beside_sessions
    in_rounds "$rounds" beside_connections
    in_rounds "$rounds" beside_mcp_sessions
    for count in $growth; do
        stop "grown_$count"
    done
}

# --- what the gate does alone ---

run_promises() {
    SIDELOCK=$sidelock node "$here/promises.mjs" >"$dir/promises" || die 1 "a promise could not be measured"
}

run_loads() {
    SIDELOCK=$sidelock PROXY_ON=$proxy_on LOAD_ON=$load_on $load_on node "$here/loads.mjs" ${loads_quick:+"$loads_quick"} >"$dir/loads" ||
        die 1 "a load could not be measured"
}
