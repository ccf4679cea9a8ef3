%% What a chaos agent does: the process on a node through which a run injects faults there. Bound beforehand: Daemon, the
%% process of the run on the daemon, Key, a term that marks the messages between the two, Serial, its own number, and
%% KeeperSource and GuardianSource, the texts of keeper.erl and guardian.erl. It is linked to the daemon and ends with it.
%%
%% A request is {Key, Number, Request}; what comes of it is told as {Key, Number, Answer, {Node, Clock}}, which says when it
%% was told by the clock of this node, by which {effect, Clock} says when a fault took effect. Whatever may take its time is
%% done by a process that is linked to the agent, which outlives it: a worker, or of what lasts a keeper. Nothing receives
%% `after` a time, for the reason in session.erl.
%%
%% All processes of ours bear a mark, so that no fault is ever done to them.
put('$harnessd', agent),
process_flag(trap_exit, true),
Agent = self(),
DaemonMonitor = monitor(process, Daemon),
Clock = fun() -> erlang:monotonic_time(nanosecond) end,
Tell = fun(Number, Answer) -> Daemon ! {Key, Number, Answer, {node(), Clock()}} end,

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

%% --- Supervisors ---

%% A server may die of a call that it does not know. So nobody is asked for its children but
%% - one of OTP, or what says by its initial call that it is one (DynamicSupervisor of Elixir does), by a call;
%% - one whose module is a server with the functions of `supervisor` for others to call (supervisor2 of RabbitMQ and
%%   other forks), by its own which_children/1, whatever that sends;
%% - one that such a supervisor has as a child of type `supervisor` (those of connections and pools), by a call: OTP
%%   itself asks these when it upgrades a release.
%% What a call gives is believed only if it is a list of children.
Within =
    fun(Milliseconds, Ask) ->
        Self = self(),
        {Asker, Monitor} = spawn_monitor(fun() -> put('$harnessd', worker), exit({answer, Self, Ask()}) end),
        Timer = erlang:start_timer(Milliseconds, self(), asked),
        receive
            {'DOWN', Monitor, process, _, {answer, Self, Answer}} -> erlang:cancel_timer(Timer), {ok, Answer};
            {'DOWN', Monitor, process, _, {noproc, _}} -> erlang:cancel_timer(Timer), {failed, noproc};
            {'DOWN', Monitor, process, _, Reason} -> erlang:cancel_timer(Timer), {failed, Reason};
            {timeout, Timer, asked} -> demonitor(Monitor, [flush]), exit(Asker, kill), {failed, timeout}
        end
    end,
IsFork =
    fun(Module) ->
        lists:all(fun({Function, Arity}) -> erlang:function_exported(Module, Function, Arity) end,
                  [{init, 1}, {handle_call, 3}, {which_children, 1}, {start_child, 2}, {terminate_child, 2}])
    end,
ParentOf =
    fun(Pid) ->
        case process_info(Pid, dictionary) of
            {dictionary, Dictionary} ->
                case proplists:get_value('$ancestors', Dictionary, []) of
                    [Parent | _] when is_pid(Parent), node(Parent) =:= node() -> Parent;
                    [Parent | _] when is_atom(Parent) -> whereis(Parent);
                    _ -> undefined
                end;
            undefined ->
                undefined
        end
    end,
%% How it is asked for its children: call, {fork, Module}, or none.
AsItSays = fun(Pid) -> case Origin(Pid) of {_, true} -> call; {Module, false} -> {IsFork(Module), Module} end end,
AskChildren =
    fun(Pid, How, Milliseconds) ->
        Ask = case How of
                  call -> fun() -> gen_server:call(Pid, which_children, infinity) end;
                  {true, Module} -> fun() -> Module:which_children(Pid) end
              end,
        case Within(Milliseconds, Ask) of
            {ok, List} when is_list(List) -> {ok, [Child || {_, _, _, _} = Child <- List]};
            {ok, _} -> {failed, not_a_supervisor};
            {failed, Reason} -> {failed, Reason}
        end
    end,
HowAsked =
    fun(Pid) ->
        case AsItSays(Pid) of
            {false, _} ->
                Parent = ParentOf(Pid),
                case is_pid(Parent) andalso is_process_alive(Parent) andalso AsItSays(Parent) of
                    How when How =:= call; element(1, How) =:= true ->
                        case AskChildren(Parent, How, 2000) of
                            {ok, Siblings} -> case [1 || {_, Child, supervisor, _} <- Siblings, Child =:= Pid] of
                                                  [_ | _] -> call;
                                                  [] -> none
                                              end;
                            _ -> none
                        end;
                    _ -> none
                end;
            How ->
                How
        end
    end,

