%% Casts per second, as many as the node takes, and how much of them the daemon ever holds.
-module(harness_casts).
-behaviour(harness_client).

-export([measure/2]).

-define(THREADS, 256).
-define(LOOK_MS, 10).

%% SECONDS: casts_per_s, from when the server has handled the first ones to when it has handled the last one;
%% cpu_us_per_cast; queue_mb, by how much the most memory of the daemon is more than with a load of calls.
measure(Client, [Seconds]) ->
    ProcessId = harness_client:process_id(Client),
    Load = #{threads => ?THREADS, duration_ms => Seconds * 1000},
    Calls = harness_client:scenario(Client, Load),
    _ = harness_client:run(Client, Calls),
    MemoryBefore = bench_process:peak_bytes(ProcessId),
    CpuBefore = bench_process:used_us(ProcessId),
    HandledBefore = harness_client:handled(Client),
    Request = harness_client:start(Client, Calls#{operations => [{'$cast', tick}]}),
    ok = harness_client:wait(Request, fun() -> harness_client:handled(Client) > HandledBefore end),
    Start = erlang:monotonic_time(microsecond),
    {Response, LastChange} = watch(Client, Request, HandledBefore, Start),
    {ok, #{metrics := #{total_operations := Casts, operation_errors := 0}}} = Response,
    CpuUs = bench_process:used_us(ProcessId) - CpuBefore,
    End = wait_handled(Client, HandledBefore + Casts, LastChange),
    [{casts_per_s, Casts * 1000000 / (End - Start)},
     {cpu_us_per_cast, CpuUs / Casts},
     {queue_mb, (bench_process:peak_bytes(ProcessId) - MemoryBefore) / 1000000}].

%% Until the run has ended. The second element is what the server had handled when, as far as was seen.
watch(Client, Request, Handled, SinceUs) ->
    Seen = look(Client, Handled, SinceUs),
    case erpc:wait_response(Request, ?LOOK_MS) of
        {response, Response} -> {Response, Seen};
        no_response ->
            {SeenHandled, SeenUs} = Seen,
            watch(Client, Request, SeenHandled, SeenUs)
    end.

look(Client, Handled, SinceUs) ->
    case harness_client:handled(Client) of
        Handled -> {Handled, SinceUs};
        More -> {More, erlang:monotonic_time(microsecond)}
    end.

%% When all were handled. None is lost, or this never ends.
wait_handled(_Client, Wanted, {Wanted, AtUs}) ->
    AtUs;
wait_handled(Client, Wanted, {Handled, SinceUs}) when Handled < Wanted ->
    timer:sleep(?LOOK_MS),
    wait_handled(Client, Wanted, look(Client, Handled, SinceUs)).
