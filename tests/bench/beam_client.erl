%% What users have today: a second BEAM node whose processes sit in gen_server:call/2 loops.
-module(beam_client).

-export([main/1]).

-define(WARM_UP_MS, 300).

%% For `erl -run beam_client main NODE PROCESSES SECONDS`. Prints one line:
%%   calls=N seconds=S calls_per_s=R cpu_us_per_call=C runtime_us_per_call=T
%% where C is the processor time of the whole operating system process and T is by statistics(runtime).
main([Node, Processes, Seconds]) ->
    Server = {bench_server, list_to_atom(Node)},
    try measure(Server, list_to_integer(Processes), list_to_integer(Seconds) * 1000) of
        ok -> halt(0)
    catch
        Class:Reason:Stack ->
            io:format(standard_error, "beam_client: ~p~n", [{Class, Reason, Stack}]),
            halt(1)
    end.

measure(Server, Processes, DurationMs) ->
    _ = run(Server, Processes, ?WARM_UP_MS),
    CpuBefore = bench_cpu:used_us("self"),
    {RuntimeBefore, _} = statistics(runtime),
    Start = erlang:monotonic_time(microsecond),
    Calls = run(Server, Processes, DurationMs),
    ElapsedUs = erlang:monotonic_time(microsecond) - Start,
    {RuntimeAfter, _} = statistics(runtime),
    CpuUs = bench_cpu:used_us("self") - CpuBefore,
    RuntimeUs = (RuntimeAfter - RuntimeBefore) * 1000,
    io:format("calls=~b seconds=~.3f calls_per_s=~.1f cpu_us_per_call=~.3f runtime_us_per_call=~.3f~n",
              [Calls, ElapsedUs / 1000000, Calls * 1000000 / ElapsedUs, CpuUs / Calls, RuntimeUs / Calls]).

%% Calls answered by all processes together.
run(Server, Processes, DurationMs) ->
    Stop = atomics:new(1, []),
    Workers = [spawn_monitor(fun() -> exit({calls, call_until(Stop, Server, 0)}) end)
               || _ <- lists:seq(1, Processes)],
    timer:sleep(DurationMs),
    atomics:put(Stop, 1, 1),
    lists:sum([calls_of(Worker) || Worker <- Workers]).

call_until(Stop, Server, Calls) ->
    pong = gen_server:call(Server, ping),
    case atomics:get(Stop, 1) of
        0 -> call_until(Stop, Server, Calls + 1);
        1 -> Calls + 1
    end.

calls_of({Pid, Monitor}) ->
    receive
        {'DOWN', Monitor, process, Pid, {calls, Calls}} -> Calls;
        {'DOWN', Monitor, process, Pid, Reason} -> error({worker_failed, Reason})
    end.