%% --- What a process is called, and whose it is ---

NameOf =
    fun(Pid) ->
        case process_info(Pid, registered_name) of
            {registered_name, Name} -> Name;
            _ -> ''
        end
    end,

%% '' when none of them has a name.
Ancestor =
    fun(Pid) ->
        Named = fun Named([Name | _]) when is_atom(Name) -> Name;
                    Named([Other | Left]) when is_pid(Other), node(Other) =:= node() ->
                        case NameOf(Other) of '' -> Named(Left); Name -> Name end;
                    Named([_ | Left]) -> Named(Left);
                    Named(_) -> ''
                end,
        case process_info(Pid, dictionary) of
            {dictionary, Dictionary} -> Named(proplists:get_value('$ancestors', Dictionary, []));
            _ -> ''
        end
    end,

%% [{Pid, Id}] of a supervisor's children. It is for people only: so a supervisor that has very many is not asked, and
%% none any more when one has not answered at once.
ChildIds =
    fun(Supervisor) ->
        case is_pid(Supervisor) andalso {process_info(Supervisor, memory), AsItSays(Supervisor), get(is_late)} of
            {{memory, Bytes}, How, undefined} when Bytes < 1 bsl 20, How =:= call; Bytes < 1 bsl 20, element(1, How) ->
                case AskChildren(Supervisor, How, 200) of
                    {ok, Siblings} -> [{Child, Id} || {Id, Child, _, _} <- Siblings];
                    _ -> put(is_late, true), []
                end;
            _ ->
                []
        end
    end,

%% The registered name, or {Ancestor, ChildId}, the nearest ancestor that has one and the id in its own supervisor; of
%% so many processes as are told of.
Called =
    fun(_, Pid, Count) when Count > 100; not is_pid(Pid) -> '';
       (Id, Pid, _) ->
            case {NameOf(Pid), Ancestor(Pid)} of
                {'', ''} -> '';
                {'', Above} when Id =/= '' -> {Above, Id};
                {'', Above} -> {Above, proplists:get_value(Pid, Once(children, ChildIds, ParentOf(Pid)), undefined)};
                {Name, _} -> Name
            end
    end,

%% {Id, Pid, Name, Application, Called}; {Id, Pid} of a process of another node, which has to be looked at there.
Facts =
    fun(Id, Pid, Count) when is_pid(Pid), node(Pid) =:= node() ->
            {Id, Pid, NameOf(Pid), Application(Pid), Called(Id, Pid, Count)};
       (Id, Pid, _) when is_pid(Pid) ->
            {Id, Pid};
       (Id, None, _) ->
            {Id, None, '', '', ''}
    end,
Numbered = fun(List) -> lists:zip(List, lists:seq(1, length(List))) end,
Known = fun(Pids) -> {found, none, [Facts('', Pid, N) || {Pid, N} <- Numbered(lists:sublist(Pids, 10000))]} end,

%% {application, Name} of a supervisor whose fall would end the node: it is the one that the application master of a
%% permanent application has started. '' of any other.
EndedWith =
    fun(Pid) ->
        try
            {ok, Name} = application:get_application(Pid),
            permanent = proplists:get_value(Name, proplists:get_value(started, application:info())),
            Master = application_controller:get_master(Name),
            {ok, {Pid, _}} = Within(1000, fun() -> application_master:get_child(Master) end),
            {application, Name}
        catch
            _:_ -> ''
        end
    end,

