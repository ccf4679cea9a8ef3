%% What a session does: the process on a user's node in which the hooks of a run are applied. It is evaluated there,
%% expression by expression, by erl_eval:exprs/2, so that nothing has to be installed. Bound beforehand: Daemon, the
%% process of the run on the daemon, Key, a term that marks the messages between the two, Caller, who asked for the run,
%% or none, LeaderWanted, whether the session has yet to take the caller's group leader, and Looks, whether it is to know
%% what was there before setup.
%%
%% It traps exits, holds what the hooks start and link to it, and takes that along when it ends. It looks only at
%% messages with the Key and at exits of its workers: all others stay for the hooks.
%%
%% Nothing that is evaluated may receive `after` a time: when the time is over while a message is being matched, which
%% erl_eval does in Erlang and may take until the process is scheduled out, the process goes on after the receive with
%% the stack of the match, and the node crashes (seen with OTP 25). What waits for a time is sent a message by a timer.
put('$harnessd', session), % chaos.erl does nothing to those that bear this mark
process_flag(trap_exit, true),
Session = self(),
IsCallerHere = is_pid(Caller) andalso node(Caller) =:= node(),
case LeaderWanted andalso IsCallerHere andalso process_info(Caller, group_leader) of
    {group_leader, Leader} -> group_leader(Leader, Session);
    _ -> true
end,

%% Whom hooks act for, as tasks say it: mocks and sandboxes of databases look for their owner there.
Dictionary =
    case IsCallerHere andalso process_info(Caller, dictionary) of
        {dictionary, Pairs} -> Pairs;
        _ -> []
    end,
Lineage =
    fun(Name) ->
        Older = case lists:keyfind(Name, 1, Dictionary) of
                    {_, List} when is_list(List) -> List;
                    _ -> []
                end,
        case IsCallerHere of
            true -> [Caller | Older];
            false -> []
        end
    end,
Callers = Lineage('$callers'),
Ancestors = Lineage('$ancestors'),
put('$callers', Callers),
put('$ancestors', Ancestors),
Descend =
    fun() ->
        put('$harnessd', worker),
        put('$callers', [Session | Callers]),
        put('$ancestors', [Session | Ancestors])
    end,
{HasElixir, Normalize} =
    case code:ensure_loaded('Elixir.Exception') of
        {module, _} ->
            {true, fun(error, Reason, Stack) -> 'Elixir.Exception':normalize(error, Reason, Stack);
                      (_, Reason, _) -> Reason
                   end};
        _ ->
            {false, fun(_, Reason, _) -> Reason end}
    end,
HasTelemetry = erlang:function_exported(telemetry, execute, 3),

%% --- What is there before setup ---

%% The processes of this node, and those that have a name on another one. What another node does not tell in time counts
%% for nothing.
Named =
    fun() ->
        {ok, Tokens, _} = erl_scan:string("[erlang:whereis(Name) || Name <- erlang:registered()]."),
        {ok, Forms} = erl_parse:parse_exprs(Tokens),
        Others = nodes(connected) -- [node(Daemon)],
        Local = [Pid || {ok, {value, Pids, _}} <- erpc:multicall(Others, erl_eval, exprs, [Forms, []], 1000),
                        Pid <- Pids],
        [global:whereis_name(Name) || Name <- global:registered_names()] ++ Local
    end,
Looks andalso put('$harnessd_before', {processes(), Named()}),

%% Whether the cleanup of those who name none has nothing to end: what was there before is not setup's, nor is what the
%% caller is linked to, who would end with it.
IsSpared =
    fun(_, undefined) -> false;
       (Subject, _) when Subject =:= Session; Subject =:= Caller -> true;
       (Subject, {Here, There}) ->
            lists:member(Subject, case node(Subject) =:= node() of true -> Here; false -> There end) orelse
                case IsCallerHere andalso process_info(Caller, links) of
                    {links, Links} -> lists:member(Subject, Links);
                    _ -> false
                end
    end,

