%% What a server that does nothing for a while does to latencies: response times, from when operations were to
%% start, must show it; service times, from when they were sent, need not, as little is sent meanwhile.
-module(harness_pause).
-behaviour(harness_client).

-export([measure/2]).

-define(IN_FLIGHT, 100).

%% RATE SECONDS PAUSE_MS: response_p99_ms and service_p99_ms. The pause is in the middle.
measure(#{server_node := ServerNode} = Client, [Rate, Seconds, PauseMs]) ->
    Load = #{rate => Rate, duration_ms => Seconds * 1000, max_in_flight => ?IN_FLIGHT},
    Before = harness_client:handled(Client),
    Request = harness_client:start(Client, harness_client:scenario(Client, Load)),
    HalfWay = Before + Rate * Seconds div 2,
    ok = harness_client:wait(Request, fun() -> harness_client:handled(Client) >= HalfWay end),
    true = erpc:call(ServerNode, bench_server, suspend, [PauseMs]),
    #{latency := #{overall := #{p99_us := Response}, service := #{overall := #{p99_us := Service}}}} =
        harness_client:finish(Request),
    [{response_p99_ms, Response / 1000}, {service_p99_ms, Service / 1000}].
