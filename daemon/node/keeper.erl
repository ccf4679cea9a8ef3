%% What the keeper of a fault that lasts does. Bound beforehand: Agent, which has started it, Daemon and Key as there, the
%% Number of the request, the Fault, Milliseconds, how long it is to last, and GuardianSource, the text of guardian.erl.
%%
%% The fault is held by a process beside it, the holder, which is linked to the daemon so that it ends with it. The keeper
%% ends the holder when its time is over or when asked to, looks whether all that it has held is gone, and tells of it.
%% A holder that ends before that is told of at once, so that the other nodes of the fault let go as well.
%% Nothing receives `after` a time, for the reason in session.erl.
put('$harnessd', keeper),
process_flag(trap_exit, true),
Keeper = self(),
Clock = fun() -> erlang:monotonic_time(nanosecond) end,

%% A daemon that stands still reads nothing, and with that whoever sends to it comes to stand still, too. So another
%% process does that: the keeper has to see to what it holds.
Teller =
    spawn_link(fun() ->
        put('$harnessd', keeper),
        Monitor = monitor(process, Keeper),
        Pass =
            fun Pass() ->
                receive
                    {Key, tell, Answer} -> Daemon ! Answer, Pass();
                    {'DOWN', Monitor, process, _, _} -> ok
                end
            end,
        Pass()
    end),
Tell = fun(Answer) -> Teller ! {Key, tell, {Key, Number, Answer, {node(), Clock()}}} end,

%% --- What is held ---

%% As many as asked for, as there are, or as there is time for, which is looked at with every so many.
Gather =
    fun Gather(0, _, _, Taken) -> Taken;
        Gather(Left, Every, Take, Taken) ->
            IsEnough = Left rem Every =:= 0 andalso receive {Key, enough} -> true after 0 -> false end,
            case IsEnough orelse try {ok, Take()} catch error:_ -> full end of
                {ok, One} -> Gather(Left - 1, Every, Take, [One | Taken]);
                _ -> Taken
            end
    end,

%% The bytes that the system has left: the least that it and the control group of this node say.
Available =
    fun() ->
        Read =
            fun(File) ->
                try binary_to_integer(string:trim(element(2, prim_file:read_file(File)))) catch error:_ -> none end
            end,
        OfSystem =
            case prim_file:read_file("/proc/meminfo") of
                {ok, Text} ->
                    case re:run(Text, "MemAvailable: *(\\d+) kB", [{capture, all_but_first, binary}]) of
                        {match, [Kilobytes]} -> [binary_to_integer(Kilobytes) * 1024];
                        nomatch -> []
                    end;
                _ -> []
            end,
        OfGroup =
            [Most - Used || {MostFile, UsedFile} <- [{"memory.max", "memory.current"},
                                                     {"memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"}],
                            Most <- [Read("/sys/fs/cgroup/" ++ MostFile)], is_integer(Most),
                            Used <- [Read("/sys/fs/cgroup/" ++ UsedFile)], is_integer(Used)],
        case OfSystem ++ OfGroup of
            [] -> none;
            All -> max(0, lists:min(All))
        end
    end,

%% In megabytes of their own, at most four fifths of what is there: a node that has none left is ended by the system.
%% Where the system does not say how much there is, it is a gigabyte at most.
GatherMemory =
    fun(Megabytes) ->
        Available0 = Available(),
        Most = case Available0 of none -> 1024; _ -> (Available0 - Available0 div 5) bsr 20 end,
        Megabyte = binary:copy(<<0>>, 1 bsl 20),
        Count = counters:new(1, []),
        Gather(min(Megabytes, Most), 16,
               fun() ->
                   counters:add(Count, 1, 1),
                   counters:get(Count, 1) rem 16 =:= 0 andalso is_integer(Available0) andalso
                       Available() < Available0 div 5 andalso error(full),
                   binary:copy(Megabyte)
               end, [])
    end,

