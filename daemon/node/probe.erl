%% What a probe does: the process on a node that looks at the length of the message queues of subjects there, of which the
%% longest counts. Bound beforehand: Daemon, Key, Number, the Subjects (pids or registered names), the Interval in
%% milliseconds, and ReportEvery, after how many of them it says what it has seen, and IsFirst, whether it is the one that
%% tells of its node. {Key, {watch, Subjects}} has it look at others from then on. It is linked to the daemon and ends with
%% it.
%%
%% A subject that is gone has no length; when all are what counts is the last that one had, and of those that never were
%% there nothing was seen, which is -1. It does not receive `after` a time, for the reason in session.erl.
put('$harnessd', probe), % chaos.erl does nothing to those that bear this mark
LengthOf =
    fun(Subject) ->
        Pid = case is_atom(Subject) of true -> whereis(Subject); false -> Subject end,
        case is_pid(Pid) andalso process_info(Pid, message_queue_len) of
            {message_queue_len, Now} -> Now;
            _ -> -1
        end
    end,
Length =
    fun(Watched, Last) ->
        case lists:max([-1 | [LengthOf(Subject) || Subject <- Watched]]) of
            -1 -> Last;
            Longest -> Longest
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
    fun Look(Watched, Initial, Last, Most, Sum, Count, MostUnreported) ->
        receive
            {Key, stop} ->
                Final = Length(Watched, Last),
                Report(max(MostUnreported, Final)),
                Daemon ! {Key, Number,
                          {returned, {Initial, max(Final, 0), max(Most, Final),
                                      (Sum + max(Final, 0)) / (Count + 1)}}};
            {Key, {watch, Others}} ->
                Look(Others, Initial, Last, Most, Sum, Count, MostUnreported);
            {Key, look} ->
                erlang:send_after(Interval, self(), {Key, look}),
                Now = Length(Watched, Last),
                case Count rem ReportEvery of
                    0 ->
                        Report(max(MostUnreported, Now)),
                        Look(Watched, Initial, Now, max(Most, Now), Sum + max(Now, 0), Count + 1, -1);
                    _ ->
                        Look(Watched, Initial, Now, max(Most, Now), Sum + max(Now, 0), Count + 1, max(MostUnreported, Now))
                end
        end
    end,
First = Length(Subjects, -1),
Daemon ! {Key, Number, started},
erlang:send_after(Interval, self(), {Key, look}),
Look(Subjects, max(First, 0), First, max(First, 0), max(First, 0), 1, First).
