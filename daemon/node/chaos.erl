%% What a chaos agent does: the process on a node through which a run injects faults there. Bound beforehand: Daemon, the
%% process of the run on the daemon, Key, a term that marks the messages between the two, Serial, its own
%% number, and Splits, the cookie that this node gives those that it is to be kept apart from. It is linked to the daemon and ends with it.
%%
%% A request is {Key, Number, Request}; what comes of it is told as {Key, Number, Answer}. Whatever may take its time is
%% done by a worker, which is linked to the agent. Nothing receives `after` a time, for the reason in session.erl.
Agent = self(),
DaemonMonitor = monitor(process, Daemon),
Tell = fun(Number, Answer) -> Daemon ! {Key, Number, Answer} end,

%% --- Who there is ---

Whereis =
    fun(Pid) when is_pid(Pid) -> Pid;
       (Name) when is_atom(Name) -> whereis(Name);
       ({global, Name}) -> global:whereis_name(Name);
       ({via, Module, Name}) -> Module:whereis_name(Name)
    end,

%% The module that a process has started as; of a supervisor the one with its specification, and true.
Origin =
    fun(Pid) ->
        case proc_lib:translate_initial_call(Pid) of
            {supervisor, Module, _} -> {Module, true};
            {proc_lib, init_p, _} ->
                case process_info(Pid, initial_call) of
                    {initial_call, {Module, _, _}} -> {Module, false};
                    undefined -> {erlang, false}
                end;
            {Module, _, _} -> {Module, false}
        end
    end,

%% The application that a process belongs to, '' when there is none. What has started before there were applications, or
%% beside them, counts as the runtime system's (`erts`) or as `kernel` and `stdlib`. An application is known by the group
%% leader, and that of the kernel is also what a node without a terminal gives to scripts and shells: what these have
%% started is not the kernel's.
Application =
    fun(Pid) ->
        Ancestors =
            case process_info(Pid, dictionary) of
                {dictionary, Dictionary} -> proplists:get_value('$ancestors', Dictionary, []);
                undefined -> []
            end,
        {Module, IsSupervisor} = Origin(Pid),
        IsKernel = is_list(Ancestors) andalso
            (lists:member(kernel_sup, Ancestors) orelse lists:member(kernel_safe_sup, Ancestors)),
        case application:get_application(Pid) of
            {ok, Name} when Name =/= kernel; Ancestors =:= [] -> Name;
            _ when IsKernel -> kernel;
            _ ->
                case application:get_application(Module) of
                    {ok, kernel} -> kernel;
                    {ok, stdlib} when IsSupervisor -> stdlib;
                    _ ->
                        case Module =/= erlang andalso code:which(Module) of
                            preloaded -> erts;
                            _ -> ''
                        end
                end
        end
    end,

%% {Id, Pid, Name, Application}; a process of another node has to be looked at there.
Facts =
    fun(Id, Pid) when is_pid(Pid), node(Pid) =:= node() ->
            Name =
                case process_info(Pid, registered_name) of
                    {registered_name, Registered} -> Registered;
                    _ -> ''
                end,
            {Id, Pid, Name, Application(Pid)};
       (Id, Pid) ->
            {Id, Pid, '', ''}
    end,
Known = fun(Pids) -> {found, none, [Facts('', Pid) || Pid <- lists:sublist(Pids, 10000)]} end,

Children =
    fun(Supervisor) ->
        case Whereis(Supervisor) of
            Pid when is_pid(Pid), node(Pid) =/= node() ->
                {elsewhere, Pid};
            Pid when is_pid(Pid) ->
                case is_process_alive(Pid) andalso Origin(Pid) of
                    false ->
                        {failed, noproc};
                    {_, false} ->
                        {failed, not_a_supervisor};
                    {_, true} ->
                        {found, Facts('', Pid),
                         [Facts(Id, Child) || {Id, Child, _, _} <- gen_server:call(Pid, which_children, 5000)]}
                end;
            _ ->
                {failed, noproc}
        end
    end,

Find =
    fun({process, Server}) ->
            case Whereis(Server) of
                Pid when is_pid(Pid), node(Pid) =/= node() -> {elsewhere, Pid};
                Pid when is_pid(Pid) ->
                    case is_process_alive(Pid) of
                        true -> Known([Pid]);
                        false -> {failed, noproc}
                    end;
                _ -> {failed, noproc}
            end;
       ({children, Supervisor}) ->
            Children(Supervisor);
       ({application, Name}) ->
            Known([Pid || Pid <- processes(), Pid =/= Agent, Application(Pid) =:= Name]);
       ({module, Module}) ->
            Known([Pid || Pid <- processes(), Pid =/= Agent, element(1, Origin(Pid)) =:= Module])
    end,

%% --- What is done at once ---

