%% The subject of every client of the bench: a plain gen_server, registered as bench_server, that counts.
-module(bench_server).
-behaviour(gen_server).

-export([start/0, handled/0, suspend/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

%% For `erl -s bench_server start`: prints `ready` once calls are served, stops the node if that fails.
start() ->
    persistent_term:put(?MODULE, counters:new(1, [])),
    case gen_server:start({local, ?MODULE}, ?MODULE, [], []) of
        {ok, _Pid} ->
            io:format("ready~n");
        {error, Reason} ->
            io:format(standard_error, "bench_server: ~p~n", [Reason]),
            halt(1)
    end.

%% How many calls and casts it has handled so far. Does not disturb the server, whatever waits for it.
handled() ->
    counters:get(persistent_term:get(?MODULE), 1).

%% Keeps the server from running for so long.
suspend(Milliseconds) ->
    Server = whereis(?MODULE),
    true = erlang:suspend_process(Server),
    timer:sleep(Milliseconds),
    true = erlang:resume_process(Server).

%% The state is the counter.
init([]) ->
    {ok, persistent_term:get(?MODULE)}.

handle_call(ping, _From, Counter) ->
    counters:add(Counter, 1, 1),
    {reply, pong, Counter}.

handle_cast(tick, Counter) ->
    counters:add(Counter, 1, 1),
    {noreply, Counter}.

handle_info(_Message, Counter) ->
    {noreply, Counter}.
