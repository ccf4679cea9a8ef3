%% What the guardian of a node does: the one process there that keeps it apart from others, for every run and every
%% daemon, as undoing that needs code. Bound beforehand: Starter, who has started it. It is registered as
%% harnessd_guardian, is linked to nobody, and ends when nothing is kept apart any more.
%%
%% Whoever wants nodes kept apart sends {take, Self, Tag, Others}, is answered {Tag, {taken, Before}} or
%% {Tag, {failed, Reason}}, and has it as long as it lives. Others get a cookie here that nobody has, so that no message
%% connects them again, until nobody has them any more; then they get the cookie back that they had, and everybody who
%% was connected before is connected again.
%%
%% What is to be put back is in a persistent term, which no process takes along: cookies, the cookie each other had
%% before, holds, who has which others, before, who was connected, and split, the cookie of this node for those that it
%% is kept from. A twin watches the guardian and takes over when it dies; so does the next one that anybody starts.
%% Nothing receives `after` a time, for the reason in session.erl.
Load =
    fun() ->
        Empty = #{cookies => #{}, holds => #{}, before => [], split => none},
        persistent_term:get(harnessd_apart, Empty)
    end,
Save = fun(State) -> persistent_term:put(harnessd_apart, State) end,

IsOurs = fun(Cookie) -> lists:prefix("harnessd_", atom_to_list(Cookie)) end,

%% One for as long as the node lives: atoms are never freed.
WithSplit =
    fun(#{split := none} = State) ->
            Secret = try crypto:strong_rand_bytes(16)
                     catch error:_ -> <<(rand:uniform(1 bsl 64) - 1):64, (rand:uniform(1 bsl 64) - 1):64>>
                     end,
            Text = [io_lib:format("~2.16.0b", [Byte]) || <<Byte>> <= Secret],
            State#{split := list_to_atom(lists:flatten(["harnessd_" | Text]))};
       (State) ->
            State
    end,

%% A twin of another guardian may just have put its part back: setting a cookie again does no harm.
Take =
    fun(Holder, Others, Was) ->
        #{cookies := Cookies, holds := Holds, before := Before, split := Split} = State = WithSplit(Was),
        New = [Other || Other <- Others, not is_map_key(Other, Cookies)],
        case [Other || Other <- New, IsOurs(erlang:get_cookie(Other))] of
            [] ->
                Connected = [Other || Other <- New, lists:member(Other, nodes(connected))],
                Next = State#{cookies := maps:merge(Cookies, maps:from_list(
                                  [{Other, erlang:get_cookie(Other)} || Other <- New])),
                              holds := Holds#{Holder => Others},
                              before := lists:usort(Before ++ Connected ++ nodes(visible))},
                Save(Next),
                [erlang:set_cookie(Other, Split) || Other <- New],
                {Next, {taken, maps:get(before, Next)}};
            Lost ->
                {State, {failed, {already_apart, Lost}}}
        end
    end,

%% Tries for half a minute, as the others have to take back theirs as well.
Connect =
    fun Connect(Nodes, Until) ->
        #{cookies := Cookies} = Load(),
        case [Node || Node <- Nodes, not is_map_key(Node, Cookies), not lists:member(Node, nodes(connected)),
                      net_kernel:connect_node(Node) =/= true] of
            [] -> ok;
            Missing -> erlang:monotonic_time(second) < Until andalso begin timer:sleep(100), Connect(Missing, Until) end
        end
    end,

%% Nodes that others have as well stay apart.
Give =
    fun(Holder, #{cookies := Cookies, holds := Holds, before := Before} = State) when is_map_key(Holder, Holds) ->
            Left = maps:remove(Holder, Holds),
            Kept = lists:append(maps:values(Left)),
            Free = [Other || Other <- maps:keys(Cookies), not lists:member(Other, Kept)],
            [erlang:set_cookie(Other, maps:get(Other, Cookies)) || Other <- Free],
            Next = State#{cookies := maps:without(Free, Cookies), holds := Left,
                          before := case map_size(Left) of 0 -> []; _ -> Before end},
            Save(Next),
            Until = erlang:monotonic_time(second) + 30,
            try spawn(fun() -> put('$harnessd', guardian), Connect(Before, Until) end) catch error:_ -> none end,
            Next;
       (_, State) ->
            State
    end,

Guard =
    fun Guard(Role) ->
        put('$harnessd', guardian),
        % The end of the application that has asked for the run does not take it along.
        group_leader(whereis(init), self()),
        Self = self(),
        Watch = fun() -> try spawn_monitor(fun() -> Guard({twin, Self}) end) catch error:_ -> none end end,
        Serve =
            fun Serve(State, Twin) ->
                receive
                    {take, Holder, Tag, Others} ->
                        {Next, Answer} = Take(Holder, Others, State),
                        monitor(process, Holder),
                        Holder ! {Tag, Answer},
                        Serve(Next, Twin);
                    {'DOWN', Monitor, process, Pid, _} when {Pid, Monitor} =:= Twin ->
                        Serve(State, Watch());
                    {'DOWN', _, process, Holder, _} ->
                        #{holds := Holds} = Next = Give(Holder, State),
                        map_size(Holds) =:= 0 orelse Serve(Next, Twin)
                end
            end,
        case Role of
            {twin, Guardian} ->
                Monitor = monitor(process, Guardian),
                receive {'DOWN', Monitor, process, _, _} -> ok end,
                #{holds := Holds} = Load(),
                map_size(Holds) =:= 0 orelse Guard(guardian);
            guardian ->
                case try register(harnessd_guardian, Self) catch error:badarg -> false end of
                    true ->
                        State = #{holds := Holds} = Load(),
                        [monitor(process, Holder) || Holder <- [Starter | maps:keys(Holds)]],
                        Serve(State, Watch());
                    false ->
                        ok % another is there
                end
        end
    end,
Guard(guardian).
