%% Processor time of an operating system process, as the kernel accounts for it.
-module(bench_cpu).

-export([used_us/1]).

%% Microseconds of user and system time of all threads so far. The argument is the process id as a string,
%% or "self".
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
