%% How operations spread over virtual threads that think, and what memory so many take.
-module(harness_threads).
-behaviour(harness_client).

-export([measure/2]).

%% How long calls take on a slow machine is not what is measured here.
-define(CALL_TIMEOUT_MS, 60000).

%% THREADS THINK_MS SECONDS: peak_mb of the daemon, the making of the report included; fewest, most and mean
%% operations of a thread; silent, the number of those that have made none.
measure(Client, [Threads, ThinkMs, Seconds]) ->
    Load = #{threads => Threads, think_ms => ThinkMs, duration_ms => Seconds * 1000},
    Scenario = (harness_client:scenario(Client, Load))#{call_timeout_ms => ?CALL_TIMEOUT_MS, abort_when => []},
    #{threads := Reports, metrics := #{total_operations := Operations}} = harness_client:run(Client, Scenario),
    Counts = [Count || #{operations := Count} <- Reports],
    Threads = length(Counts),
    Operations = lists:sum(Counts),
    [{peak_mb, bench_process:peak_bytes(harness_client:process_id(Client)) / 1000000},
     {fewest, lists:min(Counts)},
     {most, lists:max(Counts)},
     {mean, Operations / Threads},
     {silent, length([Count || Count <- Counts, Count =:= 0])}].
