#!/bin/sh
# guard.sh LOG COMMAND...: runs the command with its output in the file LOG, prints its process id, and ends
# with its status. When our standard input closes, which it does when the BEAM node that started us dies, the
# command is killed: nothing outlives the tests.
log=$1
shift
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
pid=$!
echo "$pid"
(
    cat <&3 >/dev/null
    kill -9 "$pid" 2>/dev/null
) >/dev/null &
watcher=$!
exec 3<&- 2>/dev/null
wait "$pid"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
