defmodule ShowTest do
  @moduledoc "Reports as text for people."
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Peer.start_server(peer, Subject)}
  end

  defp show(harness, what) do
    text = Harness.call(harness, :show, [what])
    assert is_binary(text)

    for line <- String.split(text, "\n"),
        do: assert(String.length(line) <= 100, "#{String.length(line)}: #{line}")

    text
  end

  test "a run that has ended, by its id and by its report", %{harness: harness, target: target} do
    scenario = %{
      target: target,
      load: %{rate: 200, duration_ms: 1_000},
      mix: [%{weight: 9, op: {:add, 1}}, %{weight: 1, op: {:cast, {:add, 1}}}],
      chaos: [%{action: {:suspend, 100}, after_ms: 300}],
      metadata: %{team: "core"},
      mailbox: [],
      performance_expectations: [max_p99_us: 900_000]
    }

    id = Runs.start(harness, scenario)
    assert {:ok, report} = Runs.await(harness, id)
    text = show(harness, id)
    assert text =~ ~r/^Run #{id}: completed$/m
    assert text =~ ~r/^  operations +200 in [\d.]+ m?s, [\d.]+\/s$/m
    assert text =~ ~r/^  metadata +team: core$/m
    assert text =~ ~r/^  met +max_p99_us +[\d,]+ +900,000( +not certain)?$/m
    assert text =~ ~r/^  all +200 .*(us|ms)$/m
    assert text =~ ~r/^  {call,{add,1}} +\d+ /m
    assert text =~ ~r/^ +95 % interval$/m
    assert text =~ ~r/^  p50 +[\d.]+ (us|ms)  ([\d.]+ (us|ms) to [\d.]+ (us|ms)|[\d.]+ (us|ms) or more) +#+$/m
    assert text =~ ~r/^  max +[\d.]+ ms +#+$/m
    assert text =~ ~r/ suspend injected/
    assert text =~ ~r/^Faults: 1$/m
    assert text =~ ~r/^ +\d+ ms  suspend  \[<.*>\] +ok /m
    assert show(harness, {:ok, report}) == text
    # How the run of a report alone has ended is looked up, and not known of another daemon's.
    assert show(harness, report) == text
    :ok = Harness.call(harness, :delete, [id])
    unknown = String.replace(text, "Run #{id}: completed", "Run #{id}: outcome not known here")
    assert show(harness, report) == unknown
    assert show(harness, {:ok, report}) == text
  end

  test "a run that failed, and one that could not be", %{harness: harness, target: target} do
    missed = %{target: target, threads: [[:get]], performance_expectations: [max_p99_us: 0]}
    id = Runs.start(harness, missed)
    assert {:error, {:performance_failed, _}} = answer = Runs.await(harness, id)
    assert show(harness, answer) =~ "Run #{id}: an expectation was missed\n"
    text = show(harness, id)
    assert text =~ "an expectation was missed"
    assert text =~ ~r/^  MISSED +max_p99_us /m
    assert {:ok, report} = Harness.call(harness, :partial, [id])
    assert show(harness, report) =~ "Run #{id}: an expectation was missed\n"
    assert show(harness, {:ok, report}) =~ "Run #{id}: an expectation was missed\n"

    text = show(harness, Harness.run(harness, %{target: target, thread: []}))
    assert text =~ "not run"
    assert text =~ "  thread: is not a key of scenarios; did you mean threads?"
  end

  test "what is not allowed is told in a sentence", %{harness: harness, target: target} do
    scenario = %{target: target, threads: [[:get]], chaos: {:burn_cpu, []}}
    assert {:error, {:not_allowed, %{message: message}}} = refused = Harness.run(harness, scenario)
    assert show(harness, refused) =~ ~r/^Run( \d+)?: not run\n  reason  #{message}\n$/
  end

  test "nothing else", %{harness: harness, target: target} do
    assert Harness.call(harness, :show, [123]) == {:error, :not_found}
    assert {:error, {:badarg, _}} = Harness.call(harness, :show, [0])

    for what <- [:a, "text", {:ok, 5}, []],
        do: assert({:error, {:badarg, _}} = Harness.call(harness, :show, [what]))

    id = Runs.start(harness, Runs.held(target, :held))
    from = Runs.await_held(:held)
    text = show(harness, id)
    assert text =~ "Run #{id}: under way\n"
    assert text =~ ~r/^  operations +0 by 1 thread in /m
    assert {:ok, report} = Harness.call(harness, :partial, [id])
    assert show(harness, report) =~ "Run #{id}: under way\n"
    assert show(harness, {:ok, report}) =~ "Run #{id}: under way\n"
    Runs.release(from)
    assert {:ok, _} = Runs.await(harness, id)
    assert show(harness, id) =~ "Run #{id}: completed"
  end
end
