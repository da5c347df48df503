# Sourced by `run`: the service and the proxies, how they are configured, started
# and ended. Everything lives in $dir; $load is the generator, $service the
# service, $sidelock Sidelock; $load_on and $proxy_on start on a processor each.
# shellcheck shell=bash disable=SC2154,SC2034

declare -A pid=() port=() tls_port=() path=() http_path=() pids=()

# All processes below one, and itself: "1,2,3". A proxy may have processes that start others; a service that
# it has started is none of its own.
tree() {
    local child
    echo -n "$1"
    for child in $(pgrep -P "$1"); do
        [ "$(cat "/proc/$child/comm")" = bench_service ] || echo -n ",$(tree "$child")"
    done
}

stop() {
    [ -n "${pid[$1]:-}" ] || return 0
    kill "${pid[$1]}" 2>/dev/null || true
    wait "${pid[$1]}" 2>/dev/null || true
    unset "pid[$1]"
}

# No proxy runs any more; the service stays.
stop_proxies() {
    local name
    for name in "${!pid[@]}"; do
        [ "$name" = service ] || stop "$name"
    done
}

finish() {
    stop_proxies
    stop service
    rm -rf "$dir"
}

failed() {
    echo "bench: $1; its log:" >&2
    tail -n 20 "$dir/$2.log" >&2
    exit 1
}

# Until the proxy answers: nginx and HAProxy have no other sign of readiness.
await_port() {
    local tries
    for tries in $(seq 100); do
        if [ "$($load_on "$load" probe --port "${port[$1]}" 2>/dev/null)" = 401 ]; then
            return 0
        fi
        kill -0 "${pid[$1]}" 2>/dev/null || failed "$1 ended ($tries)" "$1"
        sleep 0.1
    done
    failed "$1 does not answer" "$1"
}

start_service() {
    $load_on "$service" "$dir/service.sock" >"$dir/service.ready" 2>"$dir/service.log" &
    pid[service]=$!
    local tries
    for tries in $(seq 100); do
        [ ! -s "$dir/service.ready" ] || return 0
        sleep 0.05
    done
    failed "the service does not listen ($tries)" service
}

base64url() {
    openssl base64 -A | tr '+/' '-_' | tr -d '='
}

write_nginx() {
    openssl rand -hex 32 >"$dir/nginx.token"
    local user_line=
    [ "$(id -u)" -ne 0 ] || user_line="user $(id -un);"
    cat >"$dir/nginx.conf" <<TEXT
$user_line
worker_processes 1;
daemon off;
pid $dir/nginx.pid;
error_log $dir/nginx.log warn;
events {
    worker_connections 20000;
}
http {
    access_log off;
    client_body_temp_path $dir/nginx-body;
    proxy_temp_path $dir/nginx-proxy;
    fastcgi_temp_path $dir/nginx-fastcgi;
    uwsgi_temp_path $dir/nginx-uwsgi;
    scgi_temp_path $dir/nginx-scgi;
    map_hash_bucket_size 128;
    map \$http_authorization \$admitted {
        default 0;
        "Bearer $(cat "$dir/nginx.token")" 1;
    }
    upstream service {
        server unix:$dir/service.sock;
        keepalive 64;
        keepalive_requests 100000000;
    }
    keepalive_requests 100000000;
    proxy_http_version 1.1;
    proxy_read_timeout 1h;
    proxy_send_timeout 1h;
    server {
        listen 127.0.0.1:${port[nginx]} backlog=4096;
        listen 127.0.0.1:${tls_port[nginx]} ssl backlog=4096;
        ssl_certificate $dir/certs/server.pem;
        ssl_certificate_key $dir/certs/server.key;
        ssl_protocols TLSv1.3;
        if (\$admitted = 0) {
            return 401;
        }
        location / {
            proxy_pass http://unix:$dir/service.sock;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Authorization "";
        }
        location /ws_wide {
            proxy_pass http://unix:$dir/service.sock;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Authorization "";
            proxy_buffer_size 64k;
            proxy_buffers 8 64k;
            proxy_busy_buffers_size 128k;
        }
        location /mcp {
            proxy_pass http://service;
            proxy_set_header Connection "";
            proxy_set_header Authorization "";
        }
        location /wide {
            proxy_pass http://service;
            proxy_set_header Connection "";
            proxy_set_header Authorization "";
            proxy_buffer_size 64k;
            proxy_buffers 8 64k;
            proxy_busy_buffers_size 128k;
        }
    }
}
TEXT
}

start_nginx() {
    $proxy_on nginx -c "$dir/nginx.conf" -e "$dir/nginx.log" 2>"$dir/nginx.stderr" &
    pid[nginx]=$!
    await_port nginx
}

write_haproxy() {
    local key head body
    key=$(openssl rand -hex 32)
    head=$(printf '{"alg":"HS256","typ":"JWT"}' | base64url)
    body=$(printf '{"iss":"bench","sub":"bench","exp":%s}' $(($(date +%s) + 3600)) | base64url)
    printf '%s.%s.%s\n' "$head" "$body" \
        "$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -hmac "$key" -binary | base64url)" \
        >"$dir/haproxy.token"
    cat "$dir/certs/server.pem" "$dir/certs/server.key" >"$dir/haproxy.pem"
    cat >"$dir/haproxy.conf" <<TEXT
global
    nbthread 1
    maxconn 9500
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
frontend public
    bind 127.0.0.1:${port[haproxy]} backlog 4096
    bind 127.0.0.1:${tls_port[haproxy]} ssl crt $dir/haproxy.pem ssl-min-ver TLSv1.3 backlog 4096
    http-request set-var(txn.bearer) http_auth_bearer
    http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('\$.alg')
    http-request deny deny_status 401 unless { var(txn.alg) -m str HS256 }
    http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"$key") -m int 1 }
    http-request del-header Authorization
    use_backend streams if METH_GET { path /mcp }
    default_backend private