%% What keeps it alive, and what is to be gone afterwards.
Seize =
    fun({suspend, Pids}) ->
            Suspended = [Pid || Pid <- Pids,
                         try erlang:suspend_process(Pid) catch error:_ -> false end],
            {Suspended, Suspended};
       ({processes, Count}) ->
            Taken = Gather(Count, 1000, fun() -> spawn_link(timer, sleep, [infinity]) end, []),
            {Taken, Taken};
       ({tables, Count}) ->
            Taken = Gather(Count, 1000, fun() -> ets:new(harnessd_chaos, [set, public]) end, []),
            {Taken, Taken};
       ({ports, Count}) ->
            Taken = Gather(Count, 1000, fun() -> open_port({spawn_driver, "udp_inet"}, []) end, []),
            {Taken, Taken};
       ({memory, Megabytes}) ->
            Held = GatherMemory(Megabytes),
            {Held, {length(Held), erlang:memory(binary)}};
       ({burn, 0}) ->
            Taken = Gather(erlang:system_info(schedulers_online), 1000,
                           fun() -> spawn_link(fun Burn() -> Burn() end) end, []),
            {Taken, Taken};
       ({burn, Count}) ->
            Taken = Gather(Count, 1000, fun() -> spawn_link(fun Burn() -> Burn() end) end, []),
            {Taken, Taken}
    end,

%% Another holder may have suspended the same process.
IsSuspendedByUs =
    fun(Pid) ->
        process_info(Pid, status) =:= {status, suspended} andalso
            [Other || Other <- processes(), {suspending, Suspended} <- [process_info(Other, suspending)],
                      lists:keymember(Pid, 1, Suspended)] =:= []
    end,

IsGone =
    fun(suspend, Pid) -> not IsSuspendedByUs(Pid);
       (tables, Table) -> ets:info(Table, id) =:= undefined;
       (ports, Port) -> erlang:port_info(Port, id) =:= undefined;
       (_, Pid) -> not is_process_alive(Pid)
    end,

%% Looks again until nothing is left, for a second. Nobody but its holder, which is dead, has had the memory, and what
%% others take meanwhile cannot be told apart from it: it is waited for and not judged.
Verify =
    fun Verify(memory, {Megabytes, Full} = Things, Tries) ->
            case erlang:memory(binary) =< Full - Megabytes * 9 * (1 bsl 20) div 10 of
                false when Tries > 0 -> timer:sleep(10), Verify(memory, Things, Tries - 1);
                _ -> true
            end;
        Verify(Kind, Things, Tries) ->
            case [Thing || Thing <- Things, not IsGone(Kind, Thing)] of
                [] -> true;
                Left when Tries =:= 0 -> {left, length(Left)};
                Left -> timer:sleep(10), Verify(Kind, Left, Tries - 1)
            end
    end,

%% --- Nodes that are kept apart: the guardian of this node does so for as long as the holder lives (guardian.erl) ---

%% The guardian that is there, or one that is started.
Take =
    fun Take(_, 0) ->
            exit({failed, no_guardian});
        Take(Others, Tries) ->
            Self = self(),
            Guardian =
                case whereis(harnessd_guardian) of
                    undefined ->
                        {ok, Tokens, _} = erl_scan:string(binary_to_list(GuardianSource)),
                        {ok, Forms} = erl_parse:parse_exprs(Tokens),
                        spawn(erl_eval, exprs, [Forms, [{'Starter', Self}]]);
                    Pid -> Pid
                end,
            Monitor = monitor(process, Guardian),
            Guardian ! {take, Self, Monitor, Others},
            receive
                {Monitor, {taken, Before}} -> {Monitor, Before};
                {Monitor, Failed} -> exit(Failed);
                {'DOWN', Monitor, process, _, _} -> timer:sleep(1), Take(Others, Tries - 1)
            end
    end,

Connected = fun(Nodes) -> [Node || Node <- Nodes, lists:member(Node, nodes(connected))] end,

