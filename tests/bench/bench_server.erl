%% The subject of every client of the bench: a plain gen_server, registered as bench_server.
-module(bench_server).
-behaviour(gen_server).

-export([start/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

%% For `erl -s bench_server start`: prints `ready` once calls are served, stops the node if that fails.
start() ->
    case gen_server:start({local, ?MODULE}, ?MODULE, [], []) of
        {ok, _Pid} ->
            io:format("ready~n");
        {error, Reason} ->
            io:format(standard_error, "bench_server: ~p~n", [Reason]),
            halt(1)
    end.

init([]) ->
    {ok, 0}.

%% The state is the number of casts so far.
handle_call(ping, _From, Casts) ->
    {reply, pong, Casts};
handle_call({echo, Term}, _From, Casts) ->
    {reply, Term, Casts};
handle_call(casts, _From, Casts) ->
    {reply, Casts, Casts}.

handle_cast(_Message, Casts) ->
    {noreply, Casts + 1}.

handle_info(_Message, Casts) ->
    {noreply, Casts}.
