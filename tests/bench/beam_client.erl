%% What users have today: a second BEAM node whose processes sit in loops of gen_server:call/2 or cast/2.
-module(beam_client).

-export([main/1]).

-define(WARM_UP_MS, 300).

%% For `erl -run beam_client main calls|casts NODE PROCESSES SECONDS`. Prints one line:
%%   calls_per_s=R cpu_us_per_call=C runtime_us_per_call=T
%%   casts_per_s=R cpu_us_per_cast=C
%% where C is the processor time of the whole operating system process and T is by statistics(runtime). Casts
%% are counted until the server has handled the last one.
main([What, Node, Processes, Seconds]) ->
    Server = {bench_server, list_to_atom(Node)},
    try measure(list_to_existing_atom(What), Server, list_to_integer(Processes),
                list_to_integer(Seconds) * 1000) of
        ok -> halt(0)
    catch
        Class:Reason:Stack ->
            io:format(standard_error, "beam_client: ~p~n", [{Class, Reason, Stack}]),
            halt(1)
    end.

measure(calls, Server, Processes, DurationMs) ->
    _ = run(fun call_until/3, Server, Processes, ?WARM_UP_MS),
    {RuntimeBefore, _} = statistics(runtime),
    {Calls, ElapsedUs, CpuUs} = run_timed(fun call_until/3, Server, Processes, DurationMs),
    {RuntimeAfter, _} = statistics(runtime),
    RuntimeUs = (RuntimeAfter - RuntimeBefore) * 1000,
    io:format("calls_per_s=~.1f cpu_us_per_call=~.3f runtime_us_per_call=~.3f~n",
              [Calls * 1000000 / ElapsedUs, CpuUs / Calls, RuntimeUs / Calls]);
measure(casts, Server, Processes, DurationMs) ->
    pong = gen_server:call(Server, ping),
    {Casts, ElapsedUs, CpuUs} = run_timed(fun cast_until/3, Server, Processes, DurationMs),
    io:format("casts_per_s=~.1f cpu_us_per_cast=~.3f~n", [Casts * 1000000 / ElapsedUs, CpuUs / Casts]).

run_timed(Loop, Server, Processes, DurationMs) ->
    CpuBefore = bench_process:used_us("self"),
    Start = erlang:monotonic_time(microsecond),
    Operations = run(Loop, Server, Processes, DurationMs),
    ElapsedUs = erlang:monotonic_time(microsecond) - Start,
    {Operations, ElapsedUs, bench_process:used_us("self") - CpuBefore}.

%% Operations of all processes together.
run(Loop, Server, Processes, DurationMs) ->
    Stop = atomics:new(1, []),
    Workers = [spawn_monitor(fun() -> exit({operations, Loop(Stop, Server, 0)}) end)
               || _ <- lists:seq(1, Processes)],
    timer:sleep(DurationMs),
    atomics:put(Stop, 1, 1),
    lists:sum([operations_of(Worker) || Worker <- Workers]).

call_until(Stop, Server, Calls) ->
    pong = gen_server:call(Server, ping),
    case atomics:get(Stop, 1) of
        0 -> call_until(Stop, Server, Calls + 1);
        1 -> Calls + 1
    end.

%% A call after the last cast of each process is answered when all of them were handled.
cast_until(Stop, Server, Casts) ->
    ok = gen_server:cast(Server, tick),
    case atomics:get(Stop, 1) of
        0 -> cast_until(Stop, Server, Casts + 1);
        1 -> pong = gen_server:call(Server, ping, infinity), Casts + 1
    end.

operations_of({Pid, Monitor}) ->
    receive
        {'DOWN', Monitor, process, Pid, {operations, Operations}} -> Operations;
        {'DOWN', Monitor, process, Pid, Reason} -> error({worker_failed, Reason})
    end.
