%% What a finder does: the process that knows whom a target that gives several is now. Bound beforehand: Daemon, Key, Number,
%% of the target, Timeout, of a look, Naming, whether to tell what they are called, and What: {children, Supervisor}, {pg,
%% Scope, Group}, or {find, Hook}. It is linked to the daemon and ends with it.
%%
%% It tells {Key, Number, {members, Pids, Names}} at first and whenever they are others, each name in the place of its
%% process, '' of one that has none, and {Key, Number, {failed, Reason}} when a look has failed. It looks each second, and
%% when one has died after 1, 2, 4, up to 100 ms until there are as many as before, for ten seconds at most. A look is done
%% by another process, which may take as long as Timeout. Nothing receives `after` a time, for the reason in session.erl.
put('$harnessd', finder), % chaos.erl does nothing to those that bear this mark
Finder = self(),

Where =
    fun(Pid) when is_pid(Pid) -> Pid;
       (Name) when is_atom(Name) -> whereis(Name);
       ({global, Name}) -> global:whereis_name(Name);
       ({via, Module, Name}) -> Module:whereis_name(Name);
       ({Name, Node}) when Node =:= node() -> whereis(Name);
       ({Name, Node}) -> erpc:call(Node, erlang, whereis, [Name], Timeout)
    end,

%% Whom a supervisor has started and is linked to. It is not asked: it may be busy, or none that we know.
IsChild =
    fun(Pid, Supervisor, Name) ->
        case try process_info(Pid, parent) catch error:_ -> unknown end of
            {parent, Supervisor} ->
                true;
            _ ->
                case process_info(Pid, dictionary) of
                    {dictionary, Dictionary} ->
                        case lists:keyfind('$ancestors', 1, Dictionary) of
                            {_, [First | _]} -> First =:= Supervisor orelse First =:= Name;
                            _ -> false
                        end;
                    _ ->
                        false
                end
        end
    end,
Children =
    fun(Supervisor) ->
        case is_pid(Supervisor) andalso process_info(Supervisor, [links, registered_name]) of
            [{links, Links}, {registered_name, Registered}] ->
                Name = case Registered of [] -> Supervisor; _ -> Registered end,
                [Pid || Pid <- lists:sort(Links), is_pid(Pid), node(Pid) =:= node(), IsChild(Pid, Supervisor, Name)];
            _ ->
                []
        end
    end,
Members =
    fun() ->
        case What of
            {children, Supervisor} ->
                case Where(Supervisor) of
                    Pid when is_pid(Pid), node(Pid) =/= node() ->
                        erpc:call(node(Pid), erlang, apply, [Children, [Pid]], Timeout);
                    Pid ->
                        Children(Pid)
                end;
            {pg, Scope, Group} ->
                try pg:get_members(Scope, Group) catch error:badarg -> [] end;
            {find, Hook} ->
                case case Hook of {Module, Function, Extra} -> apply(Module, Function, Extra); _ -> Hook() end of
                    {error, Reason} -> error(Reason);
                    List when is_list(List) -> [Where(One) || One <- List];
                    One -> [Where(One)]
                end
        end
    end,
%% --- What they are called ---

