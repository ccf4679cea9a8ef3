defmodule ScenarioFileFieldsTest do
  @moduledoc "Each field of a scenario file, wrong in one way or more, is answered with its path."
  use ClusterCase

  @hook %{"erlang" => "fun(_, _) -> ok end"}
  @node %{"name" => "subject", "node" => "nobody@127.0.0.1"}
  @scripts %{"target" => @node, "threads" => [[1]]}
  @closed %{"target" => @node, "load" => %{"threads" => 1, "iterations" => 1}, "operations" => [1]}
  @open %{"target" => @node, "load" => %{"rate" => 1, "duration_ms" => 1}, "operations" => [1]}

  # {base, changes, [{path, problem}]}: what is wrong with the base when these keys have these values.
  @rows [
    {@scripts, %{"setup" => "start"}, [{[:setup], :wrong_type}, {[:target], :conflict}]},
    {@scripts, %{"setup" => %{"module" => 5, "function" => "f"}, "target" => nil},
     [{[:setup, :module], :wrong_type}]},
    {@scripts, %{"setup" => %{"module" => "m", "function" => []}, "target" => nil},
     [{[:setup, :function], :wrong_type}]},
    {@scripts, %{"setup" => %{"module" => "m", "function" => "f", "extra_args" => %{}}, "target" => nil},
     [{[:setup, :extra_args], :wrong_type}]},
    {@scripts, %{"setup" => %{"module" => "m", "function" => "f", "extra" => []}, "target" => nil},
     [{[:setup, :extra], :unknown_key}]},
    {@scripts, %{"target" => nil}, [{[:setup], :required}]},
    {@scripts, %{"target" => 5}, [{[:target], :invalid_target}]},
    {@scripts, %{"target" => []}, [{[:target], :empty}]},
    {@scripts, %{"target" => ["a", %{"nam" => "b"}]}, [{[:target, 1], :invalid_target}]},
    {@scripts, %{"target" => %{@node | "name" => 5}}, [{[:target, :name], :wrong_type}]},
    {@scripts, %{"target" => %{@node | "node" => 5}}, [{[:target, :node], :wrong_type}]},
    {@scripts, %{"target" => %{@node | "node" => "nobody"}}, [{[:target, :node], :invalid_target}]},
    {@scripts, %{"target" => %{"global" => "text"}}, [{[:target, :global], :wrong_type}]},
    {@scripts, %{"target" => %{"via" => 5, "name" => 5}}, [{[:target, :via], :wrong_type}]},
    {@scripts, %{"target" => %{"via" => "m", "name" => "text"}}, [{[:target, :name], :wrong_type}]},
    {@scripts, %{"target" => %{"children" => 5}}, [{[:target, :children], :invalid_target}]},
    {@scripts, %{"target" => [%{"pg" => "text"}]}, [{[:target, 0, :pg], :wrong_type}]},
    {@scripts, %{"target" => %{"pg" => 1, "scope" => 5}}, [{[:target, :scope], :wrong_type}]},
    {@scripts, %{"target" => %{"find" => 5}}, [{[:target, :find], :wrong_type}]},
    {@scripts, %{"default_operation" => "ask"}, [{[:default_operation], :out_of_range}]},
    {@scripts, %{"threads" => "many"}, [{[:threads], :wrong_type}]},
    {@scripts, %{"threads" => []}, [{[:threads], :empty}]},
    {@scripts, %{"threads" => nil}, [{[:threads], :required}]},
    {@scripts, %{"threads" => [[1, "get"]]}, [{[:threads, 0, 1], :wrong_type}]},
    {@scripts, %{"threads" => [[1], %{"cal" => 1}]}, [{[:threads, 1, :cal], :unknown_key}]},
    {@scripts, %{"threads" => [[%{"call" => "get"}]]}, [{[:threads, 0, 0, :call], :wrong_type}]},
    {@scripts, %{"threads" => [[%{"cast" => %{"erlang" => 1}}]]},
     [{[:threads, 0, 0, :cast, :erlang], :wrong_type}]},
    {@scripts, %{"threads" => [[%{"custom" => 5}]]}, [{[:threads, 0, 0, :custom], :wrong_type}]},
    {@scripts, %{"threads" => [[%{"$send" => [1, "a"]}]]}, [{[:threads, 0, 0, :"$send", 1], :wrong_type}]},
    {@scripts, %{"threads" => [[%{"$cast" => %{}}]]}, [{[:threads, 0, 0, :"$cast"], :wrong_type}]},
    {@scripts, %{"threads" => [[%{"$sleep" => -1}]]}, [{[:threads, 0, 0], :out_of_range}]},
    {@scripts, %{"threads" => [[%{"call" => 1, "cast" => 1}]]}, [{[:threads, 0, 0], :invalid_operation}]},
    {@scripts, %{"threads" => [[%{"op" => "get"}]]}, [{[:threads, 0, 0, :op], :wrong_type}]},
    {@scripts, %{"threads" => [[%{"op" => 1, "name" => 5, "expect" => "ok"}]]},
     [{[:threads, 0, 0, :name], :wrong_type}, {[:threads, 0, 0, :expect], :wrong_type}]},
    {@scripts, %{"threads" => [[%{"op" => 1, "expects" => 5}]]}, [{[:threads, 0, 0, :expects], :unknown_key}]},
    {@closed, %{"load" => 5}, [{[:load], :wrong_type}]},
    {@closed, %{"load" => %{}}, [{[:load], :required}]},
    {@closed, %{"load" => %{"threads" => 0, "iterations" => 1}}, [{[:load, :threads], :out_of_range}]},
    {@closed, %{"load" => %{"threads" => 1, "iterations" => 0}}, [{[:load, :iterations], :out_of_range}]},
    {@closed, %{"load" => %{"threads" => 1}}, [{[:load, :duration_ms], :required}]},
    {@closed, %{"load" => %{"threads" => 1, "duration_ms" => "1s"}}, [{[:load, :duration_ms], :wrong_type}]},
    {@closed, %{"load" => %{"threads" => 1, "iterations" => 1, "think_ms" => [2, 1]}},
     [{[:load, :think_ms], :out_of_range}]},
    {@closed, %{"load" => %{"threads" => 1, "iterations" => 1, "arrival" => "poisson"}},
     [{[:load, :arrival], :conflict}]},
    {@closed, %{"load" => %{"threads" => 1, "iteration" => 1, "duration_ms" => 1}},
     [{[:load, :iteration], :unknown_key}]},
    {@closed, %{"load" => %{"stages" => [], "ramp" => "step"}}, [{[:load, :stages], :wrong_type}]},
    {@closed, %{"load" => %{"stages" => [%{"threads" => 1}]}},
     [{[:load, :stages, 0, :duration_ms], :required}]},
    {@closed, %{"load" => %{"stages" => [%{"duration_ms" => 1, "threads" => 1}], "ramp" => "up"}},
     [{[:load, :ramp], :out_of_range}]},
    {@open,
     %{"load" => %{"stages" => [%{"duration_ms" => 1, "rate" => -1}, %{"duration_ms" => 1, "rate" => 1}]}},
     [{[:load, :stages, 0, :rate], :out_of_range}]},
    {@open, %{"load" => %{"rate" => 0, "duration_ms" => 1}}, [{[:load, :rate], :out_of_range}]},
    {@open, %{"load" => %{"rate" => 1, "duration_ms" => 1, "arrival" => "slow"}},
     [{[:load, :arrival], :out_of_range}]},
    {@open, %{"load" => %{"rate" => 1, "duration_ms" => 1, "max_in_flight" => 0}},
     [{[:load, :max_in_flight], :out_of_range}]},
    {@open, %{"load" => %{"rate" => 1, "duration_ms" => 1, "max_queued" => -1}},
     [{[:load, :max_queued], :out_of_range}]},
    {@closed, %{"operations" => []}, [{[:operations], :empty}]},
    {@closed, %{"operations" => [1, "a"]}, [{[:operations, 1], :wrong_type}]},
    {@closed, %{"operations" => nil, "mix" => []}, [{[:mix], :wrong_type}]},
    {@closed, %{"operations" => nil, "mix" => [%{"weight" => 0, "op" => 1}]},
     [{[:mix, 0, :weight], :out_of_range}]},
    {@closed, %{"operations" => nil, "mix" => [%{"weight" => 1, "op" => "a"}]},
     [{[:mix, 0, :op], :wrong_type}]},
    {@closed, %{"mix" => [%{"weight" => 1, "op" => 1}]}, [{[:mix], :conflict}]},
    {@scripts, %{"spread" => "even"}, [{[:spread], :out_of_range}]},
    {@scripts, %{"spread" => %{"key" => 0}}, [{[:spread], :out_of_range}]},
    {@scripts, %{"timeout_ms" => 0}, [{[:timeout_ms], :out_of_range}]},
    {@scripts, %{"call_timeout_ms" => "1s"}, [{[:call_timeout_ms], :wrong_type}]},
    {@scripts, %{"hook_timeout_ms" => 1.5}, [{[:hook_timeout_ms], :wrong_type}]},
    {@scripts, %{"cast_sync_message" => "sync"}, [{[:cast_sync_message], :wrong_type}]},
    {@scripts, %{"strict_cast_sync?" => "yes"}, [{[:strict_cast_sync?], :wrong_type}]},
    {@scripts, %{"invariant" => true}, [{[:invariant], :wrong_type}]},
    {@scripts, %{"cleanup" => %{"erlang" => nil}}, [{[:cleanup, :erlang], :wrong_type}]},
    {@scripts, %{"steady_state" => [@hook]}, [{[:steady_state], :wrong_type}]},
    {@scripts, %{"thread_setup" => true}, [{[:thread_setup], :wrong_type}]},
    {@scripts, %{"thread_setup" => @hook, "thread_cleanup" => 5}, [{[:thread_cleanup], :wrong_type}]},
    {@scripts, %{"mailbox" => 5}, [{[:mailbox], :wrong_type}]},
    {@scripts, %{"mailbox" => %{"sampling_interval" => 0}},
     [{[:mailbox, :sampling_interval], :out_of_range}]},
    {@scripts, %{"mailbox" => %{"interval" => 5}}, [{[:mailbox], :unknown_key}]},
    {@scripts, %{"chaos" => "suspend"}, [{[:chaos], :invalid_action}]},
    {@scripts, %{"chaos" => [%{"kind" => "suspend"}]}, [{[:chaos, 0, :duration_ms], :wrong_type}]},
    {@scripts, %{"chaos" => [%{"kind" => "suspend", "duration_ms" => 1, "for" => 1}]},
     [{[:chaos, 0, :for], :unknown_key}]},
    {@scripts, %{"chaos" => [%{"kind" => "suspned"}]}, [{[:chaos, 0], :invalid_action}]},
    {@scripts, %{"chaos" => [%{"kind" => "inject_crash", "spec" => "soon"}]},
     [{[:chaos, 0, :spec], :invalid_action}]},
    {@scripts, %{"chaos" => [%{"kind" => "inject_crash", "spec" => "immediate", "reason" => "kill"}]},
     [{[:chaos, 0, :reason], :wrong_type}]},
    {@scripts, %{"chaos" => [%{"kind" => "kill_children", "kill_rate" => 2}]},
     [{[:chaos, 0, :kill_rate], :out_of_range}]},
    {@scripts, %{"chaos" => [%{"kind" => "exhaust", "resource" => "disk"}]},
     [{[:chaos, 0], :invalid_action}]},
    {@scripts, %{"chaos" => [%{"kind" => "exhaust", "resource" => "memory", "size_mb" => 0}]},
     [{[:chaos, 0, :size_mb], :out_of_range}]},
    {@scripts, %{"chaos" => [%{"kind" => "disconnect", "nodes" => ["a@b"], "duration_ms" => 1}]},
     [{[:chaos, 0, :nodes], :wrong_type}]},
    {@scripts, %{"chaos" => [%{"kind" => "halt_node", "node" => "here"}]},
     [{[:chaos, 0, :node], :wrong_type}]},
    {@scripts, %{"chaos" => [%{"kind" => "apply", "module" => "m", "function" => 1, "arguments" => []}]},
     [{[:chaos, 0, :function], :wrong_type}]},
    {@scripts, %{"chaos" => [%{"kind" => "apply", "module" => "m", "function" => "f", "arguments" => 5}]},
     [{[:chaos, 0, :arguments], :wrong_type}]},
    {@scripts, %{"chaos" => [%{"action" => %{"kind" => "suspend", "duration_ms" => 0}}]},
     [{[:chaos, 0, :action, :duration_ms], :out_of_range}]},
    {@scripts, %{"chaos" => [%{"action" => %{"kind" => "garbage_collect"}, "after_ms" => -1}]},
     [{[:chaos, 0, :after_ms], :out_of_range}]},
    {@scripts, %{"chaos" => [%{"action" => %{"kind" => "garbage_collect"}, "every_ms" => 0}]},
     [{[:chaos, 0, :every_ms], :out_of_range}]},
    {@scripts, %{"chaos" => [%{"action" => %{"kind" => "garbage_collect"}, "times" => 2}]},
     [{[:chaos, 0, :times], :conflict}]},
    {@scripts, %{"chaos" => [%{"action" => %{"kind" => "garbage_collect"}, "jitter_ms" => "a"}]},
     [{[:chaos, 0, :jitter_ms], :wrong_type}]},
    {@scripts, %{"chaos" => [%{"action" => %{"kind" => "garbage_collect"}, "probability" => 2}]},
     [{[:chaos, 0, :probability], :out_of_range}]},
    {@scripts, %{"chaos" => [%{"action" => %{"kind" => "garbage_collect"}, "allow_missing" => 1}]},
     [{[:chaos, 0, :allow_missing], :wrong_type}]},
    {@scripts, %{"chaos" => [%{"action" => %{"kind" => "garbage_collect"}, "target" => %{"child" => 5}}]},
     [{[:chaos, 0, :target, :child], :invalid_target}]},
    {@scripts, %{"chaos" => [%{"action" => %{"kind" => "garbage_collect"}, "every" => 5}]},
     [{[:chaos, 0, :every], :unknown_key}]},
    {@scripts, %{"dry_run" => 1}, [{[:dry_run], :wrong_type}]},
    {@scripts, %{"performance_expectations" => 5}, [{[:performance_expectations], :wrong_type}]},
    {@scripts, %{"performance_expectations" => %{"max_p99_us" => "1ms"}},
     [{[:performance_expectations, :max_p99_us], :wrong_type}]},
    {@scripts, %{"performance_expectations" => %{"max_p99" => 1}},
     [{[:performance_expectations], :unknown_key}]},
    {@scripts, %{"abort_when" => "max_p99_us"}, [{[:abort_when], :wrong_type}]},
    {@scripts, %{"abort_when" => ["max_p99_us"]}, [{[:abort_when, 0], :required}]},
    {@scripts, %{"warmup_ms" => -1}, [{[:warmup_ms], :out_of_range}]},
    {@scripts, %{"recovery_wait_ms" => -1}, [{[:recovery_wait_ms], :out_of_range}]},
    {@scripts, %{"explain" => "yes"}, [{[:explain], :wrong_type}]},
    {@scripts, %{"metadata" => []}, [{[:metadata], :wrong_type}]},
    {@scripts, %{"metadata" => %{"a" => [%{"erlang" => 1}]}}, [{[:metadata, :a, 0, :erlang], :wrong_type}]},
    {@scripts, %{"events" => "some"}, [{[:events], :out_of_range}]},
    {@scripts, %{"events" => %{"last" => 0}}, [{[:events], :out_of_range}]},
    {@scripts, %{"seed" => -1}, [{[:seed], :wrong_type}]},
    {@scripts, %{"hooks_node" => "here"}, [{[:hooks_node], :wrong_type}]},
    {@scripts, %{"thread" => 1}, [{[:thread], :unknown_key}]}
  ]

  setup_all do
    {harness, folder} = Files.start()
    {:ok, harness: harness, folder: folder}
  end

  test "what the rows change is right without their changes", context do
    for base <- [@scripts, @closed, @open] do
      assert {:ok, _} = Harness.call(context.harness, :validate, [Files.write(context.folder, base)])
    end
  end

  test "there is a row for each key of scenarios", context do
    {:ok, normalised} = Harness.call(context.harness, :validate, [Files.write(context.folder, @scripts)])
    keys = for {_, _, problems} <- @rows, {[key | _], _} <- problems, uniq: true, do: key
    assert Map.keys(normalised) -- keys == []
  end

  test "each is answered with its path, and nothing is started", context do
    started = Harness.call(context.harness, :info).counters.runs_started

    for {base, changes, expected} <- @rows do
      file = Files.write(context.folder, Map.merge(base, changes))
      found = for problem <- problems(context.harness, file), do: {problem.path, problem.problem}
      assert {changes, Enum.sort(found)} == {changes, Enum.sort(expected)}
    end

    assert Harness.call(context.harness, :info).counters.runs_started == started
  end

  test "all of them at once", context do
    for base <- [@scripts, @closed, @open] do
      rows = for {^base, changes, [{[key | _], _}]} <- @rows, is_wrong(changes), do: {key, changes}
      changes = Enum.reduce(rows, %{}, fn {_, changes}, all -> Map.merge(all, changes) end)
      file = Files.write(context.folder, Map.merge(base, changes))
      found = for problem <- problems(context.harness, file), do: hd(problem.path)
      for {key, _} <- rows, do: assert(key in found, "#{key} is not among #{inspect(found)}")
    end
  end

  # One key, with a value.
  defp is_wrong(changes), do: map_size(changes) == 1 and hd(Map.values(changes)) != nil
end
