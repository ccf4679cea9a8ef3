#!/bin/sh
# harnessd against a RabbitMQ broker: queues that a hook finds are published to, by a channel a thread, and crash. What is
# in them afterwards has to be what the reports say. docs/guide/rabbitmq.md tells how to do that with a broker of yours.
#
#     [HARNESSD=FILE] sh tests/real/rabbitmq.sh
#
# It takes Debian's rabbitmq-server, whose service need not run, and jq. A broker, an epmd and a daemon of its own are
# started in a temporary folder, on loopback and free ports, and ended; a broker of this host is not touched.
# HARNESSD is the daemon (build/release/harnessd), RABBITMQ_PROGRAMS the folder of the broker's programs. Prints what was
# done and a line for each check. The status is 0 if all of them passed, 1 if one has not, 2 if it could not run, 77 if
# something that it takes is not installed.

set -u
tree=$(cd "$(dirname "$0")/../.." && pwd) || exit 2
HARNESSD=${HARNESSD:-$tree/build/release/harnessd}
# What is in /usr/sbin are wrappers for the user and the folders of the service.
broker_programs=${RABBITMQ_PROGRAMS:-/usr/lib/rabbitmq/bin}
scenarios=$tree/tests/real/rabbitmq
exec </dev/null

skip() {
    echo "skipped: $1" >&2
    exit 77
}
[ -x "$broker_programs/rabbitmq-server" ] ||
    skip "there is no $broker_programs/rabbitmq-server: RUNLEVEL=1 apt-get install --no-install-recommends rabbitmq-server"
command -v jq >/dev/null || skip "there is no jq: apt-get install jq"
[ -x "$HARNESSD" ] || {
    echo "There is no $HARNESSD: cmake -S . -B build/release && cmake --build build/release --target harnessd" >&2
    exit 2
}

scratch=$(mktemp -d) || exit 2
running=
stop_all() {
    # In the reverse order of their start: epmd is the last.
    for pid in $running; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$scratch"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

fail() {
    echo "$1" >&2
    shift
    [ $# -eq 0 ] || tail -n 40 "$@" >&2
    exit 2
}

# --- A broker of our own ---

ports=$(erl -noshell -eval '
    Sockets = [element(2, {ok, _} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}])) || _ <- [1, 2, 3]],
    [io:format("~b ", [element(2, {ok, _} = inet:port(Socket))]) || Socket <- Sockets], halt().') || exit 2
set -- $ports
umask 077
export HOME="$scratch" LC_ALL=C.UTF-8 ERL_EPMD_PORT="$1" ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_NODENAME=rabbit@127.0.0.1 RABBITMQ_USE_LONGNAME=true RABBITMQ_DIST_PORT="$2"
export RABBITMQ_MNESIA_BASE="$scratch/data" RABBITMQ_LOG_BASE="$scratch/log" RABBITMQ_PID_FILE="$scratch/pid"
export RABBITMQ_CONFIG_FILE="$scratch/rabbitmq.conf" RABBITMQ_ENABLED_PLUGINS_FILE="$scratch/plugins"
export RABBITMQ_CONF_ENV_FILE="$scratch/environment" RABBITMQ_ADVANCED_CONFIG_FILE="$scratch/advanced.config"
on_loopback='-kernel inet_dist_use_interface {127,0,0,1}'
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="$on_loopback" RABBITMQ_CTL_ERL_ARGS="$on_loopback"
echo "listeners.tcp.1 = 127.0.0.1:$3" >"$RABBITMQ_CONFIG_FILE"
echo '[].' >"$RABBITMQ_ENABLED_PLUGINS_FILE"
echo '[].' >"$RABBITMQ_ADVANCED_CONFIG_FILE"
: >"$RABBITMQ_CONF_ENV_FILE"
od -An -N20 -tx1 /dev/urandom | tr -d ' \n' >"$scratch/.erlang.cookie"
chmod 400 "$scratch/.erlang.cookie"

control() {
    "$broker_programs/rabbitmqctl" --quiet "$@"
}

# The value of Erlang's expressions, on the broker.
evaluate() {
    control eval "$1"
}