%% `global` may not act on the first cut before the last is made: with prevent_overlapping_partitions it would have nodes
%% of one group cut the connections between them. It is held up until then, so that it is in three steps: all nodes are
%% ready, which takes nothing there, all brace themselves, all cut. Nobody is braced for longer than the keeper allows.
Split =
    fun(Others) ->
        Keeper ! {Key, ready},
        receive {Key, brace} -> ok end,
        {Monitor, Before} = Take(Others, 100),
        Keeper ! {Key, braced, Before},
        Global = whereis(global_name_server),
        IsHeld = is_pid(Global) andalso try erlang:suspend_process(Global) catch error:_ -> false end,
        Keeper ! {Key, braced},
        receive {Key, cut} -> ok end,
        At = Clock(),
        [erlang:disconnect_node(Other) || Other <- Others],
        Await =
            fun Await(0) -> ok;
                Await(Tries) -> Connected(Others) =:= [] orelse begin timer:sleep(1), Await(Tries - 1) end
            end,
        Await(500),
        IsHeld andalso erlang:resume_process(Global),
        Keeper ! {Key, holding, {Before, Others -- Connected(Others)}, At},
        Stay =
            fun Stay(M) ->
                receive {'DOWN', M, process, _, _} -> {Next, _} = Take(Others, 100), Stay(Next) end
            end,
        Stay(Monitor)
    end,

%% A node that has ended by itself is nobody's to connect again.
HasEnded =
    fun(Node) ->
        [Name, Host] = string:split(atom_to_list(Node), "@"),
        try erl_epmd:port_please(Name, Host) =:= noport catch _:_ -> false end
    end,

%% The nodes that this holder had are no longer kept from this one, and everybody is connected who was before.
VerifySplit =
    fun VerifySplit(Holder, Others, Before, Until) ->
        #{cookies := Cookies, holds := Holds} = persistent_term:get(harnessd_apart, #{cookies => #{}, holds => #{}}),
        Free = fun(Nodes) -> [Node || Node <- Nodes, not is_map_key(Node, Cookies)] end,
        Wrong = [Other || Other <- Free(Others), lists:prefix("harnessd_", atom_to_list(erlang:get_cookie(Other)))],
        Missing = Free(Before) -- Connected(Before),
        case {is_map_key(Holder, Holds), Wrong, [Node || Node <- Missing, net_kernel:connect_node(Node) =/= true]} of
            {false, [], []} -> true;
            {IsHeld, _, Away} ->
                case erlang:monotonic_time(millisecond) < Until of
                    true -> timer:sleep(20), VerifySplit(Holder, Others, Before, Until);
                    false when IsHeld -> still_held;
                    false when Wrong =/= [] -> {wrong_cookies, Wrong};
                    false ->
                        case [Node || Node <- Away, not HasEnded(Node)] of
                            [] -> true;
                            Left -> {not_connected, Left}
                        end
                end
        end
    end,

%% Whether the nodes have been apart all the time, and which others were cut off beside them.
HowKept =
    fun(Others, Before, Apart) ->
        Flush = fun Flush(Ups, Downs) ->
                    receive
                        {nodeup, Node, _} -> Flush([Node | Ups], Downs);
                        {nodedown, Node, _} -> Flush(Ups, [Node | Downs])
                    after 0 -> {Ups, Downs}
                    end
                end,
        {Ups, Downs} = Flush([], []),
        case [Node || Node <- lists:usort(Downs), lists:member(Node, Before), not lists:member(Node, Others)] of
            _ when length(Apart) < length(Others) -> not_kept_apart;
            [] ->
                case [Up || Up <- Ups, lists:member(Up, Others)] of
                    [] -> true;
                    _ -> not_kept_apart
                end;
            AlsoCut -> {also_cut, AlsoCut}
        end
    end,

%% --- The keeper ---

Kind = element(1, Fault),
Hold =
    fun({split, Others}) ->
            Split(Others);
       (_) ->
            {Held, Things} = Seize(Fault),
            Keeper ! {Key, holding, Things, Clock()},
            receive {Key, never} -> Held end
    end,
Amount =
    fun({_, Apart}) when Kind =:= split -> length(Apart);
       ({Megabytes, _}) -> Megabytes;
       (Things) -> length(Things)
    end,
