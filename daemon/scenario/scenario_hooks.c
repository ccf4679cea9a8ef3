#include "scenario_private.h"

#include <string.h>

#include "term/term_check.h"
#include "term/term_read.h"

int fun_arity(struct term term)
{
    if (term_type(term) != TERM_FUN)
        return -1;
    /* NEW_FUN_EXT: tag, size of four bytes, arity. EXPORT_EXT ends in its arity, a small integer. */
    return term.data[0] == TERM_TAG_NEW_FUN ? term.data[5] : term.data[term.size - 1];
}

bool is_module_function_extra(struct term term)
{
    struct term parts[3], element;
    struct term_list extra;
    if (!term_read_tuple_of(term, 3, parts) || term_type(parts[0]) != TERM_ATOM ||
        term_type(parts[1]) != TERM_ATOM || !term_list_start(&extra, parts[2]))
        return false;
    while (term_list_next(&extra, &element)) {
    }
    return term_list_proper(&extra);
}

/* The library's own default funs, which its structs carry, mean our defaults: no node needs the library. */
static bool hooks_is_library_default(struct term term)
{
    static const char library[] = "Elixir.Supertester.";
    struct term module, function;
    char name[TERM_ATOM_BYTES + 1];
    if (term.data[0] != TERM_TAG_EXPORT)
        return false;
    module.data = term.data + 1;
    module.size = term_length(module.data);
    function.data = module.data + module.size;
    function.size = term_length(function.data);
    return term_read_atom(module, name) && strncmp(name, library, sizeof(library) - 1) == 0 &&
           (term_is_atom(function, "default_invariant") || term_is_atom(function, "default_cleanup"));
}

void read_hook(struct reader *reader, struct term value, int arity, struct term *hook)
{
    struct excerpt text;
    if (term_is_atom(value, "nil") || hooks_is_library_default(value))
        return;
    if (fun_arity(value) != arity && !is_module_function_extra(value))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE,
                     "must be a fun of arity %d or {module, function, extra_args}, got %s", arity,
                     excerpt(&text, value));
    else
        *hook = value;
}

void read_setup(struct reader *reader, struct term value)
{
    reader->has_setup = true;
    read_hook(reader, value, 0, &reader->scenario->setup);
}

void read_cleanup(struct reader *reader, struct term value)
{
    read_hook(reader, value, 2, &reader->scenario->cleanup);
}

void read_invariant(struct reader *reader, struct term value)
{
    read_hook(reader, value, 2, &reader->scenario->invariant);
}

void read_steady_state(struct reader *reader, struct term value)
{
    read_hook(reader, value, 2, &reader->scenario->steady_state);
}

void read_thread_setup(struct reader *reader, struct term value)
{
    read_hook(reader, value, 1, &reader->scenario->thread_setup);
}

/* After the setup, whose state it is for. */
void read_thread_cleanup(struct reader *reader, struct term value)
{
    read_hook(reader, value, 1, &reader->scenario->thread_cleanup);
    if (reader->scenario->thread_cleanup.data && !reader->scenario->thread_setup.data)
        problems_add(reader->problems, PROBLEM_CONFLICT, "needs thread_setup, whose state it is given");
}

void read_hooks_node(struct reader *reader, struct term value)
{
    char text[TERM_ATOM_BYTES + 1];
    struct excerpt name;
    reader->has_hooks_node = true;
    if (!term_read_atom(value, text) || !node_name_is_valid(text, strlen(text)) ||
        strcmp(text, reader->origin->own_node) == 0)
        problems_add(reader->problems, PROBLEM_WRONG_TYPE,
                     "must be the name of another node than the daemon's, got %s", excerpt(&name, value));
    else
        memcpy(reader->scenario->hooks_node, text, strlen(text) + 1);
}

void read_hook_timeout(struct reader *reader, struct term value)
{
    read_milliseconds(reader, value, &reader->scenario->hook_timeout_ms);
}

void build_hook(struct term hook, struct term_builder *builder)
{
    if (hook.data)
        term_build_term(builder, hook);
    else
        term_build_atom(builder, "nil");
}

void build_setup(const struct scenario *scenario, struct term_builder *builder)
{
    build_hook(scenario->setup, builder);
}

void build_cleanup(const struct scenario *scenario, struct term_builder *builder)
{
    build_hook(scenario->cleanup, builder);
}

void build_invariant(const struct scenario *scenario, struct term_builder *builder)
{
    build_hook(scenario->invariant, builder);
}

void build_steady_state(const struct scenario *scenario, struct term_builder *builder)
{
    build_hook(scenario->steady_state, builder);
}

void build_thread_setup(const struct scenario *scenario, struct term_builder *builder)
{
    build_hook(scenario->thread_setup, builder);
}

void build_thread_cleanup(const struct scenario *scenario, struct term_builder *builder)
{
    build_hook(scenario->thread_cleanup, builder);
}

void build_hook_timeout(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_unsigned(builder, scenario->hook_timeout_ms);
}

void build_hooks_node(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_atom(builder, scenario->hooks_node);
}
