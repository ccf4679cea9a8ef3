%% What a probe does: the process on a subject's node that looks at the length of its message queue. Bound beforehand:
%% Daemon, Key, Number, the Subject (a pid or a registered name) and the Interval in milliseconds. It is linked to the
%% daemon and ends with it.
%%
%% A subject that is gone has no length; what counts then is the last that it had.
Length =
    fun(Last) ->
        Pid = case is_atom(Subject) of true -> whereis(Subject); false -> Subject end,
        case is_pid(Pid) andalso process_info(Pid, message_queue_len) of
            {message_queue_len, Now} -> Now;
            _ -> Last
        end
    end,
Look =
    fun Look(Initial, Last, Most, Sum, Count) ->
        receive
            {Key, stop} ->
                Final = Length(Last),
                Daemon ! {Key, Number,
                          {returned, {Initial, Final, max(Most, Final), (Sum + Final) / (Count + 1)}}}
        after Interval ->
            Now = Length(Last),
            Look(Initial, Now, max(Most, Now), Sum + Now, Count + 1)
        end
    end,
First = Length(0),
Daemon ! {Key, Number, started},
Look(First, First, First, First, 1).
