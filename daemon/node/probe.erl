%% What a probe does: the process on a subject's node that looks at the length of its message queue. Bound beforehand:
%% Daemon, Key, Number, the Subject (a pid or a registered name), the Interval in milliseconds, and ReportEvery, after how
%% many of them it says what it has seen, and IsFirst, whether it is the one that tells of its node. It is linked to the
%% daemon and ends with it.
%%
%% A subject that is gone has no length; what counts then is the last that it had, and of one that never was there
%% nothing was seen, which is -1. It does not receive `after` a time, for the reason in session.erl.
put('$harnessd', probe), % chaos.erl does nothing to those that bear this mark
Length =
    fun(Last) ->
        Pid = case is_atom(Subject) of true -> whereis(Subject); false -> Subject end,
        case is_pid(Pid) andalso process_info(Pid, message_queue_len) of
            {message_queue_len, Now} -> Now;
            _ -> Last
        end
    end,
OfNode =
    fun() ->
        case IsFirst of
            true -> {erlang:memory(total), erlang:statistics(total_run_queue_lengths)};
            false -> none
        end
    end,
Report = fun(Most) -> Daemon ! {Key, Number, {seen, Most, OfNode()}} end,
Look =
    fun Look(Initial, Last, Most, Sum, Count, MostUnreported) ->
        receive
            {Key, stop} ->
                Final = Length(Last),
                Report(max(MostUnreported, Final)),
                Daemon ! {Key, Number,
                          {returned, {Initial, max(Final, 0), max(Most, Final),
                                      (Sum + max(Final, 0)) / (Count + 1)}}};
            {Key, look} ->
                erlang:send_after(Interval, self(), {Key, look}),
                Now = Length(Last),
                case Count rem ReportEvery of
                    0 ->
                        Report(max(MostUnreported, Now)),
                        Look(Initial, Now, max(Most, Now), Sum + max(Now, 0), Count + 1, -1);
                    _ ->
                        Look(Initial, Now, max(Most, Now), Sum + max(Now, 0), Count + 1, max(MostUnreported, Now))
                end
        end
    end,
First = Length(-1),
Daemon ! {Key, Number, started},
erlang:send_after(Interval, self(), {Key, look}),
Look(max(First, 0), First, max(First, 0), max(First, 0), 1, First).
