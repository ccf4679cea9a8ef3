%% What the daemon says of the service times of its calls, to be held against what others have seen of the same calls.
-module(harness_truth).
-behaviour(harness_client).

-export([measure/2]).

%% An open load has room for all that arrive in this time.
-define(ROOM_S, 2).

%% closed IN_FLIGHT MILLISECONDS, or open RATE MILLISECONDS, as 0 IN_FLIGHT ... and 1 RATE ...; behind that, for calls of a
%% reflector, the creation and the number of its process.
measure(Client, [Kind, Number, Milliseconds]) ->
    told(harness_client:run(Client, harness_client:scenario(Client, load(Kind, Number, Milliseconds))));
measure(#{server_node := Node} = Client, [Kind, Number, Milliseconds, Creation, Id, Serial]) ->
    Scenario = harness_client:scenario(Client, load(Kind, Number, Milliseconds)),
    told(harness_client:run(Client, Scenario#{target => process(Node, Creation, Id, Serial), hooks_node => node()})).

load(0, InFlight, Milliseconds) ->
    #{threads => InFlight, duration_ms => Milliseconds};
load(1, Rate, Milliseconds) ->
    #{rate => Rate, duration_ms => Milliseconds, arrival => poisson, max_in_flight => Rate * ?ROOM_S}.

told(#{latency := #{overall := #{count := Calls}, service := #{overall := Service} = Told}}) ->
    #{clock := Clock, excluded := Excluded} = Told,
    #{p50_us := P50, p90_us := P90, p99_us := P99, p999_us := P999} = Service,
    [{calls, Calls}, {p50_us, P50}, {p90_us, P90}, {p99_us, P99}, {p999_us, P999}, {excluded, Excluded},
     {by_kernel, case Clock of kernel -> 1; loop -> 0 end}].

%% The pid of a process on a node that is no Erlang: as its node writes it, NEW_PID_EXT.
process(Node, Creation, Id, Serial) ->
    Name = atom_to_binary(Node),
    binary_to_term(<<131, $X, $w, (byte_size(Name)), Name/binary, Id:32, Serial:32, Creation:32>>).
