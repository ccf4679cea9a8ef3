%% Calls per second and what they cost; with one call in flight, how long a call takes.
-module(harness_calls).
-behaviour(harness_client).

-export([measure/2]).

-define(LATENCY_CALLS, 5000).

%% IN_FLIGHT SECONDS: calls_per_s and cpu_us_per_call, which is the processor time of the daemon, the reading
%% of the scenario and the making of the report included. With one in flight 5,000 calls are made, whatever
%% SECONDS says, and there is also median_us.
measure(Client, [1, _Seconds]) ->
    Scenario = (harness_client:scenario(Client, #{threads => 1, iterations => ?LATENCY_CALLS}))#{events => all},
    {#{events := Events}, Figures} = run_timed(Client, Scenario),
    ?LATENCY_CALLS = length(Events),
    Figures ++ [{median_us, median(lists:sort([event_us(Event) || Event <- Events]))}];
measure(Client, [InFlight, Seconds]) ->
    Load = #{threads => InFlight, duration_ms => Seconds * 1000},
    {_Report, Figures} = run_timed(Client, harness_client:scenario(Client, Load)),
    Figures.

run_timed(Client, Scenario) ->
    ProcessId = harness_client:process_id(Client),
    CpuBefore = bench_process:used_us(ProcessId),
    Report = harness_client:run(Client, Scenario),
    CpuUs = bench_process:used_us(ProcessId) - CpuBefore,
    #{metrics := #{total_operations := Calls, duration_ms := DurationMs}} = Report,
    {Report, [{calls_per_s, Calls * 1000 / max(1, DurationMs)}, {cpu_us_per_call, CpuUs / Calls}]}.

event_us(#{result := {ok, pong}, duration_us := DurationUs}) ->
    DurationUs.

median(Sorted) ->
    Count = length(Sorted),
    (lists:nth((Count + 1) div 2, Sorted) + lists:nth(Count div 2 + 1, Sorted)) / 2.
