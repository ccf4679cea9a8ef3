%% What a thread has of its own: a connection, and a fun that publishes to the queue which a process is, on a channel of that
%% connection, and is done when the broker has confirmed the message. Records of the client and of the protocol are tuples.
fun(_Thread) ->
    {ok, _} = application:ensure_all_started(amqp_client),
    {ok, Connection} = amqp_connection:start({amqp_params_direct, none, none, <<"/">>, node(), none, []}),
    {ok, Channel} = amqp_connection:open_channel(Connection),
    {'confirm.select_ok'} = amqp_channel:call(Channel, {'confirm.select', false}),
    NamesOf = fun(Pid) ->
        [Name || Queue <- rabbit_amqqueue:list(), amqqueue:get_pid(Queue) =:= Pid,
                 {resource, _, queue, Name} <- [amqqueue:get_name(Queue)]]
    end,
    Confirm = fun(Name, Id, DeliveryMode, Body) ->
        Properties = erlang:make_tuple(15, undefined, [{1, 'P_basic'}, {5, DeliveryMode}, {10, Id}]),
        ok = amqp_channel:call(Channel, {'basic.publish', 0, <<>>, Name, false, false}, {amqp_msg, Properties, Body}),
        case amqp_channel:wait_for_confirms(Channel, {2000, millisecond}) of
            true -> {confirmed, Id};
            false -> refused;
            timeout -> not_confirmed
        end
    end,
    Publish = fun(Pid, #{seed := Seed, thread := Thread, step := Step}, DeliveryMode, Size) ->
        Id = iolist_to_binary(io_lib:format("~b-~b-~b", [Seed, Thread, Step])),
        case NamesOf(Pid) of
            [Name] -> Confirm(Name, Id, DeliveryMode, binary:copy(<<"x">>, Size));
            [] -> not_there
        end
    end,
    #{connection => Connection, publish => Publish}
end
