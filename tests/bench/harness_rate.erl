%% Whether operations of an open load start when they are to.
-module(harness_rate).
-behaviour(harness_client).

-export([measure/2]).

%% Room for all that arrive in a second: operations do not wait for the server, only for the daemon.
-define(IN_FLIGHT_SECONDS, 1).

%% RATE SECONDS: rate_per_s that was reached; start_p50_us and start_p99_us, how much later than intended
%% operations were sent; waited_percent of the time in which the daemon had work and no processor.
measure(Client, [Rate, Seconds]) ->
    Load = #{rate => Rate, duration_ms => Seconds * 1000, max_in_flight => Rate * ?IN_FLIGHT_SECONDS},
    ProcessId = harness_client:process_id(Client),
    WaitedBefore = bench_process:waited_us(ProcessId),
    #{metrics := #{total_operations := Operations, duration_ms := DurationMs},
      latency := #{start_delay := #{p50_us := P50, p99_us := P99}}} =
        harness_client:run(Client, harness_client:scenario(Client, Load)),
    WaitedUs = bench_process:waited_us(ProcessId) - WaitedBefore,
    [{rate_per_s, Operations * 1000 / DurationMs},
     {start_p50_us, P50},
     {start_p99_us, P99},
     {waited_percent, WaitedUs / DurationMs / 10}].
