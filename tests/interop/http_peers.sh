# SPDX-License-Identifier: BSD-3-Clause
# HTTP servers of others in front of an upstream loop, for the tests that source this behind
# tests/smoke/harness.sh: nginx, HAProxy, Python, and what sends to them (tests/interop/upstream_load).
# shellcheck shell=bash

interop=$SMOKE_TOP/tests/interop
for program in nginx haproxy python3; do
	command -v $program >/dev/null || bail "$program is there" "scripts/install test installs it"
done

# --- requests -----------------------------------------------------------------------------------

# load [OPTIONS] URL...: see upstream_load --help; its result is in load.json.
load() {
	"$SMOKE_BUILD/tests/interop/upstream_load" "$@" >$T/load.json 2>>$T/load.err ||
		bail "requests can be sent" "$(tail -5 $T/load.err)"
}

# load_begin [OPTIONS] URL...: the same in the background, until load_end.
load_begin() {
	rm -f $T/load.go
	mkfifo $T/load.go
	"$SMOKE_BUILD/tests/interop/upstream_load" -n 0 "$@" <$T/load.go >$T/load.json 2>>$T/load.err &
	load_pid=$!
	exec 7>$T/load.go # which nothing that starts now may inherit
}

load_end() {
	exec 7>&-
	wait "$load_pid" || bail "requests can be sent" "$(tail -5 $T/load.err)"
}

# loaded FILTER: of jq.
loaded() { jq -r "$1" $T/load.json; }

# sent_of METHOD...: how many were; failed_of: how many were not answered 2.xx.
sent_of() { loaded "[.methods | .${1}${2+, .$2}${3+, .$3}${4+, .$4} | .sent] | add"; }
failed_of() { loaded "[.methods | .${1}${2+, .$2}${3+, .$3}${4+, .$4} | .sent - .ok] | add"; }

# all_right NAME: every request was answered 2.xx with its own answer.
all_right() {
	is "$1: all are answered, each with its own answer" \
		"$(loaded '[([.methods[] | .sent - .ok] | add), .wrong, (.errors | length)] | join(" ")')" "0 0 0" ||
		cat $T/load.json >&2
}

# none_lost NAME: the same, but that POSTs may be unknown, which were on their way when the server
# ended the connection.
none_lost() {
	is "$1: all are answered, each with its own answer, but for POSTs on connections that ended" \
		"$(failed_of get put delete) $(loaded '[.wrong, (.errors | del(.reset) | length),
			(.methods.post | .sent - .ok - .unknown)] | join(" ")')" "0 0 0 0" || cat $T/load.json >&2
}

# --- nginx --------------------------------------------------------------------------------------

# nginx_config SERVERS: writes nginx.conf. Its log, nginx.access, has a line a request:
# KEY METHOD STATUS PID CONNECTION NUMBER-ON-IT TLS SESSION PORT
nginx_config() {
	cat >$T/nginx.conf <<-END
		worker_processes 2;
		user root;
		pid $T/nginx.pid;
		error_log $T/nginx.log notice;
		events { worker_connections 512; }
		http {
			log_format fields '\$http_idempotency_key \$request_method \$status \$pid \$connection '
				'\$connection_requests \$ssl_protocol \$ssl_session_reused \$server_port';
			access_log $T/nginx.access fields;
			client_body_temp_path $T/nginx-body;
			proxy_temp_path $T/nginx-proxy;
			fastcgi_temp_path $T/nginx-fastcgi;
			uwsgi_temp_path $T/nginx-uwsgi;
			scgi_temp_path $T/nginx-scgi;
			$1
		}
	END
}

# What a server of nginx answers.
# shellcheck disable=SC2034 # the tests read it
nginx_answer='location / { return 200 "$request_method $request_uri\n"; }'

nginx_start() {
	: >$T/nginx.access
	nginx -e $T/nginx.log -c $T/nginx.conf >>$T/nginx.log 2>&1 7>&- || bail "nginx starts" "$(tail -5 $T/nginx.log)"
}

nginx_reload() { nginx -e $T/nginx.log -c $T/nginx.conf -s reload 2>>$T/nginx.err 7>&-; }

# nginx_saw [AWK CONDITION]: how many requests were answered 200.
nginx_saw() { awk "\$3 == 200 && (${1:-1})" $T/nginx.access | wc -l; }

nginx_saw_least() { [ "$(nginx_saw "${2:-1}")" -ge "$1" ]; }

# nginx_workers: how many worker processes have answered so far.
nginx_workers() { awk '{print $4}' $T/nginx.access | sort -u | wc -l; }

# nginx_connections [AWK CONDITION]: on how many connections requests came.
nginx_connections() { awk "(${1:-1}) {print \$4, \$5}" $T/nginx.access | sort -u | wc -l; }

# nginx_twice METHOD: how many requests of a method were performed more than once.
nginx_twice() { awk -v m="$1" '$2 == m && $3 == 200 {print $1}' $T/nginx.access | sort | uniq -d | wc -l; }

# --- HAProxy ------------------------------------------------------------------------------------

# haproxy_config SECTIONS [GLOBAL]: writes haproxy.cfg. Its log, haproxy.access, has a line a request:
# STATUS PID TLS RESUMED; what it answers itself has none.
haproxy_config() {
	cat >$T/haproxy.cfg <<-END
		global
			log stdout format raw local0
			pidfile $T/haproxy.pid
			${2:-}
		defaults
			mode http
			log global
			timeout connect 10s
			timeout client 10s
			timeout server 10s
			log-format "%ST %pid %sslv %[ssl_fc_is_resumed]"
		$1
	END
}

# haproxy_start [OPTIONS]: of haproxy, such as -sf PID. Leaves its pid in haproxy_pid.
haproxy_start() {
	haproxy -f $T/haproxy.cfg -db "$@" >>$T/haproxy.access 2>>$T/haproxy.err 7>&- &
	# shellcheck disable=SC2034 # the tests read it
	haproxy_pid=$!
}

haproxy_saw_least() { [ "$(wc -l <$T/haproxy.access)" -ge "$1" ]; }

# haproxy_answered PID: that process has answered a request.
haproxy_answered() { grep -qE "^[0-9]+ $1 " $T/haproxy.access; }

# --- Python -------------------------------------------------------------------------------------

# python_start KIND [OPTIONS]: tests/interop/http_server.py.
python_start() {
	: >$T/python.out
	python3 "$interop/http_server.py" "$@" >>$T/python.out 2>>$T/python.err 7>&- &
	python_pid=$!
	wait_line $T/python.out listening
}

# Its counts are in python.json afterwards.
python_stop() {
	kill -TERM "$python_pid"
	wait "$python_pid" || bail "Python's server ends" "$(tail -5 $T/python.err)"
	tail -n 1 $T/python.out >$T/python.json
}

# counted FILTER: of jq, from what Python's server counted.
counted() { jq -r "$1" $T/python.json; }

# listens PORT...: something does, on each of them.
listens() {
	local port

	for port; do
		[ -n "$(ss -Hltn "sport = $port")" ] || return 1
	done
}
