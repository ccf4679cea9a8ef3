%% What a chaos agent does: the process on a node through which a run injects faults there. Bound beforehand: Daemon, the
%% process of the run on the daemon, Key, a term that marks the messages between the two, Serial, its own number, and
%% KeeperSource and GuardianSource, the texts of keeper.erl and guardian.erl. It is linked to the daemon and ends with it.
%%
%% A request is {Key, Number, Request}; what comes of it is told as {Key, Number, Answer}. Whatever may take its time is
%% done by a process that is linked to the agent, which outlives it: a worker, or of what lasts a keeper. Nothing receives
%% `after` a time, for the reason in session.erl.
%%
%% All processes of ours bear a mark, so that no fault is ever done to them.
put('$harnessd', agent),
process_flag(trap_exit, true),
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

%% What `Fun` says of a module, which takes its time: a worker asks once.
Once =
    fun(What, Fun, Module) ->
        case get({What, Module}) of
            {known, Known} ->
                Known;
            undefined ->
                Answer = Fun(Module),
                put({What, Module}, {known, Answer}),
                Answer
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
        IsLoader = Pid =:= whereis(erl_prim_loader),
        case application:get_application(Pid) of
            _ when IsLoader -> erts;
            {ok, Name} when Name =/= kernel; Ancestors =:= [] -> Name;
            _ when IsKernel -> kernel;
            _ ->
                case Once(application, fun application:get_application/1, Module) of
                    {ok, kernel} -> kernel;
                    {ok, stdlib} when IsSupervisor -> stdlib;
                    _ ->
                        case Module =/= erlang andalso Once(file, fun code:which/1, Module) of
                            preloaded -> erts;
                            _ -> ''
                        end
                end
        end
    end,

Mark =
    fun(Pid) ->
        case is_pid(Pid) andalso process_info(Pid, dictionary) of
            {dictionary, Dictionary} -> proplists:get_value('$harnessd', Dictionary, none);
            _ -> none
        end
    end,
%% What a holder has started bears none, being very many.
IsOurs =
    fun(Pid) when node(Pid) =:= node() ->
            Mark(Pid) =/= none orelse
                case try process_info(Pid, parent) catch error:_ -> none end of
                    {parent, Parent} -> Mark(Parent) =:= holder;
                    _ -> false
                end;
       (_) ->
            false
    end,

%% {Id, Pid, Name, Application}; {Id, Pid} of a process of another node, which has to be looked at there.
Facts =
    fun(Id, Pid) when is_pid(Pid), node(Pid) =:= node() ->
            Name =
                case process_info(Pid, registered_name) of
                    {registered_name, Registered} -> Registered;
                    _ -> ''
                end,
            {Id, Pid, Name, Application(Pid)};
       (Id, Pid) when is_pid(Pid) ->
            {Id, Pid};
       (Id, None) ->
            {Id, None, '', ''}
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
                         [Facts(Id, Child) || {Id, Child, _, _} <- gen_server:call(Pid, which_children, 4000),
                                              not (is_pid(Child) andalso IsOurs(Child))]}
                end;
            _ ->
                {failed, noproc}
        end
    end,

%% What is alive and not ours; of a process of another node that is to be asked there.
Mine = fun(Pids) -> [Pid || Pid <- Pids, is_pid(Pid), node(Pid) =/= node() orelse (is_process_alive(Pid) andalso not IsOurs(Pid))] end,

