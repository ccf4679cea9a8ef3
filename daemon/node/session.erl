%% What a session does: the process on a user's node in which the hooks of a run are applied. It is evaluated there,
%% expression by expression, by erl_eval:exprs/2, so that nothing has to be installed. Bound beforehand: Daemon, the
%% process of the run on the daemon, Key, a term that marks the messages between the two, and Caller, whose group leader
%% becomes the session's, or none when the session has it already.
%%
%% It traps exits, holds what the hooks start and link to it, and takes that along when it ends. It looks only at
%% messages with the Key and at exits of its workers: all others stay for the hooks.
process_flag(trap_exit, true),
Session = self(),
case is_pid(Caller) andalso node(Caller) =:= node() andalso process_info(Caller, group_leader) of
    {group_leader, Leader} -> group_leader(Leader, Session);
    _ -> true
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

%% The cleanup of those who name none: ends what setup has made, by force after a second.
Stop =
    fun(Subject) ->
        Monitor = monitor(process, Subject),
        unlink(Subject),
        exit(Subject, shutdown),
        receive
            {'DOWN', Monitor, process, _, _} -> ok
        after 1000 ->
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

%% When the daemon or the link to it is gone, nobody else cleans up. This process does it beside the session, which
%% may be busy with a hook that never ends, and then takes the session down.
Janitor =
    spawn(fun() ->
        DaemonMonitor = monitor(process, Daemon),
        SessionMonitor = monitor(process, Session),
        Watch =
            fun Watch(Cleanup) ->
                receive
                    {Key, cleanup, Hook, Arguments, Timeout} ->
                        Watch({Hook, Arguments, Timeout});
                    {'DOWN', SessionMonitor, process, _, _} ->
                        ok;
                    {'DOWN', DaemonMonitor, process, _, normal} ->
                        Watch(none); % the run is over, and the session was told to stop
                    {'DOWN', DaemonMonitor, process, _, _} ->
                        case Cleanup of
                            none ->
                                ok;
                            {Hook, Arguments, Timeout} ->
                                {Cleaner, CleanerMonitor} = spawn_monitor(fun() -> Apply(Hook, Arguments) end),
                                receive
                                    {'DOWN', CleanerMonitor, process, _, _} -> ok
                                after Timeout ->
                                    exit(Cleaner, kill)
                                end
                        end,
                        exit(Session, kill)
                end
            end,
        Watch(none)
    end),

Measure =
    fun() ->
        garbage_collect(),
        {reductions, Reductions} = process_info(Session, reductions),
        {erlang:memory(total), Reductions}
    end,

Serve =
    fun Serve(Workers) ->
        receive
            {Key, hook, Number, Hook, Arguments} ->
                Daemon ! {Key, Number, Apply(Hook, Arguments)},
                Serve(Workers);
            {Key, work, Number, Hook, Arguments} ->
                Worker = spawn_link(fun() -> Daemon ! {Key, Number, Apply(Hook, Arguments)} end),
                Serve(Workers#{Worker => Number});
            {'EXIT', Worker, Reason} when is_map_key(Worker, Workers) ->
                Reason =:= normal orelse (Daemon ! {Key, map_get(Worker, Workers), {exited, Reason}}),
                Serve(maps:remove(Worker, Workers));
            {Key, cleanup, Hook, Arguments, Timeout} ->
                Janitor ! {Key, cleanup, Hook, Arguments, Timeout},
                Serve(Workers);
            {Key, stop_work} ->
                [begin unlink(Worker), exit(Worker, kill) end || Worker <- maps:keys(Workers)],
                Serve(#{});
            {Key, measure, Number} ->
                Daemon ! {Key, Number, {returned, Measure()}},
                Serve(Workers);
            {Key, telemetry, Event, Measurements, Metadata} ->
                try telemetry:execute(Event, Measurements, Metadata) catch _:_ -> ok end,
                Serve(Workers);
            {Key, stop} ->
                exit(shutdown)
        end
    end,
Daemon ! {Key, started, {started, HasElixir, HasTelemetry}},
Serve(#{}).