%% The cleanup of those who name none: ends what setup has made, by force after a second.
Stop =
    fun(Subject) ->
        Monitor = monitor(process, Subject),
        unlink(Subject),
        exit(Subject, shutdown),
        Timer = erlang:start_timer(1000, Session, stop),
        receive
            {'DOWN', Monitor, process, _, _} ->
                erlang:cancel_timer(Timer),
                receive {timeout, Timer, stop} -> ok after 0 -> ok end;
            {timeout, Timer, stop} ->
                exit(Subject, kill),
                receive {'DOWN', Monitor, process, _, _} -> ok end
        end
    end,

%% The library raises this where a cast is to be synchronised strictly and the server does not know how.
Strict =
    fun(Server, Message) when HasElixir ->
            Inspect = fun(Term) -> 'Elixir.Kernel':inspect(Term) end,
            error('Elixir.ArgumentError':exception(
                <<"GenServer ", (Inspect(Server))/binary, " must handle ", (Inspect(Message))/binary,
                  " to use cast_and_sync/4 in strict mode">>));
       (Server, Message) ->
            error({missing_sync_handler, Server, Message})
    end,

Apply =
    fun(Hook, Arguments) ->
        try
            case Hook of
                none -> ok;
                stop -> Stop(hd(Arguments));
                strict -> apply(Strict, Arguments);
                {Module, Function, Extra} -> apply(Module, Function, Arguments ++ Extra);
                _ -> apply(Hook, Arguments)
            end
        of
            Value -> {returned, Value}
        catch
            Class:Reason:Stack -> {raised, Class, Normalize(Class, Reason, Stack), Stack}
        end
    end,

%% A function of a module takes the place of its operation, as a second argument, if it does not take the subject alone.
Fit =
    fun({Module, Function, Extra}, [Subject, _] = Both) ->
            code:ensure_loaded(Module),
            Arity = length(Extra),
            case erlang:function_exported(Module, Function, Arity + 2) andalso
                not erlang:function_exported(Module, Function, Arity + 1)
            of
                true -> Both;
                false -> [Subject]
            end;
       (_, Arguments) ->
            Arguments
    end,

%% --- Threads that are set up ---

%% What crew.erl does, linked to the session.
StartCrew =
    fun(Source, Setup, Cleanup, Timeout) ->
        {ok, Tokens, _} = erl_scan:string(binary_to_list(Source)),
        {ok, Forms} = erl_parse:parse_exprs(Tokens),
        Bindings = [{'Apply', Apply}, {'Cleanup', Cleanup}, {'Daemon', Daemon}, {'Descend', Descend}, {'Fit', Fit},
                    {'Key', Key}, {'Session', Session}, {'Setup', Setup}, {'Timeout', Timeout}],
        spawn_link(fun() -> erl_eval:exprs(Forms, Bindings) end)
    end,
ReleaseThreads =
    fun(undefined, _) ->
            none;
       (Crew, Timeout) ->
            Monitor = monitor(process, Crew),
            Crew ! {Key, release, self()},
            Timer = erlang:start_timer(Timeout, self(), {Key, release}),
            receive
                {Key, released, Failure} -> demonitor(Monitor, [flush]), Failure;
                {'DOWN', Monitor, process, _, _} -> none;
                {timeout, Timer, {Key, release}} -> none
            end
    end,

%% --- The session ---

