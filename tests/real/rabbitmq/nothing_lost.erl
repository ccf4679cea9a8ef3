%% Each message that was confirmed is in a queue, and none is there twice. They are looked at, and put back.
fun(_Queues, #{events := Events}) ->
    Confirmed = [Id || #{result := {ok, {confirmed, Id}}} <- Events],
    {ok, Connection} = amqp_connection:start({amqp_params_direct, none, none, <<"/">>, node(), none, []}),
    {ok, Channel} = amqp_connection:open_channel(Connection),
    Read = fun Read(Name, Ids) ->
        case amqp_channel:call(Channel, {'basic.get', 0, Name, false}) of
            {'basic.get_empty', _} -> Ids;
            {_Got, {amqp_msg, Properties, _Body}} -> Read(Name, [element(10, Properties) | Ids])
        end
    end,
    There = lists:append([Read(Name, []) || {resource, _, queue, Name} <- rabbit_amqqueue:list_names(<<"/">>)]),
    ok = amqp_connection:close(Connection),
    case {Confirmed -- There, There -- lists:usort(There)} of
        {[], []} -> true;
        {Lost, Twice} -> {error, #{confirmed => length(Confirmed), lost => length(Lost), twice => length(Twice)}}
    end
end
