%% What the kernel says of an operating system process. Each function takes its id as a string, or "self".
-module(bench_process).

-export([used_us/1, waited_us/1, resident_bytes/1, peak_bytes/1]).

%% Microseconds of user and system time of all threads so far.
used_us(ProcessId) ->
    {ok, Stat} = file:read_file("/proc/" ++ ProcessId ++ "/stat"),
    %% The second field, the program's name in parentheses, may itself hold blanks and parentheses.
    [_, AfterName] = string:split(Stat, ") ", trailing),
    Fields = string:lexemes(AfterName, " "),
    %% Fields 14 and 15 of proc(5), counted from field 3 here.
    Ticks = binary_to_integer(lists:nth(12, Fields)) + binary_to_integer(lists:nth(13, Fields)),
    Ticks * 1000000 div ticks_per_second().

ticks_per_second() ->
    list_to_integer(string:trim(os:cmd("getconf CLK_TCK"))).

%% Microseconds that its first thread was ready to run and had no processor, which others had.
waited_us(ProcessId) ->
    {ok, Statistics} = file:read_file("/proc/" ++ ProcessId ++ "/schedstat"),
    [_Ran, WaitedNs | _] = string:lexemes(string:trim(Statistics), " "),
    binary_to_integer(WaitedNs) div 1000.

%% Memory that it has now.
resident_bytes(ProcessId) ->
    status(ProcessId, <<"VmRSS:">>).

%% The most that it ever had.
peak_bytes(ProcessId) ->
    status(ProcessId, <<"VmHWM:">>).

status(ProcessId, Key) ->
    {ok, Status} = file:read_file("/proc/" ++ ProcessId ++ "/status"),
    [Kilobytes] = [Value || Line <- binary:split(Status, <<"\n">>, [global]),
                            [Found, Value | _] <- [string:lexemes(Line, " \t")],
                            Found =:= Key],
    binary_to_integer(Kilobytes) * 1024.