echo "Starting a broker in $scratch ..."
epmd=$(command -v epmd) || epmd=$(echo /usr/lib/erlang/erts-*/bin/epmd)
"$epmd" -address 127.0.0.1 >"$scratch/epmd" 2>&1 &
running=$!
"$broker_programs/rabbitmq-server" >"$scratch/broker" 2>&1 &
running="$! $running"
control wait --timeout 120 "$RABBITMQ_PID_FILE" >"$scratch/startup" 2>&1 || fail "The broker does not start:" "$scratch/startup" "$scratch/broker"
evaluate 'list_to_atom("RabbitMQ " ++ rabbit_misc:version() ++ " on OTP " ++ erlang:system_info(otp_release)).'

# Durable classic queues, without messages.
make_queues() {
    evaluate '[begin
            Name = rabbit_misc:r(<<"/">>, queue, Queue),
            case rabbit_amqqueue:lookup(Name) of
                {ok, Old} -> {ok, _} = rabbit_amqqueue:delete(Old, false, false, <<"trial">>);
                {error, not_found} -> ok
            end,
            {new, _} = rabbit_amqqueue:declare(Name, true, false, [], none, <<"trial">>)
        end || Queue <- [<<"orders-1">>, <<"orders-2">>, <<"orders-3">>, <<"orders-4">>]].' >"$scratch/made" ||
        fail "The queues cannot be made:" "$scratch/made"
}

# --- Runs and what came of them ---

passed=0
failed=0
# check TEXT COMMAND...: whether the command says yes.
check() {
    text=$1
    shift
    if "$@" >"$scratch/said" 2>&1; then
        passed=$((passed + 1))
        echo "  ok      $text"
    else
        failed=$((failed + 1))
        echo "  FAILED  $text"
        sed 's/^/          /' "$scratch/said"
    fi
}

# What jq makes of the report of the last run.
of_report() {
    jq --raw-output "$1" "$report"
}

# says EXPRESSION: whether it is true of the report.
says() {
    jq --exit-status "$1" "$report" >/dev/null || {
        of_report '{outcome, reason, errors: .report.errors, injections: .report.injections}'
        return 1
    }
}

# Publishing that went well, that did not, and that was under way when a run was cut short.
count_operations() {
    published='[.report.events[] | select(.name | startswith("publish")) | .result[0]]'
    confirmed=$(of_report "$published | map(select(. == \"ok\")) | length")
    doubtful=$(of_report "($published | map(select(. != \"ok\")) | length) + (.report.metrics.unfinished // 0)")
}

# What the broker says is in its queues.
count_messages() {
    messages=$(control list_queues --no-table-headers messages | awk '{ sum += $1 } END { print sum + 0 }')
}

tell_counts() {
    control list_queues --no-table-headers name messages | sort | sed 's/^/  /'
    echo "  $messages messages in the queues, $confirmed confirmed, $doubtful in doubt"
}

# is_between LOW NUMBER HIGH
is_between() {
    [ "$1" -le "$2" ] && [ "$2" -le "$3" ]
}

# Which process each queue is, a line for each.
queue_processes() {
    control list_queues --no-table-headers name pid | sort
}

# As the scenario names the queue, in JSON.
target_of() {
    printf '["find",["rabbit_amqqueue","pid_of",["/","%s"]]]' "$1"
}

# run [FLAG...]: the scenario, once, from the command line. What came of it is in `status` and `report`.
run() {
    "$HARNESSD" run "$scenarios/orders.json" --connect "$RABBITMQ_NODENAME" --json "$@" >"$report" 2>"$scratch/log of run"
    status=$?
    tail -n 20 "$scratch/log of run"
    of_report '"  \(.outcome): \(.report.metrics.total_operations) operations in \(.report.metrics.duration_ms) ms, errors \(.report.errors)"'
    count_operations
    count_messages
    tell_counts
}
report=$scratch/report.json

