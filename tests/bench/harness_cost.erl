%% What an operation costs in the steady state of a load.
-module(harness_cost).
-behaviour(harness_client).

-export([measure/2]).

-define(WARM_UP_MS, 1500).
-define(REST_MS, 1000).
%% Threads that always think for the same time and once did something together do so ever after, which is
%% cheaper; fewer threads have done more. So their times differ.
-define(SPREAD_MS, 1).

%% THREADS THINK_MS SECONDS: cpu_us_per_call of the daemon within SECONDS, beginning and end of the run not
%% included, and calls_per_s.
measure(Client, [Threads, ThinkMs, Seconds]) ->
    Load = #{threads => Threads,
             think_ms => {ThinkMs - ?SPREAD_MS, ThinkMs + ?SPREAD_MS},
             duration_ms => ?WARM_UP_MS + Seconds * 1000 + ?REST_MS},
    Before = harness_client:handled(Client),
    Request = harness_client:start(Client, harness_client:scenario(Client, Load)),
    ok = harness_client:wait(Request, fun() -> harness_client:handled(Client) > Before end),
    timer:sleep(?WARM_UP_MS),
    {FirstCalls, FirstUs} = sample(Client),
    timer:sleep(Seconds * 1000),
    {LastCalls, LastUs} = sample(Client),
    _Report = harness_client:finish(Request),
    [{cpu_us_per_call, (LastUs - FirstUs) / (LastCalls - FirstCalls)},
     {calls_per_s, (LastCalls - FirstCalls) / Seconds}].

sample(Client) ->
    {harness_client:handled(Client), bench_process:used_us(harness_client:process_id(Client))}.