Find =
    fun({process, Server}) ->
            case Whereis(Server) of
                Pid when is_pid(Pid), node(Pid) =/= node() -> {elsewhere, Pid};
                Pid when is_pid(Pid) ->
                    case {is_process_alive(Pid), IsOurs(Pid)} of
                        {false, _} -> {failed, noproc};
                        {true, true} -> {failed, own_process};
                        {true, false} -> Known([Pid])
                    end;
                _ -> {failed, noproc}
            end;
       ({children, Supervisor}) ->
            Children(Supervisor);
       ({pg, {Scope, Group}}) ->
            Known(Mine(try pg:get_members(Scope, Group) catch error:badarg -> [] end));
       ({hook, Hook}) ->
            Given = case Hook of {Module, Function, Extra} -> apply(Module, Function, Extra); _ -> Hook() end,
            Known(Mine([case One of
                            {Name, Node} when is_atom(Name), is_atom(Node), Name =/= global ->
                                erpc:call(Node, erlang, whereis, [Name], 4000);
                            _ ->
                                Whereis(One)
                        end || One <- case is_list(Given) of true -> Given; false -> [Given] end]));
       ({facts, Pids}) ->
            Known([Pid || Pid <- Pids, is_process_alive(Pid), not IsOurs(Pid)]);
       ({application, Name}) ->
            Known([Pid || Pid <- processes(), Application(Pid) =:= Name, not IsOurs(Pid)]);
       ({module, Module}) ->
            Known([Pid || Pid <- processes(), element(1, Origin(Pid)) =:= Module, not IsOurs(Pid)])
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
        put('$harnessd', worker),
        Tell(Number,
             try Act(Request)
             catch Class:Reason -> {failed, {Class, Reason}}
             end)
    end,

%% --- The agent ---

%% What a keeper does; it is read when the first is needed.
Keep =
    fun(Number, Fault, Milliseconds) ->
        Forms =
            case get(keeper) of
                undefined ->
                    {ok, Tokens, _} = erl_scan:string(binary_to_list(KeeperSource)),
                    {ok, Read} = erl_parse:parse_exprs(Tokens),
                    put(keeper, Read),
                    Read;
                Known0 ->
                    Known0
            end,
        Bindings = [{'Agent', Agent}, {'Daemon', Daemon}, {'Fault', Fault}, {'GuardianSource', GuardianSource},
                    {'Key', Key}, {'Milliseconds', Milliseconds}, {'Number', Number}],
        fun() -> erl_eval:exprs(Forms, Bindings) end
    end,

%% Jobs has the process of each request, Numbers the other way round.
Serve =
    fun Serve(Jobs, Numbers) ->
        Start =
            fun(Number, Job) ->
                case try spawn_link(Job) catch error:Reason -> {failed, Reason} end of
                    Pid when is_pid(Pid) ->
                        Serve(Jobs#{Number => Pid}, Numbers#{Pid => Number});
                    Failed ->
                        Tell(Number, Failed),
                        Serve(Jobs, Numbers)
                end
            end,
        receive
            {Key, Number, {hold, Fault, Milliseconds}} ->
                Start(Number, Keep(Number, Fault, Milliseconds));
            {Key, Number, What} when What =:= heal; What =:= cut ->
                case Jobs of
                    #{Number := Keeper} -> Keeper ! {Key, What};
                    _ -> none
                end,
                Serve(Jobs, Numbers);
            {Key, Number, cancel} ->
                case Jobs of
                    #{Number := Worker} ->
                        unlink(Worker),
                        exit(Worker, kill),
                        Tell(Number, {cancelled}),
                        Serve(maps:remove(Number, Jobs), maps:remove(Worker, Numbers));
                    _ ->
                        Serve(Jobs, Numbers)
                end;
            {Key, stop} ->
                exit(shutdown);
            {Key, Number, Request} ->
                Start(Number, fun() -> Work(Number, Request) end);
            {'EXIT', Pid, Reason} when is_map_key(Pid, Numbers) ->
                Number = map_get(Pid, Numbers),
                case Reason of
                    normal -> ok; % it has told what came of it
                    {Error, Stack} when is_list(Stack) -> Tell(Number, {failed, Error});
                    _ -> Tell(Number, {failed, Reason})
                end,
                Serve(maps:remove(Number, Jobs), maps:remove(Pid, Numbers));
            {'EXIT', _, _} ->
                Serve(Jobs, Numbers);
            {'DOWN', DaemonMonitor, process, _, _} ->
                exit(shutdown)
        end
    end,
Tell({agent, Serial}, started),
Serve(#{}, #{}).