backend private
    server service unix@$dir/service.sock
backend streams
    option http-no-delay
    server service unix@$dir/service.sock
TEXT
}

start_haproxy() {
    $proxy_on haproxy -db -q -f "$dir/haproxy.conf" >"$dir/haproxy.log" 2>&1 &
    pid[haproxy]=$!
    await_port haproxy
}

# One certificate for all.
write_certificate() {
    mkdir "$dir/certs"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -config <(printf '[req]\ndistinguished_name=name\n[name]\n') \
        -addext subjectAltName=DNS:localhost -keyout "$dir/certs/server.key" -out "$dir/certs/server.pem" 2>/dev/null ||
        die 1 "no certificate could be made"
    chmod 600 "$dir/certs/server.key"
}

# surface_of ROUTES MORE [UPSTREAM]: what the gate's surfaces have in common, and MORE.
surface_of() {
    cat <<TEXT
{
      "why": "Measures what the gate costs",
      "can_do": "Nothing: it answers every call with the same text",
      "listen": ["localhost:0"],
      "upstream": {${3:-"\"socket\": \"$dir/service.sock\""}},
      "dialect": "mcp",
      "allow": {
        "verbs": ["tools/call"],
        "targets": ["echo"],
        "server_verbs": ["notifications/tools/list_changed"]
      },$2
      "routes": [$1],
      "limits": {
        "max_connections": 16384,
        "max_connections_per_caller": 16384,
        "max_message_bytes": 4194304,
        "ping_interval_ms": 3600000
      }
    }
TEXT
}

# write_gate NAME WORKERS [UPSTREAM]: a gate with a surface for WebSocket; where it has one worker, also for HTTP,
# and, before the service that all share, the same with TLS.
write_gate() {
    local routes='{"path": "/", "subprotocols": ["mcp"]}' surfaces
    [ "$2" -gt 1 ] || routes="$routes, {\"path\": \"/mcp\", \"kind\": \"mcp-http\"}"
    surfaces="\"bench\": $(surface_of "$routes" "" "${3:-}")"
    [ "$2" -gt 1 ] || [ -n "${3:-}" ] || surfaces="$surfaces, \"bench_tls\": $(surface_of "$routes" "
      \"tls\": {\"certificate\": \"$dir/certs/server.pem\", \"key\": \"$dir/certs/server.key\"},")"
    mkdir -m 700 "$dir/$1.state"
    cat >"$dir/$1.json" <<TEXT
{
  "state_dir": "$dir/$1.state",
  "control_socket": "$dir/$1.control",
  "workers": $2,
  "surfaces": {$surfaces}
}
TEXT
}

# port_of SURFACE READY: its IPv4 port in the line that says the gate is ready.
port_of() { sed -n "s/.*\"$1\":\[\"127\.0\.0\.1:\([0-9]*\)\".*/\1/p" <<<"$2"; }

start_gate() {
    local name=$1 ready=
    rm -f "$dir/ready"
    mkfifo "$dir/ready"
    $proxy_on "$sidelock" serve -c "$dir/$name.json" --ready-fd 3 \
        3>"$dir/ready" >"$dir/$name.log" 2>&1 &
    pid[$name]=$!
    read -r -t 20 ready <"$dir/ready" || failed "$name did not become ready" "$name"
    port[$name]=$(port_of bench "$ready")
    tls_port[$name]=$(port_of bench_tls "$ready")
    path[$name]=/ http_path[$name]=
    [ -n "${port[$name]}" ] || failed "$name named no port: $ready" "$name"
    # Sessions outlive the process that made them.
    [ -e "$dir/$name.token" ] || make_sessions "$name" bench 1 >"$dir/$name.token"
    [ -n "${tls_port[$name]}" ] || return 0
    http_path[$name]=/mcp
    [ -e "$dir/$name.tls_token" ] || make_sessions "$name" bench_tls 1 >"$dir/$name.tls_token"
}

# make_sessions GATE SURFACE COUNT: a line of token and id for each.
make_sessions() {
    $load_on node "$here/sessions.mjs" "$dir/$1.control" "$2" "$3" ||
        failed "no session could be created" "$1"
}

write_sidelock() { write_gate sidelock 1; }

# probe NAME OPTION...: what the proxy answers to one call.
probe() {
    local name=$1
    shift
    answer=$($load_on "$load" probe --port "${port[$name]}" "$@") || true
}

# Starts a proxy and proves its locks before it is measured.
start() {
    local name=$1 answer
    case $name in
    nginx | haproxy) "start_$name" ;;
    *) start_gate "$name" ;;
    esac
    prove "$name" "101 result" --path "${path[$name]}"
    [ -z "${http_path[$name]}" ] || prove "$name" "200 result" --http --path "${http_path[$name]}"
    pids[$name]=$(tree "${pid[$name]}") # those of a service, too, which the first request has waited for
}

# prove NAME RESULT OPTION...: the lock opens for the right token alone.
prove() {
    local name=$1 result=$2
    shift 2
    probe "$name" "$@" --token-file "$dir/wrong.token"
    [ "$answer" = 401 ] || failed "$name answers a wrong token with '$answer'" "$name"
    probe "$name" "$@" --token-file "$dir/$name.token"
    [ "$answer" = "$result" ] || failed "$name answers a valid token with '$answer'" "$name"
    [ -e "$dir/$name.json" ] || return 0
    probe "$name" "$@" --token-file "$dir/$name.token" --tool forbidden
    [ "${answer#* }" = error ] || failed "$name answers a forbidden tool with '$answer'" "$name"
}