Children =
    fun(Supervisor) ->
        case Whereis(Supervisor) of
            Pid when is_pid(Pid), node(Pid) =/= node() ->
                {elsewhere, Pid};
            Pid when is_pid(Pid) ->
                case is_process_alive(Pid) andalso HowAsked(Pid) of
                    false ->
                        {failed, noproc};
                    none ->
                        {failed, not_a_supervisor, {Pid, Called('', Pid, 1)}};
                    How ->
                        case AskChildren(Pid, How, 4000) of
                            {ok, All} ->
                                {found, setelement(1, Facts('', Pid, 1), EndedWith(Pid)),
                                 [Facts(Id, Child, N) || {{Id, Child, _, _}, N} <- Numbered(All),
                                                         not (is_pid(Child) andalso IsOurs(Child))]};
                            Failed ->
                                Failed
                        end
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
                        {true, true} -> {failed, own_process, {Pid, ''}};
                        {true, false} -> Known([Pid])
                    end;
                _ -> {failed, noproc}
            end;
       ({children, Supervisor}) ->
            Children(Supervisor);
       ({exported, Module, Function, Arity}) ->
            code:ensure_loaded(Module),
            case erlang:function_exported(Module, Function, Arity) of
                true -> Known([]);
                false -> {failed, {error, undef}} % as applying it does
            end;
       ({pg, {Scope, Group}}) ->
            Known(Mine(try pg:get_members(Scope, Group) catch error:badarg -> [] end));
       ({hook, Hook}) ->
            Given = case Hook of {Module, Function, Extra} -> apply(Module, Function, Extra); _ -> Hook() end,
            Known(Mine([case One of
                            {error, _} ->
                                undefined;
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

%% {Crashed, Survived, Gone}. It is in effect from the signals on, which is told when the first has died of them.
Crash =
    fun(Effect, Pids, Reason) ->
        Monitors = maps:from_list([{monitor(process, Pid), true} || Pid <- Pids]),
        At = Clock(),
        [exit(Pid, Reason) || Pid <- Pids],
        Timer = erlang:start_timer(500, self(), crash),
        Await =
            fun Await(Left, Crashed, Gone) when map_size(Left) =:= 0 ->
                    {Crashed, 0, Gone};
                Await(Left, Crashed, Gone) ->
                    receive
                        {'DOWN', Monitor, process, _, noproc} when is_map_key(Monitor, Left) ->
                            Await(maps:remove(Monitor, Left), Crashed, Gone + 1);
                        {'DOWN', Monitor, process, _, _} when is_map_key(Monitor, Left) ->
                            Crashed =:= 0 andalso Effect(At),
                            Await(maps:remove(Monitor, Left), Crashed + 1, Gone);
                        {timeout, Timer, crash} ->
                            [demonitor(Monitor, [flush]) || Monitor <- maps:keys(Left)],
                            {Crashed, map_size(Left), Gone}
                    end
            end,
        Await(Monitors, 0, 0)
    end,

Act =
    fun(Effect, {crash, Pids, Reason}) ->
            {crashed, Crash(Effect, Pids, Reason)};
       (Effect, {flood, Pids, Count, Message}) ->
            Send = fun Send(_, 0) -> ok;
                       Send(Pid, Left) -> Pid ! Message, Send(Pid, Left - 1)
                   end,
            Effect(Clock()),
            [Send(Pid, Count) || Pid <- Pids],
            done;
       (Effect, {garbage_collect, Pids}) ->
            Effect(Clock()),
            [garbage_collect(Pid) || Pid <- Pids],
            done;
       (Effect, {apply, Module, Function, Arguments}) ->
            Effect(Clock()),
            {returned, apply(Module, Function, Arguments)};
       (_, {find, What}) ->
            Find(What);
       (Effect, {halt}) ->
            Effect(Clock()),
            timer:sleep(1), % that this be told: what is not sent by then is lost
            erlang:halt(0, [{flush, false}])
    end,

Work =
    fun(Number, Request) ->
        put('$harnessd', worker),
        Tell(Number,
             try Act(fun(At) -> Tell(Number, {effect, At}) end, Request)
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
            {Key, Number, What} when What =:= heal; What =:= brace; What =:= cut ->
                case Jobs of
                    #{Number := Keeper} -> Keeper ! {Key, What};
                    _ -> none
                end,
                Serve(Jobs, Numbers);
            {Key, Number, cancel} ->
                case Jobs of
                    #{Number := Worker} ->
                        exit(Worker, kill), % it may do more until it has ended
                        Serve(maps:remove(Number, Jobs), Numbers#{Worker => {cancelled, Number}});
                    _ ->
                        Serve(Jobs, Numbers)
                end;
            {Key, stop} ->
                exit(shutdown);
            {Key, Number, Request} ->
                Start(Number, fun() -> Work(Number, Request) end);
            {'EXIT', Pid, Reason} when is_map_key(Pid, Numbers) ->
                case {map_get(Pid, Numbers), Reason} of
                    {{cancelled, Number}, _} -> Tell(Number, {cancelled});
                    {Number, normal} -> ok; % it has told what came of it
                    {Number, {Error, Stack}} when is_list(Stack) -> Tell(Number, {failed, Error});
                    {Number, _} -> Tell(Number, {failed, Reason})
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