%% A child by its registered name, else by {Ancestor, Id}: its id, and the name of its supervisor, or of the nearest above
%% that has one. Only a supervisor of OTP's is asked for ids, and none that has very many children. Of one that does not
%% answer at once, as it may be starting children just now, nobody is told who is not called something anyway.
OfChildren =
    fun(Supervisor, Pids) ->
        Registered = fun(Pid) -> case process_info(Pid, registered_name) of {_, Name} -> Name; _ -> '' end end,
        Nameless = [Pid || Pid <- Pids, Registered(Pid) =:= ''],
        IsAsked = Nameless =/= [] andalso element(1, proc_lib:translate_initial_call(Supervisor)) =:= supervisor andalso
            case process_info(Supervisor, memory) of {memory, Bytes} -> Bytes < 1 bsl 20; _ -> false end,
        Ids = case IsAsked andalso try gen_server:call(Supervisor, which_children, 100) catch _:_ -> late end of
                  late -> late;
                  List when is_list(List) -> maps:from_list([{Pid, Id} || {Id, Pid, _, _} <- List, Id =/= undefined]);
                  _ -> #{}
              end,
        Above = fun Above([Name | _]) when is_atom(Name) -> Name;
                    Above([Pid | Left]) when is_pid(Pid), node(Pid) =:= node() ->
                        case Registered(Pid) of '' -> Above(Left); Name -> Name end;
                    Above([_ | Left]) -> Above(Left);
                    Above(_) -> Supervisor
                end,
        Ancestors = case process_info(Supervisor, dictionary) of
                        {dictionary, Dictionary} -> proplists:get_value('$ancestors', Dictionary, []);
                        _ -> []
                    end,
        [{Pid, case {Registered(Pid), Ids} of
                   {'', #{Pid := Id}} -> {Above([Supervisor | Ancestors]), Id};
                   {Name, _} -> Name
               end} || Pid <- Pids, Ids =/= late orelse Registered(Pid) =/= '']
    end,
%% Others by {Name, Node}.
Registered =
    fun(Pids) ->
        [{Pid, case process_info(Pid, registered_name) of {_, Name} -> {Name, node()}; _ -> '' end} || Pid <- Pids]
    end,
%% Of those that are new, where they are; of whom nothing can be known now, nothing.
Names =
    fun([], _) ->
            [];
       (New, {children, Supervisor}) ->
            case Where(Supervisor) of
                Pid when is_pid(Pid), node(Pid) =:= node() -> OfChildren(Pid, [One || One <- New, node(One) =:= node()]);
                Pid when is_pid(Pid) ->
                    erpc:call(node(Pid), erlang, apply, [OfChildren, [Pid, [One || One <- New, node(One) =:= node(Pid)]]], 1000);
                _ -> []
            end;
       (New, _) ->
            lists:append([try erpc:call(Node, erlang, apply, [Registered, [[Pid || Pid <- New, node(Pid) =:= Node]]], 1000)
                          catch _:_ -> []
                          end || Node <- lists:usort([node(Pid) || Pid <- New])])
    end,
Named =
    fun(_, _) when not Naming -> #{};
       (Pids, Known) ->
            New = [Pid || Pid <- Pids, not is_map_key(Pid, Known)],
            maps:merge(maps:with(Pids, Known), maps:from_list(try Names(New, What) catch _:_ -> [] end))
    end,

%% --- Looking at them ---

IsAlive = fun(Pid) -> is_pid(Pid) andalso (node(Pid) =/= node() orelse is_process_alive(Pid)) end,

%% What a look ends with, given the names that are known.
Look =
    fun(Known) ->
        put('$harnessd', worker),
        exit(try
                 Pids = lists:sublist(lists:usort(lists:filter(IsAlive, Members())), 10000),
                 {members, Pids, Named(Pids, Known)}
             catch Class:Reason -> {failed, {Class, Reason}}
             end)
    end,

%% Known has the monitor of each member, State: names, those of members that are known; looking, the process and monitor of
%% a look that goes on, or none; wanted, how many there are to be, or none, delay, before the next look, and till, when
%% nobody hurries any more; told, what was told.
Tick = fun(Milliseconds, Name) -> erlang:start_timer(Milliseconds, Finder, Name) end,
Now = fun() -> erlang:monotonic_time(millisecond) end,
Serve =
    fun Serve(Known, #{looking := Looking, wanted := Wanted, delay := Delay, till := Till} = State) ->
        #{names := Names1, told := Told} = State,
        Tell =
            fun(Members1, Names2) ->
                case {Members1, [maps:get(Pid, Names2, '') || Pid <- Members1]} of
                    Told -> State#{names := Names2};
                    {_, Names3} = Told1 ->
                        Daemon ! {Key, Number, {members, Members1, Names3}},
                        State#{names := Names2, told := Told1}
                end
            end,
        Start =
            fun() when Looking =:= none ->
                    {Pid, Monitor} = spawn_monitor(fun() -> Look(Names1) end),
                    Tick(Timeout, {late, Pid}),
                    State#{looking := Monitor};
               () ->
                    State
            end,
        Again =
            fun(Next, Count) ->
                case Wanted =/= none andalso Count < Wanted andalso Now() < Till of
                    true -> Tick(Delay, hurry), Next#{delay := min(2 * Delay, 100)};
                    false -> Next#{wanted := none}
                end
            end,
        receive
            {'DOWN', Looking, process, _, {members, Found, Names2}} ->
                Added = [Pid || Pid <- Found, not is_map_key(Pid, Known)],
                Gone = [Pid || Pid <- maps:keys(Known), not lists:member(Pid, Found)],
                [demonitor(map_get(Pid, Known), [flush]) || Pid <- Gone],
                Kept = maps:merge(maps:without(Gone, Known), maps:from_list([{Pid, monitor(process, Pid)} || Pid <- Added])),
                Serve(Kept, Again((Tell(Found, Names2))#{looking := none}, length(Found)));
            {'DOWN', Looking, process, _, Reason} ->
                Failure = case Reason of {failed, Why} -> Why; _ -> Reason end,
                Daemon ! {Key, Number, {failed, Failure}},
                Serve(Known, Again(State#{looking := none}, map_size(Known)));
            {'DOWN', _, process, Pid, _} when is_map_key(Pid, Known) ->
                Left = maps:remove(Pid, Known),
                Hurried = Tell(lists:sort(maps:keys(Left)), Names1),
                case Wanted of
                    none ->
                        Tick(1, hurry),
                        Serve(Left, Hurried#{wanted := map_size(Known), delay := 2, till := Now() + 10000});
                    _ ->
                        Serve(Left, Hurried#{till := Now() + 10000})
                end;
            {Key, again} ->
                Tick(100, hurry),
                Serve(Known, State#{told := none});
            {timeout, _, hurry} ->
                Serve(Known, Start());
            {timeout, _, second} ->
                Tick(1000, second),
                Serve(Known, Start());
            {timeout, _, {late, Pid}} ->
                exit(Pid, kill),
                Serve(Known, State)
        end
    end,
Tick(0, hurry),
Tick(1000, second),
Serve(#{}, #{names => #{}, looking => none, wanted => none, delay => 1, till => 0, told => none}).
