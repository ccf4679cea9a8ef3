%% Whether a long run needs more memory than a short one.
-module(harness_memory).
-behaviour(harness_client).

-export([measure/2]).

-define(THREADS, 250).

%% OPERATIONS THINK_MS: early_mb and late_mb, the daemon's memory after a tenth of them and just before the last ones.
measure(Client, [Operations, ThinkMs]) ->
    ProcessId = harness_client:process_id(Client),
    Load = #{threads => ?THREADS, iterations => Operations div ?THREADS, think_ms => ThinkMs},
    Before = harness_client:handled(Client),
    Request = harness_client:start(Client, harness_client:scenario(Client, Load)),
    Sample = fun(Handled) ->
        ok = harness_client:wait(Request, fun() -> harness_client:handled(Client) >= Before + Handled end),
        bench_process:resident_bytes(ProcessId)
    end,
    Early = Sample(Operations div 10),
    Late = Sample(Operations - Operations div 100),
    #{metrics := #{total_operations := Operations}} = harness_client:finish(Request),
    [{early_mb, Early / 1000000}, {late_mb, Late / 1000000}].