%% {Crashed, Survived, Gone}
Crash =
    fun(Pids, Reason) ->
        Monitors = [monitor(process, Pid) || Pid <- Pids],
        [exit(Pid, Reason) || Pid <- Pids],
        Timer = erlang:start_timer(500, self(), crash),
        lists:foldl(
            fun(Monitor, {Crashed, Survived, Gone}) ->
                receive
                    {'DOWN', Monitor, process, _, noproc} -> {Crashed, Survived, Gone + 1};
                    {'DOWN', Monitor, process, _, _} -> {Crashed + 1, Survived, Gone};
                    {timeout, Timer, crash} = Over ->
                        self() ! Over, % for all that follow
                        demonitor(Monitor, [flush]),
                        {Crashed, Survived + 1, Gone}
                end
            end, {0, 0, 0}, Monitors)
    end,

Act =
    fun({crash, Pids, Reason}) ->
            {crashed, Crash(Pids, Reason)};
       ({flood, Pids, Count, Message}) ->
            Send = fun Send(_, 0) -> ok;
                       Send(Pid, Left) -> Pid ! Message, Send(Pid, Left - 1)
                   end,
            [Send(Pid, Count) || Pid <- Pids],
            done;
       ({garbage_collect, Pids}) ->
            [garbage_collect(Pid) || Pid <- Pids],
            done;
       ({apply, Module, Function, Arguments}) ->
            {returned, apply(Module, Function, Arguments)};
       ({find, What}) ->
            Find(What);
       ({halt}) ->
            erlang:halt(0, [{flush, false}])
    end,

Work =
    fun(Number, Request) ->
        Tell(Number,
             try Act(Request)
             catch Class:Reason -> {failed, {Class, Reason}}
             end)
    end,

%% --- What is held: by a process that is linked to the daemon and has a deadline of its own ---

%% As many as asked for, or as the node has.
Gather =
    fun Gather(0, _, Taken) -> Taken;
        Gather(Left, Take, Taken) ->
            case try {ok, Take()} catch error:_ -> full end of
                {ok, One} -> Gather(Left - 1, Take, [One | Taken]);
                full -> Taken
            end
    end,

%% What keeps it alive, and what is to be gone afterwards.
Seize =
    fun({suspend, Pids}) ->
            Suspended = [Pid || Pid <- Pids,
                         try erlang:suspend_process(Pid) catch error:_ -> false end],
            {Suspended, Suspended};
       ({processes, Count}) ->
            Taken = Gather(Count, fun() -> spawn_link(timer, sleep, [infinity]) end, []),
            {Taken, Taken};
       ({tables, Count}) ->
            Taken = Gather(Count, fun() -> ets:new(harnessd_chaos, [set, public]) end, []),
            {Taken, Taken};
       ({ports, Count}) ->
            Taken = Gather(Count, fun() -> open_port({spawn_driver, "udp_inet"}, []) end, []),
            {Taken, Taken};
       ({memory, Bytes}) ->
            % A megabyte at a time: byte by byte it would take seconds.
            Held = binary:copy(binary:copy(<<0>>, 1 bsl 20), Bytes bsr 20),
            {Held, [{Bytes, erlang:memory(binary)}]};
       ({burn, 0}) ->
            Taken = Gather(erlang:system_info(schedulers_online),
                           fun() -> spawn_link(fun Burn() -> Burn() end) end, []),
            {Taken, Taken};
       ({burn, Count}) ->
            Taken = Gather(Count, fun() -> spawn_link(fun Burn() -> Burn() end) end, []),
            {Taken, Taken}
    end,

IsGone =
    fun(suspend, Pid) -> process_info(Pid, status) =/= {status, suspended};
       (tables, Table) -> ets:info(Table, id) =:= undefined;
       (ports, Port) -> erlang:port_info(Port, id) =:= undefined;
       (memory, {Bytes, Full}) -> erlang:memory(binary) =< Full - Bytes div 2;
       (_, Pid) -> not is_process_alive(Pid)
    end,

%% Looks again until nothing is left, for a second. Memory that others take meanwhile cannot be told apart from what was
%% held, which has no owner any more.
Verify =
    fun Verify(Kind, Things, Tries) ->
        case [Thing || Thing <- Things, not IsGone(Kind, Thing)] of
            [] -> true;
            _ when Tries =:= 0, Kind =:= memory -> true;
            Left when Tries =:= 0 -> {left, length(Left)};
            Left -> timer:sleep(10), Verify(Kind, Left, Tries - 1)
        end
    end,

