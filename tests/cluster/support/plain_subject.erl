%% A server for nodes without Elixir.
-module(plain_subject).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2]).

init(Count) when is_integer(Count) ->
    {ok, Count};
init(_) ->
    {ok, 0}.

handle_call({add, Number}, _From, Count) ->
    {reply, Count + Number, Count + Number};
handle_call({echo, Term}, _From, Count) ->
    {reply, Term, Count};
handle_call(divide, _From, Count) ->
    {reply, 1 / (Count - Count), Count}.

handle_cast({add, Number}, Count) ->
    {noreply, Count + Number}.