echo
echo "== Nothing crashes: as many messages as were confirmed"
make_queues
run --set chaos=null --set 'load={"threads": 16, "iterations": 250}' --set 'performance_expectations={"max_error_rate": 0}'
check "the run is completed, with status 0" [ "$status" = 0 ]
check "no operation has failed" says '.outcome == "completed" and .report.metrics.operation_errors == 0'
check "4,000 operations were made" says '.report.metrics.total_operations == 4000'
check "the queues have each message that was confirmed, and no other" [ "$confirmed" = "$messages" ]
check "nothing is in doubt" [ "$doubtful" = 0 ]

echo
echo "== Two of four queues crash, and the daemon is asked by the broker itself"
make_queues
cat >"$scratch/harnessd.json" <<END
{"node": {"name": "harness@127.0.0.1"}, "epmd": {"start": false}, "http": {"listen": ""},
 "scenario_dir": "$scenarios", "state_dir": "$scratch/state"}
END
"$HARNESSD" --config "$scratch/harnessd.json" >"$scratch/harnessd" 2>&1 &
daemon=$!
running="$daemon $running"
tries=0
until grep -q "ready node=" "$scratch/harnessd"; do
    tries=$((tries + 1))
    kill -0 "$daemon" 2>/dev/null && [ "$tries" -lt 600 ] || fail "The daemon does not start:" "$scratch/harnessd"
    sleep 0.05
done
queue_processes >"$scratch/before"
evaluate "H = 'harness@127.0.0.1',
    {ok, Run} = erpc:call(H, harness, start, [{file, orders}]),
    _ = erpc:call(H, harness, await, [Run]),
    io:put_chars(erpc:call(H, harness, show, [Run]))." || fail "The daemon was not asked:" "$scratch/harnessd"
queue_processes >"$scratch/after"
report=$(echo "$scratch"/state/runs/*.json)
count_operations
count_messages
tell_counts
check "the run is completed, so that no confirmed message is lost or there twice" says '.outcome == "completed"'
check "that was looked at for all of them" says '.report.metrics.events_dropped == 0'
check "the queues have what was confirmed, and no more beside it than is in doubt" \
    is_between "$confirmed" "$messages" $((confirmed + doubtful))
check "both faults were injected" says '[.report.injections[].outcome] == ["ok", "ok"]'
for queue in orders-2 orders-3; do
    check "recovery is told for $queue alone, of the fault that was done to it" says \
        "[.report.injections[] | [.recovery[].target] | select(. == [$(target_of $queue)])] | length == 1"
    check "$queue is another process than before" [ "$(grep "^$queue" "$scratch/before")" != "$(grep "^$queue" "$scratch/after")" ]
done
check "each queue has recovered within two seconds" says '[.report.injections[].recovery[].recovery_ms] | all(. != null and . <= 2000)'
for queue in orders-1 orders-4; do
    check "$queue is the process that it was" [ "$(grep "^$queue" "$scratch/before")" = "$(grep "^$queue" "$scratch/after")" ]
done
check "the broker has started two queues again" [ "$(grep -c "Restarting crashed queue" "$RABBITMQ_LOG_BASE"/*@127.0.0.1.log)" = 2 ]
kill "$daemon"
wait "$daemon"
ended=$?
check "the daemon has ended with status 0" [ "$ended" = 0 ]
report=$scratch/report.json

echo
echo "== The same with messages that are not persistent: a crash loses them, and the run says so"
make_queues
run --set load.duration_ms=6000 --set 'chaos[1].after_ms=4000' --set 'mix[0].op.custom.erlang=fun(Pid, #{state := #{publish := Publish}} = Place) -> Publish(Pid, Place, 1, 100) end'
check "the run has failed, with status 1" [ "$status" = 1 ]
check "messages are lost" says '.outcome == "failed" and .reason[0] == "invariant_failed" and .reason[1].lost > 0'
kept=$((confirmed - $(of_report '.reason[1].lost')))
check "so many as the queues do not have" is_between "$kept" "$messages" $((kept + doubtful))

echo
echo "== What is left on the broker"
evaluate '{nodes(connected), rabbit_direct:list(), rabbit_channel:list_local()}.' >"$scratch/left"
check "no node, connection and channel" grep -q '^{\[.rabbitmqcli[^,]*\],\[\],\[\]}$' "$scratch/left"
cat "$scratch/left"

echo
echo "$passed checks passed, $failed failed"
[ "$failed" = 0 ]