%% Stands beside the holder, ends it when asked to, and looks whether all that it held is gone.
Keep =
    fun(Number, Fault, Milliseconds) ->
        process_flag(trap_exit, true),
        Keeper = self(),
        Kind = element(1, Fault),
        Holder =
            spawn_link(fun() ->
                link(Daemon),
                {Held, Things} = Seize(Fault),
                Timer = erlang:start_timer(Milliseconds, self(), over),
                Keeper ! {Key, holding, Things},
                receive {timeout, Timer, over} -> exit({shutdown, is_list(Held)}) end
            end),
        Watch =
            fun Watch(Things, State) ->
                receive
                    {Key, holding, Taken} ->
                        Tell(Number, {holding, length(Taken)}),
                        State =:= healing andalso exit(Holder, kill),
                        Watch(Taken, held);
                    {Key, heal} when State =:= seizing ->
                        % What it has by then is not known yet, and could not be looked at.
                        erlang:send_after(2000, Keeper, {Key, kill}),
                        Watch(Things, healing);
                    {Key, Word} when Word =:= heal; Word =:= kill ->
                        exit(Holder, kill),
                        Watch(Things, State);
                    {'EXIT', Holder, Reason} ->
                        Tell(Number, {undone, Verify(Kind, Things, 100), Reason =:= killed});
                    {'EXIT', Agent, Reason} ->
                        exit(Holder, kill),
                        exit(Reason)
                end
            end,
        Watch([], seizing)
    end,

%% --- Nodes that are kept apart: undoing that needs code, and so a guardian that nobody can take along ---

%% The cookie for each other node is one that nobody has, on each side another, so that none of them can connect again.
%% `global` may not act on the first cut before the last is made: with prevent_overlapping_partitions it would have nodes of
%% one group cut the connections between them. It is held up until then, all nodes are told to cut when all are ready.
Guard =
    fun(Number, Others, Milliseconds) ->
        Monitor = monitor(process, Daemon),
        Connected = [Other || Other <- Others, lists:member(Other, nodes(connected))],
        Cookies = [{Other, erlang:get_cookie(Other)} || Other <- Others],
        Global = whereis(global_name_server),
        IsHeld = is_pid(Global) andalso try erlang:suspend_process(Global) catch error:_ -> false end,
        Release = fun() -> IsHeld andalso erlang:resume_process(Global) end,
        [erlang:set_cookie(Other, Splits) || Other <- Others],
        net_kernel:monitor_nodes(true, [{node_type, all}]),
        Tell(Number, {ready}),
        CutTimer = erlang:start_timer(5000, self(), cut),
        IsCut = receive
                    {Key, cut} -> true;
                    {Key, heal} -> false;
                    {'DOWN', Monitor, process, _, _} -> false;
                    {timeout, CutTimer, cut} -> false
                end,
        IsCut andalso [erlang:disconnect_node(Other) || Other <- Others],
        Await =
            fun Await(0) -> ok;
                Await(Tries) ->
                    case [Other || Other <- Others, lists:member(Other, nodes(connected))] of
                        [] -> ok;
                        _ -> timer:sleep(1), Await(Tries - 1)
                    end
            end,
        IsCut andalso Await(500),
        Release(),
        Flush = fun Flush(Ups) ->
                    receive
                        {nodeup, Up, _} -> Flush([Up | Ups]);
                        {nodedown, _, _} -> Flush(Ups)
                    after 0 -> Ups
                    end
                end,
        Flush([]),
        Apart = [Other || Other <- Others, not lists:member(Other, nodes(connected))],
        IsCut andalso Tell(Number, {holding, length(Apart)}),
        OverTimer = erlang:start_timer(Milliseconds, self(), over),
        Early =
            IsCut =:= false orelse
            receive
                {Key, heal} -> true;
                {'DOWN', Monitor, process, _, _} -> true;
                {timeout, OverTimer, over} -> false
            end,
        IsKept = length(Apart) =:= length(Others) andalso
            [Up || Up <- Flush([]), lists:member(Up, Others)] =:= [],
        net_kernel:monitor_nodes(false, [{node_type, all}]),
        [erlang:set_cookie(Other, Cookie) || {Other, Cookie} <- Cookies],
        Connect =
            fun Connect(Nodes, Tries) ->
                case [Node || Node <- Nodes, net_kernel:connect_node(Node) =/= true] of
                    [] -> true;
                    Missing when Tries =:= 0 -> {not_connected, Missing};
                    Missing -> timer:sleep(50), Connect(Missing, Tries - 1)
                end
            end,
        Healed = Connect(Connected, 100),
        Tell(Number, {undone, Healed, Early, IsKept})
    end,

%% --- The agent ---

Serve =
    fun Serve(Keepers) ->
        receive
            {Key, Number, {hold, Fault, Milliseconds}} ->
                Keeper = spawn_link(fun() -> Keep(Number, Fault, Milliseconds) end),
                Serve(Keepers#{Number => Keeper});
            {Key, Number, {split, Others, Milliseconds}} ->
                Guardian = spawn(fun() -> Guard(Number, Others, Milliseconds) end),
                Serve(Keepers#{Number => Guardian});
            {Key, Number, What} when What =:= heal; What =:= cut ->
                case Keepers of
                    #{Number := Keeper} -> Keeper ! {Key, What};
                    _ -> none
                end,
                Serve(Keepers);
            {Key, stop} ->
                exit(shutdown);
            {Key, Number, Request} ->
                spawn_link(fun() -> Work(Number, Request) end),
                Serve(Keepers);
            {'DOWN', DaemonMonitor, process, _, _} ->
                exit(shutdown)
        end
    end,
Tell({agent, Serial}, started),
Serve(#{}).