Undone =
    fun(Holder, State) when Kind =:= split ->
            {_, Others} = Fault,
            {Before, How} =
                case State of
                    {held, {Was, Apart}} -> {Was, HowKept(Others, Was, Apart)};
                    {braced, Was} -> {Was, true};
                    seizing -> {[], true}
                end,
            {undone, VerifySplit(Holder, Others, Before, erlang:monotonic_time(millisecond) + 5000), How};
       (_, {held, Things}) ->
            {undone, Verify(Kind, Things, 100), true};
       (_, seizing) ->
            {undone, not_looked_at, true}
    end,
%% Until nodes are ready, which takes nothing, and from when they brace themselves until they are apart. The daemon may
%% stand still meanwhile.
ReadyMost = 10000,
BracedMost = 1500,
Cause = fun({Error, Stack}) when is_list(Stack) -> {holder_lost, Error}; (Reason) -> {holder_lost, Reason} end,
%% State is seizing, {braced, Before} or {held, Things}, Timer when it is over, IsOver whether it is already.
Watch =
    fun Watch(Holder, State, Timer, IsOver) ->
        IsHeld = is_tuple(State) andalso element(1, State) =:= held,
        receive
            {Key, ready} ->
                Tell({ready}),
                Watch(Holder, State, Timer, IsOver);
            {Key, brace} ->
                Holder ! {Key, brace},
                Watch(Holder, State, erlang:start_timer(BracedMost, Keeper, over), IsOver);
            {Key, braced, Before} ->
                Watch(Holder, {braced, Before}, Timer, IsOver);
            {Key, braced} ->
                Tell({braced}),
                Watch(Holder, State, Timer, IsOver);
            {Key, cut} ->
                Holder ! {Key, cut},
                Watch(Holder, State, Timer, IsOver);
            {Key, holding, Things, At} ->
                Tell({holding, Amount(Things), At}),
                IsOver andalso exit(Holder, kill),
                Watch(Holder, {held, Things}, erlang:start_timer(Milliseconds, Keeper, over), IsOver);
            {timeout, Timer, over} when Kind =:= split, not IsOver, not IsHeld ->
                Tell({let_go, not_cut_in_time}),
                exit(Holder, kill),
                Watch(Holder, State, Timer, true);
            {timeout, Timer, over} ->
                Keeper ! {Key, case IsOver of true -> kill; false -> heal end},
                Watch(Holder, State, Timer, IsOver);
            {timeout, _, over} ->
                Watch(Holder, State, Timer, IsOver);
            {Key, heal} when State =:= seizing, Kind =/= split, IsOver ->
                Watch(Holder, State, Timer, IsOver);
            {Key, heal} when State =:= seizing, Kind =/= split ->
                % What it has by then is not known here, and could not be looked at: it says so if it can.
                Holder ! {Key, enough},
                Watch(Holder, State, erlang:start_timer(1000, Keeper, over), true);
            {Key, Word} when Word =:= heal; Word =:= kill ->
                exit(Holder, kill),
                Watch(Holder, State, Timer, true);
            {'EXIT', Holder, {failed, Reason}} when State =:= seizing ->
                Tell({failed, Reason});
            {'EXIT', Holder, Reason} ->
                At = Clock(),
                IsOver orelse Tell({let_go, Cause(Reason)}),
                Tell(erlang:append_element(Undone(Holder, State), At));
            {'EXIT', Agent, _} ->
                exit(Holder, kill),
                exit(shutdown);
            {'EXIT', Teller, Reason} ->
                exit(Holder, kill),
                exit({teller_lost, Reason})
        end
    end,
Kind =:= split andalso net_kernel:monitor_nodes(true, [{node_type, all}]),
TheHolder =
    try
        spawn_link(fun() ->
            put('$harnessd', holder),
            link(Daemon),
            Hold(Fault)
        end)
    catch
        error:Why -> Why
    end,
case TheHolder of
    % To seize it may take longer than it is held.
    Pid when is_pid(Pid) ->
        Most = case Kind of split -> ReadyMost; _ -> max(Milliseconds, 2000) end,
        Watch(Pid, seizing, erlang:start_timer(Most, Keeper, over), false);
    _ -> Tell({failed, TheHolder})
end.
