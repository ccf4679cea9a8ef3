%% What the crew of a session does: it has a process for each thread that has custom operations, where a scenario has them set
%% up. Threads has {Pid, none | {state, State}, idle | Of | {Of, Hook, Arguments}} of each number, what is to be applied as
%% long as the thread is being set up; Numbers is the other way round, and Lost has the states of those that were ended. Bound beforehand: Setup, Cleanup, the hooks, or none, Timeout, of each of them, Session, Daemon and Key as there, and
%% what it shares with the session: Apply, Descend and Fit.
%%
%% A thread's process applies one operation after the other. What it is linked to goes with it; when it has died it is made
%% anew for the next operation. Who is told to release cleans up all threads, answers {Key, released, Failure}, and ends;
%% that it does by itself when the session has ended. Nothing receives `after` a time, for the reason in session.erl.
put('$harnessd', crew),
process_flag(trap_exit, true),
Crew = self(),

Thread =
    fun(Number) ->
        Descend(),
        case Apply(Setup, [#{thread => Number}]) of
            {returned, State} ->
                Crew ! {Key, set_up, self(), State},
                Work =
                    fun Work() ->
                        receive
                            {Key, work, Of, Hook, Arguments} ->
                                Placed = case Fit(Hook, Arguments) of
                                             [Subject, Place] -> [Subject, Place#{state := State}];
                                             Alone -> Alone
                                         end,
                                Crew ! {Key, done, self(), Of, Apply(Hook, Placed)},
                                Work();
                            {Key, release} ->
                                Crew ! {Key, cleaned, self(), Apply(Cleanup, [State])},
                                exit(shutdown)
                        end
                    end,
                Work();
            {raised, error, Exception, Stack} ->
                Crew ! {Key, not_set_up, self(), Exception, Stack};
            {raised, Class, Reason, Stack} ->
                Crew ! {Key, not_set_up, self(), {Class, Reason}, Stack}
        end
    end,

CleanUp =
    fun(State) ->
        spawn_link(fun() -> Descend(), Crew ! {Key, cleaned, self(), Apply(Cleanup, [State])} end)
    end,
Limit = fun(Pid) -> erlang:start_timer(Timeout, Crew, {late, Pid}), Pid end,
End = fun(Pid) -> unlink(Pid), exit(Pid, kill) end,
%% The first failure, in the order of the threads.
Collect =
    fun Collect(Waiting, Failures) when map_size(Waiting) =:= 0 ->
            case lists:sort(Failures) of
                [] -> none;
                [{_, Failure} | _] -> Failure
            end;
        Collect(Waiting, Failures) ->
            receive
                {Key, cleaned, Pid, Outcome} when is_map_key(Pid, Waiting) ->
                    Collect(maps:remove(Pid, Waiting),
                            [{map_get(Pid, Waiting), Outcome} || element(1, Outcome) =:= raised] ++ Failures);
                {'EXIT', Pid, Reason} when is_map_key(Pid, Waiting) ->
                    Collect(maps:remove(Pid, Waiting),
                            [{map_get(Pid, Waiting), {raised, exit, Reason, []}} | Failures]);
                {timeout, _, releasing} ->
                    [End(Pid) || Pid <- maps:keys(Waiting)],
                    Collect(#{}, [{Number, {raised, exit, timeout, []}} || Number <- maps:values(Waiting)] ++ Failures)
            end
    end,
%% Who is still at an operation is ended, and its state cleaned up by another process.
Release =
    fun(Threads, Lost) ->
        erlang:start_timer(Timeout, Crew, releasing),
        Waiting =
            [case Thing of
                 {Pid, {state, _}, idle} -> Pid ! {Key, release}, {Pid, Number};
                 {Pid, {state, State}, _} -> End(Pid), {CleanUp(State), Number};
                 {Pid, none, _} -> End(Pid), {Pid, none}
             end || {Number, Thing} <- maps:to_list(Threads)]
            ++ [{CleanUp(State), Number} || {Number, State} <- Lost],
        Collect(maps:from_list([One || {_, Number} = One <- Waiting, Number =/= none]), [])
    end,
Serve =
    fun Serve(Threads, Numbers, Lost) ->
        Forget =
            fun(Pid) ->
                #{Pid := Number} = Numbers,
                Serve(maps:remove(Number, Threads), maps:remove(Pid, Numbers), Lost)
            end,
        Find = fun(Pid) -> map_get(map_get(Pid, Numbers), Threads) end,
        receive
            {Key, thread, {Number, _} = Of, Hook, Arguments} when is_map_key(Number, Threads) ->
                #{Number := {Pid, State, _}} = Threads,
                Pid ! {Key, work, Of, Hook, Arguments},
                Serve(Threads#{Number := {Pid, State, Of}}, Numbers, Lost);
            {Key, thread, {Number, _} = Of, Hook, Arguments} ->
                Pid = Limit(spawn_link(fun() -> Thread(Number) end)),
                Serve(Threads#{Number => {Pid, none, {Of, Hook, Arguments}}}, Numbers#{Pid => Number}, Lost);
            {Key, find, {Number, Step}} when is_map_key(Number, Threads) ->
                Daemon ! {Key, {find, Number, Step}, element(1, map_get(Number, Threads))},
                Serve(Threads, Numbers, Lost);
            {Key, set_up, Pid, State} when is_map_key(Pid, Numbers) ->
                {Pid, none, {Of, Hook, Arguments}} = Find(Pid),
                Daemon ! {Key, Of, set_up},
                Pid ! {Key, work, Of, Hook, Arguments},
                Serve(Threads#{map_get(Pid, Numbers) := {Pid, {state, State}, Of}}, Numbers, Lost);
            {Key, not_set_up, Pid, Exception, Stack} when is_map_key(Pid, Numbers) ->
                {Pid, none, {Of, _, _}} = Find(Pid),
                Daemon ! {Key, Of, {thread_setup_failed, Exception, Stack}},
                Forget(Pid);
            {timeout, _, {late, Pid}} when is_map_key(Pid, Numbers) ->
                case Find(Pid) of
                    {Pid, none, {Of, _, _}} ->
                        End(Pid),
                        Daemon ! {Key, Of, {thread_setup_failed, timeout, []}},
                        Forget(Pid);
                    _ ->
                        Serve(Threads, Numbers, Lost)
                end;
            {timeout, _, {late, Pid}} ->
                exit(Pid, kill),
                Serve(Threads, Numbers, Lost);
            % Whoever is told the outcome may release the thread, which is known to be idle by then.
            {Key, done, Pid, Of, Outcome} when is_map_key(Pid, Numbers) ->
                Daemon ! {Key, Of, Outcome},
                case Find(Pid) of
                    {Pid, State, Of} -> Serve(Threads#{map_get(Pid, Numbers) := {Pid, State, idle}}, Numbers, Lost);
                    _ -> Serve(Threads, Numbers, Lost) % the next one was asked for already
                end;
            {'EXIT', Session, _} ->
                Release(Threads, Lost);
            {'EXIT', Pid, Reason} when is_map_key(Pid, Numbers) ->
                case Find(Pid) of
                    {Pid, none, {Of, _, _}} -> Daemon ! {Key, Of, {thread_setup_failed, {exit, Reason}, []}};
                    {Pid, {state, State}, Of} ->
                        Of =:= idle orelse (Daemon ! {Key, Of, {exited, Reason}}),
                        Limit(CleanUp(State))
                end,
                Forget(Pid);
            {Key, stop_work} ->
                Busy = maps:filter(fun(_, {_, _, Of}) -> Of =/= idle end, Threads),
                [End(Pid) || {Pid, _, _} <- maps:values(Busy)],
                Serve(maps:without(maps:keys(Busy), Threads),
                      maps:without([Pid || {Pid, _, _} <- maps:values(Busy)], Numbers),
                      [{Number, State} || {Number, {_, {state, State}, _}} <- maps:to_list(Busy)] ++ Lost);
            {Key, release, From} ->
                From ! {Key, released, Release(Threads, Lost)};
            _ ->
                Serve(Threads, Numbers, Lost)
        end
    end,
Serve(#{}, #{}, []).
