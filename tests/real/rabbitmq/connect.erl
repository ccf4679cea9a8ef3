%% What a thread has of its own: a connection, and a fun that publishes to the queue which a process is, on a channel of that
%% connection, and is done when the broker has confirmed the message. Records of the client and of the protocol are tuples.
%%
%% The process of the thread is told itself what the broker says of its messages: amqp_channel:wait_for_confirms/2 takes one
%% for confirmed that was refused before it is called. It waits by a timer, as texts do not receive `after` a time.
fun(_Thread) ->
    {ok, _} = application:ensure_all_started(amqp_client),
    {ok, Connection} = amqp_connection:start({amqp_params_direct, none, none, <<"/">>, node(), none, []}),
    {ok, Channel} = amqp_connection:open_channel(Connection),
    {'confirm.select_ok'} = amqp_channel:call(Channel, {'confirm.select', false}),
    ok = amqp_channel:register_confirm_handler(Channel, self()),
    NamesOf = fun(Pid) ->
        [Name || Queue <- rabbit_amqqueue:list(), amqqueue:get_pid(Queue) =:= Pid,
                 {resource, _, queue, Name} <- [amqqueue:get_name(Queue)]]
    end,
    Wait = fun(Number, Id) ->
        Timer = erlang:start_timer(2000, self(), waited),
        Outcome = receive
            {'basic.ack', Last, _Multiple} when Last >= Number -> {confirmed, Id};
            {'basic.nack', Last, _Multiple, _Requeue} when Last >= Number -> refused;
            {timeout, Timer, waited} -> not_confirmed
        end,
        erlang:cancel_timer(Timer),
        Outcome
    end,
    Publish = fun(Pid, #{seed := Seed, thread := Thread, step := Step}, DeliveryMode, Size) ->
        Id = iolist_to_binary(io_lib:format("~b-~b-~b", [Seed, Thread, Step])),
        Properties = erlang:make_tuple(15, undefined, [{1, 'P_basic'}, {5, DeliveryMode}, {10, Id}]),
        Message = {amqp_msg, Properties, binary:copy(<<"x">>, Size)},
        case NamesOf(Pid) of
            [Name] ->
                Number = amqp_channel:next_publish_seqno(Channel),
                ok = amqp_channel:call(Channel, {'basic.publish', 0, <<>>, Name, false, false}, Message),
                Wait(Number, Id);
            [] ->
                not_there
        end
    end,
    #{connection => Connection, publish => Publish}
end
