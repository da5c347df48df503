# Sourced by `run`: the service and the proxies, how they are configured, started
# and ended. Everything lives in $dir; $load is the generator, $service the
# service, $sidelock Sidelock; $load_on and $proxy_on start on a processor each.
# shellcheck shell=bash disable=SC2154

declare -A pid=() port=() path=() http_path=() pids=()

stop() {
    [ -n "${pid[$1]:-}" ] || return 0
    kill "${pid[$1]}" 2>/dev/null || true
    wait "${pid[$1]}" 2>/dev/null || true
    unset "pid[$1]"
}

finish() {
    local name
    for name in "${!pid[@]}"; do
        stop "$name"
    done
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
        if [ "$($load --port "${port[$1]}" --probe 2>/dev/null)" = 401 ]; then
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
    worker_connections 8192;
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
    cat >"$dir/haproxy.conf" <<TEXT
global
    nbthread 1
    maxconn 8000
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
frontend public
    bind 127.0.0.1:${port[haproxy]} backlog 4096
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

write_sidelock() {
    mkdir -m 700 "$dir/state"
    cat >"$dir/sidelock.json" <<TEXT
{
  "state_dir": "$dir/state",
  "control_socket": "$dir/control.sock",
  "workers": 1,
  "surfaces": {
    "bench": {
      "why": "Measures what the gate costs",
      "can_do": "Nothing: it answers every call with the same text",
      "listen": ["localhost:0"],
      "upstream": {"socket": "$dir/service.sock"},
      "dialect": "mcp",
      "allow": {
        "verbs": ["tools/call"],
        "targets": ["echo"],
        "server_verbs": ["notifications/tools/list_changed"]
      },
      "routes": [
        {"path": "/", "subprotocols": ["mcp"]},
        {"path": "/mcp", "kind": "mcp-http"}
      ],
      "limits": {
        "max_connections": 4096,
        "max_connections_per_caller": 4096,
        "max_message_bytes": 4194304
      }
    }
  }
}
TEXT
}

start_sidelock() {
    local ready=
    rm -f "$dir/ready"
    mkfifo "$dir/ready"
    $proxy_on "$sidelock" serve -c "$dir/sidelock.json" --ready-fd 3 \
        3>"$dir/ready" >"$dir/sidelock.log" 2>&1 &
    pid[sidelock]=$!
    read -r -t 20 ready <"$dir/ready" || failed "sidelock did not become ready" sidelock
    port[sidelock]=$(sed -n 's/.*"127\.0\.0\.1:\([0-9]*\)".*/\1/p' <<<"$ready")
    [ -n "${port[sidelock]}" ] || failed "sidelock named no port: $ready" sidelock
    "$sidelock" session create bench -c "$dir/sidelock.json" --ttl 1h >"$dir/sidelock.token" ||
        failed "no session could be created" sidelock
}

# probe NAME OPTION...: what the proxy answers to one call.
probe() {
    local name=$1
    shift
    answer=$($load --port "${port[$name]}" "$@" --probe) || true
}

# Starts a proxy and proves its locks before it is measured.
start() {
    local name=$1 answer
    "start_$name"
    pids[$name]=$(pgrep -d, -P "${pid[$name]}" || true)
    pids[$name]=${pid[$name]}${pids[$name]:+,${pids[$name]}}
    [ "$websocket" = no ] || prove "$name" "101 result" --path "${path[$name]}"
    [ "$http" = no ] || prove "$name" "200 result" --http --path "${http_path[$name]}"
}

# prove NAME RESULT OPTION...: the lock opens for the right token alone.
prove() {
    local name=$1 result=$2
    shift 2
    probe "$name" "$@" --token-file "$dir/wrong.token"
    [ "$answer" = 401 ] || failed "$name answers a wrong token with '$answer'" "$name"
    probe "$name" "$@" --token-file "$dir/$name.token"
    [ "$answer" = "$result" ] || failed "$name answers a valid token with '$answer'" "$name"
    [ "$name" = sidelock ] || return 0
    probe "$name" "$@" --token-file "$dir/$name.token" --tool forbidden
    [ "${answer#* }" = error ] || failed "$name answers a forbidden tool with '$answer'" "$name"
}
