%% Lets the daemon call bench_server as the other clients do, and reads the figures out of its reports.
-module(harness_client).

-export([main/1]).

-define(LATENCY_CALLS, 5000).
-define(CALL_TIMEOUT_MS, 5000).

%% For `erl -run harness_client main HARNESS_NODE TARGET_NODE DAEMON_PROCESS_ID IN_FLIGHT SECONDS`.
%% Prints one line:
%%   calls=N seconds=S calls_per_s=R cpu_us_per_call=C
%% and, with one in flight (then 5,000 calls are made, whatever SECONDS says), also
%%   median_us=M mean_us=A
%% C is the processor time of the daemon, the reading of the scenario and the making of the report included.
main([HarnessNode, TargetNode, DaemonId, InFlight, Seconds]) ->
    Harness = list_to_atom(HarnessNode),
    Target = {bench_server, list_to_atom(TargetNode)},
    try measure(Harness, Target, DaemonId, list_to_integer(InFlight), list_to_integer(Seconds)) of
        ok -> halt(0)
    catch
        Class:Reason:Stack ->
            %% A report of thousands of events is no message for people.
            io:format(standard_error, "harness_client: ~P~n", [{Class, Reason, Stack}, 60]),
            halt(1)
    end.

measure(Harness, Target, DaemonId, 1, _Seconds) ->
    {Report, CpuUs} = run_timed(Harness, DaemonId,
                                (scenario(Target, #{threads => 1, iterations => ?LATENCY_CALLS}))#{events => all}),
    #{events := Events} = Report,
    ?LATENCY_CALLS = length(Events),
    Durations = lists:sort([event_us(Event) || Event <- Events]),
    print(Report, CpuUs),
    io:format(" median_us=~.1f mean_us=~.1f~n", [median(Durations), lists:sum(Durations) / ?LATENCY_CALLS]);
measure(Harness, Target, DaemonId, Threads, Seconds) ->
    {Report, CpuUs} = run_timed(Harness, DaemonId,
                                scenario(Target, #{threads => Threads, duration_ms => Seconds * 1000})),
    print(Report, CpuUs),
    io:format("~n").

%% Histograms and the timeline are always on; an expectation is judged each second.
scenario(Target, Load) ->
    #{target => Target,
      load => Load,
      operations => [ping],
      events => none,
      performance_expectations => [{max_p99_us, 1000000}, {max_error_rate, 0}],
      abort_when => [max_p99_us],
      call_timeout_ms => ?CALL_TIMEOUT_MS}.

run_timed(Harness, DaemonId, Scenario) ->
    CpuBefore = bench_cpu:used_us(DaemonId),
    Report = run(Harness, Scenario),
    {Report, bench_cpu:used_us(DaemonId) - CpuBefore}.

%% The report of a run in which every call was answered.
run(Harness, Scenario) ->
    {ok, #{metrics := Metrics} = Report} = erpc:call(Harness, harness, run, [Scenario], infinity),
    #{total_operations := Calls, operation_errors := 0} = Metrics,
    true = Calls > 0,
    Report.

print(#{metrics := #{total_operations := Calls, duration_ms := DurationMs}} = Report, CpuUs) ->
    io:format("calls=~b seconds=~.3f calls_per_s=~.1f cpu_us_per_call=~.3f",
              [Calls, DurationMs / 1000, calls_per_second(Report), CpuUs / Calls]).

calls_per_second(#{metrics := #{total_operations := Calls, duration_ms := DurationMs}}) ->
    Calls * 1000 / max(1, DurationMs).

event_us(#{result := {ok, pong}, duration_us := DurationUs}) ->
    DurationUs.

median(Sorted) ->
    Count = length(Sorted),
    (lists:nth((Count + 1) div 2, Sorted) + lists:nth(Count div 2 + 1, Sorted)) / 2.