%% Stands beside the session, which may be busy with a hook that never ends. When the session is gone it ends the workers
%% that have outlived it; when the daemon or the link to it is gone, it cleans up, as nobody else does, and takes the
%% session down. Cleanup is what there is to do: none, {Hook, Arguments, Timeout}, or {cleaning, Timeout} while the session
%% does it already.
Janitor =
    spawn(fun() ->
        put('$harnessd', janitor),
        DaemonMonitor = monitor(process, Daemon),
        SessionMonitor = monitor(process, Session),
        Kill = fun(Workers) -> [exit(Worker, kill) || Worker <- maps:keys(Workers)] end,
        Clean =
            fun(none) ->
                    ok;
               ({cleaning, Timeout}) ->
                    Timer = erlang:start_timer(Timeout, self(), cleaning),
                    receive {Key, cleaned} -> ok; {timeout, Timer, cleaning} -> ok end;
               ({Hook, Arguments, Timeout}) ->
                    {Cleaner, CleanerMonitor} = spawn_monitor(fun() -> Descend(), Apply(Hook, Arguments) end),
                    Timer = erlang:start_timer(Timeout, self(), cleaning),
                    receive
                        {'DOWN', CleanerMonitor, process, _, _} -> ok;
                        {timeout, Timer, cleaning} -> exit(Cleaner, kill)
                    end
            end,
        Watch =
            fun Watch(Cleanup, Workers) ->
                receive
                    {Key, crew, Crew, Timeout} ->
                        put(crew, {Crew, Timeout}),
                        Watch(Cleanup, Workers);
                    {Key, cleanup, Hook, Arguments, Timeout} ->
                        Watch({Hook, Arguments, Timeout}, Workers);
                    {Key, cleaning, Timeout} ->
                        Watch({cleaning, Timeout}, Workers);
                    {Key, cleaned} ->
                        Watch(none, Workers);
                    {Key, worker, Worker} ->
                        Watch(Cleanup, Workers#{Worker => true});
                    {Key, worked, Worker} ->
                        Watch(Cleanup, maps:remove(Worker, Workers));
                    {'DOWN', SessionMonitor, process, _, _} ->
                        Kill(Workers);
                    {'DOWN', DaemonMonitor, process, _, normal} ->
                        % The run is over, and the session was told to stop: it has telemetry to execute at most.
                        Timer = erlang:start_timer(5000, self(), stopping),
                        receive
                            {'DOWN', SessionMonitor, process, _, _} -> ok;
                            {timeout, Timer, stopping} -> exit(Session, kill)
                        end,
                        Kill(Workers);
                    {'DOWN', DaemonMonitor, process, _, _} ->
                        Kill(Workers),
                        case get(crew) of
                            undefined -> none;
                            {Crew, Timeout} -> ReleaseThreads(Crew, Timeout)
                        end,
                        Clean(Cleanup),
                        exit(Session, kill)
                end
            end,
        Watch(none, #{})
    end),

Measure =
    fun() ->
        garbage_collect(),
        {reductions, Reductions} = process_info(Session, reductions),
        {erlang:memory(total), Reductions}
    end,

StartWorker =
    fun(Of, Hook, Arguments) ->
        Worker = spawn_link(fun() -> Descend(), Daemon ! {Key, Of, Apply(Hook, Arguments)} end),
        Janitor ! {Key, worker, Worker},
        Worker
    end,

%% The next command, or the end of a worker. What is long of a command has come ahead of it, and the command has an atom
%% in its place.
Next =
    fun Next(Workers, Given) ->
        receive
            {Key, given, Value} ->
                Next(Workers, Given ++ [Value]);
            Command when element(1, Command) =:= Key, Given =:= [] ->
                Command;
            Command when element(1, Command) =:= Key ->
                % A last one may have come instead of what it was given for.
                {Elements, _} = lists:mapfoldl(fun('$harnessd_given', [Value | Others]) -> {Value, Others};
                                                  (Element, Others) -> {Element, Others}
                                               end, Given, tuple_to_list(Command)),
                list_to_tuple(Elements);
            {'EXIT', Worker, _} = Exit when is_map_key(Worker, Workers), Given =:= [] ->
                Exit
        end
    end,

Serve =
    fun Serve(Workers) ->
        case Next(Workers, []) of
            {Key, setup, Of, Hook, Cleanup, Timeout} ->
                Was = erase('$harnessd_before'),
                Outcome = Apply(Hook, []),
                Arm =
                    fun(Pid, Context) ->
                        Spared = IsSpared(Pid, Was),
                        Spared andalso unlink(Pid),
                        Spared orelse (Janitor ! {Key, cleanup, Cleanup, [Pid, Context], Timeout}),
                        {returned, Spared, element(2, Outcome)}
                    end,
                Daemon ! {Key, Of, case Outcome of
                                       {returned, {ok, Pid}} when is_pid(Pid) -> Arm(Pid, #{});
                                       {returned, {ok, Pid, Context}} when is_pid(Pid), is_map(Context) -> Arm(Pid, Context);
                                       _ -> Outcome
                                   end},
                Serve(Workers);
            {Key, hook, Of, Hook, Subject, Context} ->
                Daemon ! {Key, Of, Apply(Hook, [Subject, Context])},
                Serve(Workers);
            {Key, invariant, Of, Hook, Subject, Context, Report} ->
                Daemon ! {Key, Of, Apply(Hook, [Subject, maps:merge(Context, Report)])},
                Serve(Workers);
            {Key, clean, Of, Hook, Timeout, Subject, Context} ->
                Janitor ! {Key, cleaning, Timeout},
                Released = ReleaseThreads(erase('$harnessd_crew'), Timeout),
                Outcome = Apply(Hook, [Subject, Context]),
                Janitor ! {Key, cleaned},
                Daemon ! {Key, Of, case Outcome of
                                       {returned, _} when Released =/= none -> Released;
                                       _ -> Outcome
                                   end},
                Serve(Workers);
            {Key, threads, Source, Setup, Cleanup, Timeout} ->
                Crew = StartCrew(Source, Setup, Cleanup, Timeout),
                put('$harnessd_crew', Crew),
                Janitor ! {Key, crew, Crew, Timeout + 1000},
                Serve(Workers);
            {Key, thread, _, _, _} = Order ->
                get('$harnessd_crew') ! Order,
                Serve(Workers);
            {Key, work, Of, Hook, Arguments} ->
                Serve(Workers#{StartWorker(Of, Hook, Fit(Hook, Arguments)) => Of});
            {Key, chaos, Of, Hook, RunId, Metadata, Subject, Context} ->
                Arguments = [Subject, #{metadata => Metadata#{scenario_id => RunId}, setup_context => Context}],
                Serve(Workers#{StartWorker(Of, Hook, Arguments) => Of});
            {Key, find, {Thread, Step} = Of} = Order ->
                case [Worker || {Worker, Is} <- maps:to_list(Workers), Is =:= Of] of
                    [Worker | _] -> Daemon ! {Key, {find, Thread, Step}, Worker};
                    [] -> is_pid(get('$harnessd_crew')) andalso (get('$harnessd_crew') ! Order)
                end,
                Serve(Workers);
            {'EXIT', Worker, Reason} ->
                Janitor ! {Key, worked, Worker},
                Reason =:= normal orelse (Daemon ! {Key, map_get(Worker, Workers), {exited, Reason}}),
                Serve(maps:remove(Worker, Workers));
            {Key, cleanup, Hook, Timeout, Subject, Context} ->
                Janitor ! {Key, cleanup, Hook, [Subject, Context], Timeout},
                Serve(Workers);
            {Key, stop_work} = Order ->
                is_pid(get('$harnessd_crew')) andalso (get('$harnessd_crew') ! Order),
                [begin
                     unlink(Worker),
                     exit(Worker, kill),
                     Janitor ! {Key, worked, Worker}
                 end || Worker <- maps:keys(Workers)],
                Serve(#{});
            {Key, measure, Of} ->
                Daemon ! {Key, Of, {returned, Measure()}},
                Serve(Workers);
            {Key, telemetry, Event, Measurements, Metadata} ->
                try telemetry:execute(Event, Measurements, Metadata) catch _:_ -> ok end,
                Serve(Workers);
            {Key, stop} ->
                exit(shutdown);
            _ -> % of threads that were released too late
                Serve(Workers)
        end
    end,
Daemon ! {Key, started, {started, HasElixir, HasTelemetry}},
Serve(#{}).
