%% Has the daemon make load on bench_server. What each part of the bench measures by that is a module of its
%% own, with the callback below; this one is what they share.
-module(harness_client).

-export([main/1, scenario/2, run/2, start/2, wait/2, finish/1, handled/1, process_id/1]).

-define(CALL_TIMEOUT_MS, 5000).

-type client() :: #{harness := node(), server_node := node(), process_id := string()}.

%% The arguments are whole numbers. Answers what is to be printed, in order; texts are printed as they are.
-callback measure(client(), [integer()]) -> [{Key :: atom(), number()}].

%% For `erl -run harness_client main MODULE HARNESS_NODE SERVER_NODE DAEMON_PROCESS_ID ARGUMENTS...`.
%% Prints one line of KEY=VALUE, separated by blanks.
main([Module, Harness, ServerNode, ProcessId | Arguments]) ->
    Client = #{harness => list_to_atom(Harness),
               server_node => list_to_atom(ServerNode),
               process_id => ProcessId},
    try (list_to_atom(Module)):measure(Client, [list_to_integer(Argument) || Argument <- Arguments]) of
        Figures ->
            io:format("~s~n", [lists:join(" ", [text(Figure) || Figure <- Figures])]),
            halt(0)
    catch
        Class:Reason:Stack ->
            %% A report of thousands of events is no message for people.
            io:format(standard_error, "~s: ~P~n", [Module, {Class, Reason, Stack}, 60]),
            halt(1)
    end.

text({Key, Value}) when is_integer(Value) ->
    io_lib:format("~s=~b", [Key, Value]);
text({Key, Value}) when is_float(Value) ->
    io_lib:format("~s=~.4f", [Key, Value]).

process_id(#{process_id := ProcessId}) ->
    ProcessId.

%% Calls of a load. Histograms and the timeline are always on; an expectation is judged each second.
scenario(#{server_node := ServerNode}, Load) ->
    #{target => {bench_server, ServerNode},
      load => Load,
      operations => [ping],
      events => none,
      performance_expectations => [{max_p99_us, 10000000}, {max_error_rate, 0}],
      abort_when => [max_p99_us],
      call_timeout_ms => ?CALL_TIMEOUT_MS}.

%% The report of a run in which every operation went well.
run(Client, Scenario) ->
    finish(start(Client, Scenario)).

%% Starts one and goes on meanwhile.
start(#{harness := Harness}, Scenario) ->
    erpc:send_request(Harness, harness, run, [Scenario]).

%% Waits until the run has had an effect; fails when it ends before.
wait(Request, IsThere) ->
    case IsThere() of
        true ->
            ok;
        false ->
            case erpc:wait_response(Request, 5) of
                no_response -> wait(Request, IsThere);
                {response, Result} -> error({ended_early, Result})
            end
    end.

finish(Request) ->
    {ok, #{metrics := Metrics} = Report} = erpc:receive_response(Request, infinity),
    #{total_operations := Operations, operation_errors := 0, dropped := 0} = Metrics,
    true = Operations > 0,
    Report.

%% What the server has handled so far.
handled(#{server_node := ServerNode}) ->
    erpc:call(ServerNode, bench_server, handled, []).
