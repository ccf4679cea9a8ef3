# Whether the walls between the layers of the daemon stand, its files keep their size, and what documents name is there.
#
#     elixir tests/walls.exs [TREE]        looks at this tree, or at another one
#     elixir tests/walls.exs --self-test   sees each rule fail on small trees that break it
#
# The layers and their order are those of the add_layer lines of CMakeLists.txt. A line for each rule, with one
# for each place that breaks it; a `note` counts for nothing. The last line is `N passed, N failed`, and both numbers
# go to the file RESULT. The status is 0 if nothing failed, 1 if something did, 2 if it could not run.

defmodule Walls.Tree do
  @moduledoc "The files of a tree as the rules see them."
  defstruct root: nil, layers: [], sources: [], tools: [], files: %{}, includes: [], documents: %{}, others: []

  # layers: [%{name, line, above: [name], with: [name]}] in the order of CMakeLists.txt
  # sources: paths of C files below daemon/ and include/, relative to the root
  # tools: those below docs/, which write documents and are in no layer
  # files: path => its lines
  # includes: [%{from, line, text, to}], `to` is nil when there is no such file
  # documents: path => its lines, of those for users and of those that tell of the code
  # others: paths of all files that documents may name

  def read(root) do
    layers = read_layers(Path.join(root, "CMakeLists.txt"))
    sources = Enum.flat_map(~w(daemon include), &c_files(root, &1))
    tools = c_files(root, "docs")
    files = Map.new(sources ++ tools ++ c_files(root, "tests"), &{&1, lines(Path.join(root, &1))})
    documents = ~w(*.md docs/*.md docs/*/*.md tests/README.md) |> Enum.flat_map(&paths(root, &1))

    tree = %__MODULE__{
      root: root,
      layers: layers,
      sources: sources,
      tools: tools,
      files: files,
      documents: Map.new(documents, &{&1, lines(Path.join(root, &1))}),
      others: Enum.flat_map(~w(* {config,daemon,docs,include,packaging,systemd,tests}/**), &paths(root, &1))
    }

    %{tree | includes: Enum.flat_map(sources, &includes(tree, &1))}
  end

  defp lines(path), do: path |> File.read!() |> String.split("\n") |> drop_last_empty()

  defp drop_last_empty(lines), do: if(List.last(lines) == "", do: Enum.drop(lines, -1), else: lines)

  defp c_files(root, folder) do
    paths(root, Path.join([folder, "**", "*.{c,h}"]))
  end

  defp paths(root, pattern) do
    Path.join(root, pattern) |> Path.wildcard() |> Enum.map(&Path.relative_to(&1, root))
  end

  defp read_layers(path) do
    with {:ok, text} <- File.read(path) do
      for {line, number} <- Enum.with_index(String.split(text, "\n"), 1),
          [_, words] <- [Regex.run(~r/^add_layer\(([^)]*)\)/, line)] do
        [name | rest] = String.split(words)
        above = words_of(rest, "ABOVE")
        %{name: name, line: number, above: above, with: words_of(rest, "WITH")}
      end
    else
      _ -> []
    end
  end

  # Those behind a keyword, up to the next one.
  defp words_of(words, keyword) do
    words
    |> Enum.drop_while(&(&1 != keyword))
    |> Enum.drop(1)
    |> Enum.take_while(&(&1 not in ~w(ABOVE PRIVATE WITH)))
  end

  defp includes(tree, from) do
    for {line, number} <- Enum.with_index(tree.files[from], 1),
        [_, text] <- [Regex.run(~r/^\s*#\s*include\s+"([^"]+)"/, line)] do
      %{from: from, line: number, text: text, to: find(tree, from, text)}
    end
  end

  # Beside it or in include/; a private header also in another folder, where it should not be looked for.
  defp find(tree, from, text) do
    known = [Path.join(Path.dirname(from), text), Path.join("include", text)]
    elsewhere = &(String.starts_with?(&1, "daemon/") and Path.basename(&1) == text)
    Enum.find(known, &Map.has_key?(tree.files, &1)) || Enum.find(tree.sources, elsewhere)
  end

  @doc "The layer of a path: its folder, or main for what stands in daemon/ itself."
  def layer(path) do
    case Path.split(path) do
      [root, folder, _ | _] when root in ~w(daemon include) -> folder
      _ -> "main"
    end
  end

  @doc "The layers whose headers a layer may include; nil for one that CMakeLists.txt does not have."
  def below(tree, "main"), do: Enum.map(tree.layers, & &1.name) ++ Enum.flat_map(tree.layers, & &1.with)

  def below(tree, name) do
    case Enum.find(tree.layers, &(name in [&1.name | &1.with])) do
      nil -> nil
      layer -> below_all(tree, layer.above, [])
    end
  end

  defp below_all(_, [], seen), do: seen

  defp below_all(tree, [name | rest], seen) do
    if name in seen do
      below_all(tree, rest, seen)
    else
      layer = Enum.find(tree.layers, %{above: [], with: []}, &(&1.name == name))
      below_all(tree, layer.above ++ rest, [name | layer.with] ++ seen)
    end
  end
end

defmodule Walls.Rules do
  @moduledoc "Each rule gives the places that break it: [{path, line, what}]."
  alias Walls.Tree

  @folder_most 25
  @source_most 600
  @header_most 250
  @function_most 60

  # {name of the rule, what it finds}
  def all do
    [
      {"a folder of daemon/ has at most #{@folder_most} .c files", &folders/1},
      {"a .c file has at most #{@source_most} lines, a header #{@header_most}", &sizes/1},
      {"a function has at most #{@function_most} lines", &functions/1},
      {"each folder is a layer of its own, above earlier ones", &layers/1},
      {"what is included is there", &missing/1},
      {"nothing is included from above or beside", &upward/1},
      {"public headers are for other layers", &unused/1},
      {"headers of a layer alone are private to its folder", &private/1},
      {"folders do not go in a circle", &folder_circles/1},
      {"files of several folders do not go in a circle", &file_circles/1},
      {"guards of headers are their paths", &guards/1},
      {"what documents name is there", &forgotten/1},
      {"no two files have a static function of one name", &namesakes/1}
    ]
  end

  defp source?(path), do: String.ends_with?(path, ".c")
  defp header?(path), do: String.ends_with?(path, ".h")
  defp private?(path), do: String.ends_with?(path, "_private.h")

  defp folders(tree) do
    for {folder, files} <- Enum.group_by(Enum.filter(tree.sources, &source?/1), &Path.dirname/1),
        length(files) > @folder_most,
        do: {folder, nil, "#{length(files)} .c files"}
  end

  defp sizes(tree) do
    for path <- tree.sources ++ tree.tools,
        count = length(tree.files[path]),
        most = if(header?(path), do: @header_most, else: @source_most),
        count > most,
        do: {path, most + 1, "#{count} lines"}
  end

  # From its opening brace to the closing one, which are alone at the beginning of their lines.
  defp functions(tree) do
    for {path, lines} <- Enum.sort(tree.files),
        {first, last} <- bodies(Enum.with_index(lines, 1), nil),
        last - first + 1 > @function_most,
        do: {path, first, "#{last - first + 1} lines of #{function_name(lines, first)}"}
  end

  defp bodies([], _), do: []
  defp bodies([{"{", number} | rest], _), do: bodies(rest, number)
  defp bodies([{"}", last} | rest], first) when first != nil, do: [{first, last} | bodies(rest, nil)]
  defp bodies([_ | rest], first), do: bodies(rest, first)

  # That of the last line in front of the brace that begins at the margin.
  defp function_name(lines, first) do
    lines
    |> Enum.take(first - 1)
    |> Enum.reverse()
    |> Enum.find("", &(&1 =~ ~r/^\w.*\(/))
    |> then(&Regex.run(~r/(\w+)\(/, &1))
    |> case do
      [_, name] -> name
      nil -> "a function"
    end
  end

  defp layers(tree) do
    named = Enum.map(tree.layers, & &1.name)

    later =
      for {layer, position} <- Enum.with_index(tree.layers),
          other <- layer.above,
          other not in Enum.take(named, position),
          do: {"CMakeLists.txt", layer.line, "#{layer.name} is above #{other}, which has no earlier line"}

    shared =
      for layer <- tree.layers,
          other <- layer.with,
          do: {"CMakeLists.txt", layer.line, "#{other} is built together with #{layer.name}"}

    unknown =
      for folder <- tree.sources |> Enum.map(&Tree.layer/1) |> Enum.uniq(),
          Tree.below(tree, folder) == nil,
          do: {"daemon/#{folder}", nil, "no add_layer line of CMakeLists.txt has it"}

    later ++ shared ++ unknown
  end

  defp missing(tree), do: for(i <- tree.includes, i.to == nil, do: {i.from, i.line, "no file #{i.text}"})

  defp upward(tree) do
    for i <- tree.includes,
        i.to != nil,
        upward?(tree, i),
        do: {i.from, i.line, "#{Tree.layer(i.from)} may not include #{i.text}"}
  end

  defp upward?(tree, include) do
    from = Tree.layer(include.from)
    to = Tree.layer(include.to)
    from != to and (to not in (Tree.below(tree, from) || []) or shared?(tree, from, to))
  end

  # Layers of one library see each other; that is no order.
  defp shared?(tree, from, to) do
    Enum.any?(tree.layers, &(from in [&1.name | &1.with] and to in [&1.name | &1.with]))
  end

  # A header that a public header includes, which other layers include, is theirs as well.
  defp unused(tree) do
    headers = Enum.filter(tree.sources, &String.starts_with?(&1, "include/"))
    used = for i <- tree.includes, i.to != nil, Tree.layer(i.from) != Tree.layer(i.to), uniq: true, do: i.to
    used = reach(used, Enum.filter(tree.includes, &String.starts_with?(&1.from, "include/")))

    for header <- headers,
        header not in used,
        do: {header, nil, "no other layer includes it"}
  end

  defp reach(used, includes) do
    more = for i <- includes, i.from in used, i.to != nil, i.to not in used, uniq: true, do: i.to
    if more == [], do: used, else: reach(used ++ more, includes)
  end

  defp private(tree) do
    names =
      for path <- tree.sources,
          header?(path),
          Tree.layer(path) != "main",
          folder = hd(Path.split(path)),
          private?(path) != (folder == "daemon"),
          do:
            {path, nil,
             if(folder == "daemon", do: "is not called _private.h", else: "is public by its folder")}

    places =
      for i <- tree.includes,
          private?(i.text),
          i.to == nil or Path.dirname(i.from) != Path.dirname(i.to),
          do: {i.from, i.line, "#{i.text} is private to another folder"}

    names ++ places
  end

  defp folder_circles(tree) do
    for i <- tree.includes, i.to != nil, Tree.layer(i.from) != Tree.layer(i.to) do
      {Tree.layer(i.from), Tree.layer(i.to), i}
    end
    |> circles(tree, fn _ -> true end)
  end

  # A file is a .c with its headers.
  defp file_circles(tree) do
    for(i <- tree.includes, i.to != nil, unit(i.from) != unit(i.to), do: {unit(i.from), unit(i.to), i})
    |> circles(tree, fn group -> group |> Enum.map(&Path.dirname/1) |> Enum.uniq() |> length() > 1 end)
  end

  defp unit(path) do
    name = path |> Path.basename() |> Path.rootname() |> String.replace_suffix("_private", "")
    Path.join(Tree.layer(path), name)
  end

  # One place for each: an include that should not be, if there is one.
  defp circles(edges, tree, counts?) do
    graph = :digraph.new()
    for {from, to, _} <- edges, node <- [from, to], do: :digraph.add_vertex(graph, node)
    for {from, to, _} <- edges, do: :digraph.add_edge(graph, from, to)

    groups =
      for group <- :digraph_utils.cyclic_strong_components(graph), counts?.(group), do: Enum.sort(group)

    :digraph.delete(graph)

    for group <- Enum.sort(groups) do
      inside = for {from, to, include} <- edges, from in group, to in group, do: include
      include = Enum.find(inside, hd(inside), &upward?(tree, &1))
      {include.from, include.line, "a circle of #{Enum.join(group, ", ")}"}
    end
  end

  defp guards(tree) do
    for path <- tree.sources ++ tree.tools,
        header?(path),
        guard = guard(path),
        {line, found} <- [found_guard(tree, path)] do
      if found != guard, do: {path, line, "its guard is not #{guard}"}
    end
    |> Enum.reject(&is_nil/1)
  end

  # Of a tool the folder that it writes, and its name.
  defp guard(path) do
    words =
      case Path.split(Path.rootname(path)) do
        ["docs", folder | rest] -> [folder, List.last(rest)]
        [_ | rest] -> rest
      end

    "HARNESSD_" <> (words |> Enum.join("_") |> String.upcase()) <> "_H"
  end

  defp found_guard(tree, path) do
    tree.files[path]
    |> Enum.with_index(1)
    |> Enum.find_value({1, nil}, fn {line, number} ->
      case Regex.run(~r/^#ifndef (\w+)/, line) do
        [_, found] -> {number, if(Enum.at(tree.files[path], number) == "#define " <> found, do: found)}
        nil -> nil
      end
    end)
  end

  # Files by their paths or, in code, by their names alone, links and the headings that they lead to; in documents that
  # tell of the code also functions with their parentheses, structs, enums and constants. Of a pattern (a *, or LAYER and
  # NAME in their place) there is at least one.
  defp forgotten(tree) do
    known = known(tree)

    for {path, lines} <- Enum.sort(tree.documents),
        {line, number} <- Enum.with_index(lines, 1),
        {kind, name} <- named(path, line),
        not known?(known, kind, name),
        uniq: true,
        do: {path, number, "no #{kind} #{name}"}
  end

  defp known(tree) do
    code = tree.files |> Map.values() |> Enum.concat()
    words = fn pattern -> code |> Enum.flat_map(&Regex.scan(pattern, &1)) |> MapSet.new(&List.last/1) end
    folders = for path <- tree.others, uniq: true, do: Path.dirname(path)

    %{
      "file" => tree.others ++ folders,
      "heading" => headings(tree),
      "function" => words.(~r/^(?:[A-Za-z_].*?[\s*]|#define )([a-z]\w*)\(/),
      "struct" => words.(~r/^(?:typedef )?(?:struct|enum) (\w+)/),
      "constant" => words.(~r/\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b/),
      "name" =>
        for {path, lines} <- tree.files, line <- lines, [word] <- all(~r/\b([a-z]\w*)\b/, line), into: MapSet.new() do
          "#{word} in #{path}"
        end
    }
  end

  # As links lead to them: PATH#words-of-the-heading.
  defp headings(tree) do
    for {path, lines} <- tree.documents, line <- lines, [text] <- all(~r/^#+ (.*)$/, line), into: MapSet.new() do
      words = text |> String.downcase() |> String.replace(~r/[^\w -]/, "") |> String.replace(" ", "-")
      "#{path}##{words}"
    end
  end

  # A file's name alone is that of a file in any folder.
  defp known?(known, "file", name) do
    pattern = name |> String.replace(~r/LAYER|NAME/, "*") |> Regex.escape() |> String.replace("\\*", "[^/]*")
    whole = Regex.compile!(if(name =~ "/", do: "^#{pattern}$", else: "(^|/)#{pattern}$"))
    Enum.any?(known["file"], &(&1 =~ whole))
  end

  defp known?(known, kind, name), do: name in known[kind]

  @folders "(?:config|daemon|docs|include|packaging|systemd|tests)"

  defp named(path, line) do
    code = for [span] <- all(~r/`([^`]+)`/, line), do: span
    links = for [link | heading] <- all(~r/\]\(([^)#:]*)(?:#([^)]+))?\)/, line), do: {link, heading}

    Enum.concat([
      for([name] <- all(~r{(?<![\w/.-])(#{@folders}/[\w./*-]*)}, line), do: {"file", trimmed(name)}),
      for({link, _} <- links, link != "", do: {"file", linked(path, link)}),
      for({link, [heading]} <- links, do: {"heading", "#{linked(path, link)}##{heading}"}),
      for(name <- code, name =~ ~r/^[\w*]+\.(c|h|erl|ex|exs|sh)$/, do: {"file", name}),
      if(path =~ ~r{^(docs/internals/|CONTRIBUTING|tests/)}, do: named_of_code(code, line), else: [])
    ])
  end

  defp named_of_code(code, line) do
    Enum.concat([
      for([name] <- all(~r/(?<![\w.:])([a-z]\w*)\(\)/, line), do: {"function", name}),
      for([name] <- all(~r/\b(?:struct|enum) (\w+)/, Enum.join(code, " ")), do: {"struct", name}),
      for(name <- code, name =~ ~r/^[A-Z][A-Z0-9]*_[A-Z0-9_]+$/, do: {"constant", name}),
      for(
        [name, file] <- all(~r{`([a-z]\w*)` (?:in|of) `((?:daemon|include)/[\w/]+\.[ch])`}, line),
        do: {"name", "#{name} in #{file}"}
      )
    ])
  end

  defp all(pattern, line), do: Regex.scan(pattern, line, capture: :all_but_first)

  # Of a folder, or at the end of a sentence.
  defp trimmed(name), do: name |> String.trim_trailing(".") |> String.trim_trailing("/")

  defp linked(path, ""), do: path

  defp linked(path, link) do
    path |> Path.dirname() |> Path.join(link) |> Path.expand("/") |> Path.relative_to("/")
  end

  # A name that is met in a backtrace or a search says where it is at home.
  defp namesakes(tree) do
    statics =
      for path <- tree.sources ++ tree.tools,
          source?(path),
          {line, number} <- Enum.with_index(tree.files[path], 1),
          [_, name] <- [Regex.run(~r/^static [^=;(]*?\b([a-z_0-9]+)\(/, line)],
          uniq: true,
          do: {name, path, number}

    for {name, places} <- Enum.group_by(statics, &elem(&1, 0)),
        [_, _ | _] <- [Enum.uniq_by(places, &elem(&1, 1))],
        {_, path, number} <- Enum.uniq_by(places, &elem(&1, 1)),
        do: {path, number, "#{name}() is there elsewhere, too"}
  end
end

defmodule Walls.SelfTest do
  @moduledoc "Small trees, each of which breaks one rule."

  @cmake """
  add_layer(base PRIVATE m)
  add_layer(term ABOVE base PRIVATE ei)
  add_layer(store ABOVE term)
  add_layer(dist ABOVE term)
  add_layer(node ABOVE dist store)
  """

  @good %{
    "CMakeLists.txt" => @cmake,
    "daemon/main.c" => "#include \"node/node.h\"\n\nint main(void)\n{\n    return 0;\n}\n",
    "daemon/node/node.c" =>
      "#include \"node/node.h\"\n#include \"dist/conn.h\"\n#include \"store/store.h\"\n",
    "daemon/dist/conn.c" =>
      "#include \"dist/conn.h\"\n#include \"conn_private.h\"\n#include \"term/term.h\"\n",
    "daemon/dist/conn_reap.c" => "#include \"conn_private.h\"\n",
    "daemon/dist/conn_private.h" =>
      "#ifndef HARNESSD_DIST_CONN_PRIVATE_H\n#define HARNESSD_DIST_CONN_PRIVATE_H\n#endif\n",
    "daemon/store/store.c" => "#include \"store/store.h\"\n#include \"base/list.h\"\n",
    "include/base/list.h" => "#ifndef HARNESSD_BASE_LIST_H\n#define HARNESSD_BASE_LIST_H\n#endif\n",
    "include/term/term.h" =>
      "#ifndef HARNESSD_TERM_TERM_H\n#define HARNESSD_TERM_TERM_H\n#include \"base/list.h\"\n#endif\n",
    "include/dist/conn.h" => "#ifndef HARNESSD_DIST_CONN_H\n#define HARNESSD_DIST_CONN_H\n#endif\n",
    "include/store/store.h" => "#ifndef HARNESSD_STORE_STORE_H\n#define HARNESSD_STORE_STORE_H\n#endif\n",
    "include/node/node.h" => "#ifndef HARNESSD_NODE_NODE_H\n#define HARNESSD_NODE_NODE_H\n#endif\n"
  }

  # {what is done, the changes, the rules that see it: the beginning of their name, and the place}
  defp cases do
    [
      {"nothing is wrong", %{}, []},
      {"a folder has 26 files", Map.new(1..25, &{"daemon/store/store_#{&1}.c", ""}),
       [{"a folder of", "daemon/store"}]},
      {"a header has 251 lines", grown("include/node/node.h", 248),
       [{"a .c file has", "include/node/node.h:251"}]},
      {"a header has 250 lines", grown("include/node/node.h", 247), []},
      {"a .c file has 601 lines", grown("daemon/store/store.c", 599),
       [{"a .c file has", "daemon/store/store.c:601"}]},
      {"a function has 61 lines", function(61), [{"a function has", "daemon/store/store.c:5"}]},
      {"a function has 60 lines", function(60), []},
      {"a function of a test has 61 lines",
       %{"tests/unit/a_test.c" => "void f(void)\n{\n" <> blank(59) <> "}\n"},
       [{"a function has", "tests/unit/a_test.c:2"}]},
      {"two files have a static function of one name",
       %{
         "daemon/store/one.c" => "static int twice(int a)\n{\n    return a;\n}\n",
         "daemon/term/two.c" => "static void twice(void);\nstatic void twice(void)\n{\n}\n"
       }, [{"no two files", "daemon/store/one.c:1"}, {"no two files", "daemon/term/two.c:1"}]},
      {"a tool breaks rules",
       %{
         "docs/reference/generator/one.c" =>
           "static int twice(int a)\n{\n" <> blank(59) <> "}\n" <> blank(600),
         "docs/reference/generator/one.h" => guarded("DOCS_ONE"),
         "docs/reference/generator/two.h" => guarded("REFERENCE_TWO"),
         "daemon/term/two.c" => "static int twice(int a)\n{\n    return a;\n}\n"
       },
       [
         {"a .c file has", "docs/reference/generator/one.c:601"},
         {"a function has", "docs/reference/generator/one.c:2"},
         {"guards of", "docs/reference/generator/one.h:1"},
         {"no two files", "docs/reference/generator/one.c:1"},
         {"no two files", "daemon/term/two.c:1"}
       ]},
      {"a layer is above a later one",
       %{"CMakeLists.txt" => String.replace(@cmake, "term ABOVE base", "term ABOVE base node")},
       [{"each folder is", "CMakeLists.txt:2"}]},
      {"two layers are one library",
       %{"CMakeLists.txt" => String.replace(@cmake, "add_layer(dist ", "add_layer(dist WITH wire ")},
       [{"each folder is", "CMakeLists.txt:4"}]},
      {"a folder is no layer",
       %{"daemon/wire/wire.c" => "", "daemon/wire/wire_private.h" => guarded("WIRE_WIRE_PRIVATE")},
       [{"each folder is", "daemon/wire"}]},
      {"a header is not there", added("daemon/store/store.c", "store/gone.h"),
       [{"what is included", "daemon/store/store.c:3"}]},
      {"an include points upwards", added("daemon/store/store.c", "node/node.h"),
       [
         {"nothing is included", "daemon/store/store.c:3"},
         {"folders do not", "daemon/store/store.c:3"},
         {"files of several", "daemon/store/store.c:3"}
       ]},
      {"a header's include points upwards", added("include/term/term.h", "node/node.h"),
       [
         {"nothing is included", "include/term/term.h:5"},
         {"folders do not", "include/term/term.h:5"},
         {"files of several", "include/term/term.h:5"}
       ]},
      {"an include points to a sibling", added("daemon/store/store.c", "dist/conn.h"),
       [{"nothing is included", "daemon/store/store.c:3"}]},
      {"a public header is used by its layer alone",
       %{"include/store/age.h" => guarded("STORE_AGE"), "daemon/store/age.c" => "#include \"store/age.h\"\n"},
       [{"public headers", "include/store/age.h"}]},
      {"a public header is used by a public header alone",
       Map.merge(added("include/store/store.h", "store/age.h"), %{
         "include/store/age.h" => guarded("STORE_AGE")
       }), []},
      {"a header of daemon/ has a public name",
       Map.merge(added("daemon/store/store.c", "age.h"), %{"daemon/store/age.h" => guarded("STORE_AGE")}),
       [{"headers of a layer", "daemon/store/age.h"}]},
      {"a public header has a private name",
       Map.merge(added("daemon/node/node.c", "store/age_private.h"), %{
         "include/store/age_private.h" => guarded("STORE_AGE_PRIVATE")
       }),
       [{"headers of a layer", "include/store/age_private.h"}, {"headers of a layer", "daemon/node/node.c:4"}]},
      {"a private header of another folder", added("daemon/node/node.c", "conn_private.h"),
       [{"headers of a layer", "daemon/node/node.c:4"}]},
      {"a private header in a public one", added("include/dist/conn.h", "conn_private.h"),
       [{"headers of a layer", "include/dist/conn.h:4"}]},
      {"layers go in a circle",
       %{
         "CMakeLists.txt" =>
           "add_layer(base ABOVE node)\n" <> String.replace(@cmake, "add_layer(base PRIVATE m)\n", ""),
         "include/base/list.h" => guarded("BASE_LIST", "#include \"node/node.h\"\n"),
         "include/node/node.h" => guarded("NODE_NODE", "#include \"base/list.h\"\n")
       },
       [
         {"each folder is", "CMakeLists.txt:1"},
         {"folders do not", "daemon/dist/conn.c:3"},
         {"files of several", "daemon/dist/conn.c:3"}
       ]},
      {"a guard is another file's", %{"include/dist/conn.h" => guarded("DIST_CONNECTION")},
       [{"guards of", "include/dist/conn.h:1"}]},
      {"a header has no guard", %{"include/dist/conn.h" => "int conn;\n"},
       [{"guards of", "include/dist/conn.h:1"}]},
      {"documents name what is there",
       Map.merge(
         document(
           "[this](../../CONTRIBUTING.md), `daemon/dist/conn.c` `conn_reap.c` `include/LAYER/list.h` " <>
             "`daemon/*/NAME.c` `daemon/store/`: `main()`, main(), `struct conn`, `HARNESSD_DIST_CONN_H`, " <>
             "gen:call(), https://a.b/tests/x.c"
         ),
         %{
           "CONTRIBUTING.md" => "It is all in daemon/dist.\n",
           "include/dist/conn.h" => guarded("DIST_CONN", "struct conn;\n")
         }
       ), []},
      {"a document names a file that is gone", document("see daemon/dist/gone.c."),
       [{"what documents name", "docs/internals/a.md:2"}]},
      {"a document names a file that is gone by its name", document("`gone.c`"),
       [{"what documents name", "docs/internals/a.md:2"}]},
      {"a document names a pattern that nothing fits", document("`tests/unit/LAYER_NAME_test.c`"),
       [{"what documents name", "docs/internals/a.md:2"}]},
      {"a document links to what is gone", document("[gone](gone.md)"),
       [{"what documents name", "docs/internals/a.md:2"}]},
      {"a document names a function that is gone", document("`node_gone()` tells"),
       [{"what documents name", "docs/internals/a.md:2"}]},
      {"a document names a struct that is gone", document("`struct node *`"),
       [{"what documents name", "docs/internals/a.md:2"}]},
      {"a document names a constant that is gone", document("`NODE_GONE`"),
       [{"what documents name", "docs/internals/a.md:2"}]},
      {"CONTRIBUTING.md names what is gone", %{"CONTRIBUTING.md" => "node_gone()\n"},
       [{"what documents name", "CONTRIBUTING.md:1"}]},
      {"a document has a name in a file that is gone", document("`node_gone` in `daemon/node/node.c`"),
       [{"what documents name", "docs/internals/a.md:2"}]},
      {"the README of the tests names what is gone", %{"tests/README.md" => "`gone.ex`\n"},
       [{"what documents name", "tests/README.md:1"}]},
      {"the README links to what is gone", %{"README.md" => "[gone](docs/gone.md)\n"},
       [{"what documents name", "README.md:1"}]},
      {"a page links to a heading that is gone", %{"docs/guide/a.md" => "# A\n\n[b](#b), [a](a.md#a)\n"},
       [{"what documents name", "docs/guide/a.md:3"}]},
      {"a page names a function of Erlang", %{"docs/guide/a.md" => "# A\n\n`gone()` and [a](#a)\n"}, []}
    ]
  end

  defp blank(count), do: String.duplicate("\n", count)
  defp grown(path, count), do: %{path => @good[path] <> blank(count)}
  defp added(path, header), do: %{path => @good[path] <> "#include \"#{header}\"\n"}

  defp document(text), do: %{"docs/internals/a.md" => "# A\n" <> text <> "\n"}

  defp function(lines),
    do: %{
      "daemon/store/store.c" =>
        @good["daemon/store/store.c"] <> "\nvoid f(void)\n{\n" <> blank(lines - 2) <> "}\n"
    }

  defp guarded(name, text \\ ""),
    do: "#ifndef HARNESSD_#{name}_H\n#define HARNESSD_#{name}_H\n#{text}#endif\n"

  def run do
    root =
      Path.join(System.tmp_dir!(), "harnessd_walls_#{System.pid()}_#{System.unique_integer([:positive])}")

    try do
      for {{name, changes, expected}, number} <- Enum.with_index(cases()) do
        tree = Path.join(root, Integer.to_string(number))
        for {path, text} <- Map.merge(@good, changes), do: write(Path.join(tree, path), text)
        found = for {rule, places} <- Walls.look(tree), place <- places, do: {rule, Walls.place(place)}
        problems = compare(found, expected)

        if problems == [],
          do: IO.puts("ok      #{name}"),
          else: IO.puts("FAILED  #{name}\n#{Enum.join(problems, "\n")}")

        problems == []
      end
    after
      File.rm_rf!(root)
    end
  end

  defp write(path, text) do
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, text)
  end

  defp compare(found, expected) do
    matches? = fn {rule, place}, {prefix, where} -> String.starts_with?(rule, prefix) and place == where end
    missed = for e <- expected, not Enum.any?(found, &matches?.(&1, e)), do: "        not seen: #{inspect(e)}"
    extra = for f <- found, not Enum.any?(expected, &matches?.(f, &1)), do: "        seen: #{inspect(f)}"
    missed ++ extra
  end
end

defmodule Walls do
  @doc "[{rule, places}] of a tree."
  def look(root) do
    tree = Walls.Tree.read(root)
    for {name, find} <- Walls.Rules.all(), do: {name, find.(tree)}
  end

  def place({path, nil, _}), do: path
  def place({path, line, _}), do: "#{path}:#{line}"

  defp run(root) do
    for {name, places} <- look(root) do
      IO.puts(if(places == [], do: "ok      ", else: "FAILED  ") <> name)
      for {_, _, what} = found <- Enum.sort(places), do: IO.puts("        #{place(found)}: #{what}")
      places == []
    end
  end

  defp finish(results) do
    passed = Enum.count(results, & &1)
    failed = length(results) - passed
    if file = System.get_env("RESULT"), do: File.write!(file, "#{passed} #{failed}\n")
    IO.puts("#{passed} passed, #{failed} failed")
    System.halt(if failed == 0, do: 0, else: 1)
  end

  def main(["--self-test"]), do: finish(Walls.SelfTest.run())
  def main([]), do: main([Path.dirname(__DIR__)])

  def main([root]) do
    if File.regular?(Path.join(root, "CMakeLists.txt")) do
      finish(run(root))
    else
      IO.puts(:stderr, "no tree at #{root}, or usage: elixir tests/walls.exs [--self-test | TREE]")
      System.halt(2)
    end
  end

  def main(_) do
    IO.puts(:stderr, "usage: elixir tests/walls.exs [--self-test | TREE]")
    System.halt(2)
  end
end

Walls.main(System.argv())
