%% Says what texts of a scenario file mean: evaluated on a node of the user's, which knows the modules and the language
%% that they are about. Bound beforehand: Daemon, Key, and Texts, [{Number, erlang | elixir, IsHook, Text}]. It answers
%% {Key, [{Number, {ok, Term} | {error, Kind, Message}}]} and ends.
%%
%% Texts are literals, and where they stand for hooks funs: nothing else is evaluated, so that reading a file does nothing.
put('$harnessd', resolver), % chaos.erl does nothing to those that bear this mark
NotLiteral = fun() -> throw({error, not_literal, <<"is no literal">>}) end,

%% --- Erlang ---
%% A dot at its end is not needed.
Dotted =
    fun(Text) ->
        case erl_scan:string(unicode:characters_to_list(Text)) of
            {ok, [], _} -> throw({error, syntax, <<"is empty">>});
            {ok, Tokens, End} ->
                case lists:last(Tokens) of
                    {dot, _} -> Tokens;
                    _ -> Tokens ++ [{dot, End}]
                end;
            {error, {Location, Module, Reason}, _} -> throw({scan, Location, Module, Reason})
        end
    end,
Syntax =
    fun(Location, Module, Reason) ->
        Line = case Location of {L, _} -> L; L -> L end,
        Words = unicode:characters_to_binary([Module:format_error(Reason)]),
        throw({error, syntax, <<"line ", (integer_to_binary(Line))/binary, ": ", Words/binary>>})
    end,
Erlang =
    fun(Text, IsHook) ->
        Tokens = try Dotted(Text) catch {scan, Location, Module, Reason} -> Syntax(Location, Module, Reason) end,
        case erl_parse:parse_exprs(Tokens) of
            {ok, [Fun]} when IsHook, element(1, Fun) =:= 'fun'; IsHook, element(1, Fun) =:= named_fun ->
                {value, Value, _} = erl_eval:exprs([Fun], erl_eval:new_bindings()),
                Value;
            {ok, [Expression]} ->
                try erl_parse:normalise(Expression) catch error:_ -> NotLiteral() end;
            {ok, _} ->
                throw({error, syntax, <<"is more than one term">>});
            {error, {Where, By, What}} ->
                Syntax(Where, By, What)
        end
    end,

%% --- Elixir: what Code.string_to_quoted/1 makes of a literal ---
MapTag = list_to_atom([37, 123, 125]),
Negated = fun(Number) when is_number(Number) -> -Number; (_) -> NotLiteral() end,
Literal =
    fun Literal(Quoted) ->
        All = fun(List) -> [Literal(Element) || Element <- List] end,
        case Quoted of
            {'{}', _, Elements} when is_list(Elements) -> list_to_tuple(All(Elements));
            {MapTag, _, Pairs} when is_list(Pairs) -> maps:from_list(All(Pairs));
            {'__aliases__', _, Parts} ->
                lists:all(fun erlang:is_atom/1, Parts) orelse NotLiteral(),
                'Elixir.Module':concat(Parts);
            {'__block__', _, [One]} -> Literal(One);
            {'-', _, [Number]} -> Negated(Literal(Number));
            {'<<>>', _, Parts} when is_list(Parts) ->
                iolist_to_binary([case Literal(Part) of
                                      Byte when is_integer(Byte), Byte >= 0, Byte < 256 -> Byte;
                                      Binary when is_binary(Binary) -> Binary;
                                      _ -> NotLiteral()
                                  end || Part <- Parts]);
            {Left, Right} -> {Literal(Left), Literal(Right)};
            Tuple when is_tuple(Tuple) -> NotLiteral();
            List when is_list(List) -> All(List);
            _ -> Quoted
        end
    end,
Elixir =
    fun(Text, IsHook) ->
        case code:ensure_loaded('Elixir.Code') of
            {module, _} -> ok;
            _ -> throw({error, no_elixir,
                        <<"is in Elixir, which ", (atom_to_binary(node()))/binary, " does not have">>})
        end,
        Quoted =
            case 'Elixir.Code':string_to_quoted(Text) of
                {ok, {'__block__', _, []}} -> throw({error, syntax, <<"is empty">>});
                {ok, Parsed} -> Parsed;
                {error, {Place, Words, Token}} ->
                    {Before, Behind} = case Words of {_, _} -> Words; _ -> {Words, <<>>} end,
                    Line = integer_to_binary(proplists:get_value(line, Place, 1)),
                    throw({error, syntax, <<"line ", Line/binary, ": ", Before/binary, Token/binary, Behind/binary>>})
            end,
        case Quoted of
            {Fun, _, _} when IsHook, Fun =:= fn; IsHook, Fun =:= '&' ->
                {Value, _} = 'Elixir.Code':eval_quoted(Quoted),
                Value;
            _ ->
                try Literal(Quoted) catch error:_ -> NotLiteral() end
        end
    end,

%% What the daemon takes in is bounded in depth (a deeper term ends the connection), and far below that for texts.
Bounded =
    fun Bounded(_, 0) -> throw({error, out_of_range, <<"is nested deeper than 200 levels">>});
        Bounded([Head | Tail], Left) ->
            Bounded(Head, Left - 1),
            (is_list(Tail) andalso Bounded(Tail, Left)) orelse Bounded(Tail, Left - 1);
        Bounded(Tuple, Left) when is_tuple(Tuple) ->
            lists:all(fun(Element) -> Bounded(Element, Left - 1) end, tuple_to_list(Tuple));
        Bounded(Map, Left) when is_map(Map) ->
            lists:all(fun(Element) -> Bounded(Element, Left - 1) end, maps:keys(Map) ++ maps:values(Map));
        Bounded(_, _) -> true
    end,

Resolve =
    fun(Language, IsHook, Text) ->
        try
            Term = case Language of
                       erlang -> Erlang(Text, IsHook);
                       elixir -> Elixir(Text, IsHook)
                   end,
            Bounded(Term, 200),
            {ok, Term}
        catch
            throw:{error, Kind, Message} ->
                {error, Kind, Message};
            _:Reason ->
                {error, not_literal, unicode:characters_to_binary(io_lib:format("cannot be evaluated: ~0tp", [Reason]))}
        end
    end,
Daemon ! {Key, [{Number, Resolve(Language, IsHook, Text)} || {Number, Language, IsHook, Text} <- Texts]}.
