#include "holder_forms_private.h"

/* Abstract forms are written as they are read: a form, then what is inside of it, lists with their end. */

static void form_open(struct term_builder *builder, const char *name, size_t arity)
{
    term_build_tuple(builder, arity);
    term_build_atom(builder, name);
    term_build_integer(builder, 1);
}

static void form_atom(struct term_builder *builder, const char *kind, const char *name)
{
    form_open(builder, kind, 3);
    term_build_atom(builder, name);
}

/* {call, 1, {remote, 1, Module, Function}, Arguments}: the list of these follows. */
static void form_call(struct term_builder *builder, const char *module, const char *function, size_t arity)
{
    form_open(builder, "call", 4);
    form_open(builder, "remote", 4);
    form_atom(builder, "atom", module);
    form_atom(builder, "atom", function);
    term_build_list(builder, arity);
}

static void form_self(struct term_builder *builder)
{
    form_call(builder, "erlang", "self", 0);
}

static void form_tuple(struct term_builder *builder, size_t arity)
{
    form_open(builder, "tuple", 3);
    term_build_list(builder, arity);
}

/* A clause without guards: lists of its patterns and of its body follow. */
static void form_clause(struct term_builder *builder, size_t patterns)
{
    form_open(builder, "clause", 5);
    term_build_list(builder, patterns);
}

static void form_body(struct term_builder *builder, size_t count)
{
    term_build_nil(builder); /* no guards */
    term_build_list(builder, count);
}

static void form_integer(struct term_builder *builder, uint64_t value)
{
    form_open(builder, "integer", 3);
    term_build_unsigned(builder, value);
}

/* Parent ! what follows */
static void form_send(struct term_builder *builder)
{
    form_open(builder, "op", 5);
    term_build_atom(builder, "!");
    form_atom(builder, "var", "parent");
}

static void holder_build_ask(struct term_builder *builder)
{
    form_open(builder, "match", 4);
    form_atom(builder, "atom", "undefined");
    form_call(builder, "erlang", "system_monitor", 0);
}

/* Somebody may have come in between, and gets it back. */
static void holder_build_take(struct term_builder *builder, uint64_t milliseconds)
{
    form_open(builder, "case", 4);
    form_call(builder, "erlang", "system_monitor", 2);
    form_self(builder);
    form_open(builder, "cons", 4);
    form_tuple(builder, 2);
    form_atom(builder, "atom", "long_schedule");
    form_integer(builder, milliseconds);
    term_build_nil(builder);
    form_open(builder, "nil", 2);
    term_build_nil(builder);
    term_build_list(builder, 2);
    form_clause(builder, 1);
    form_atom(builder, "atom", "undefined");
    term_build_nil(builder);
    form_body(builder, 1);
    form_atom(builder, "atom", "ok");
    term_build_nil(builder);
    form_clause(builder, 1);
    form_tuple(builder, 2);
    form_atom(builder, "var", "other");
    form_atom(builder, "var", "options");
    term_build_nil(builder);
    term_build_nil(builder);
    form_body(builder, 2);
    form_call(builder, "erlang", "system_monitor", 2);
    form_atom(builder, "var", "other");
    form_atom(builder, "var", "options");
    term_build_nil(builder);
    form_call(builder, "erlang", "exit", 1);
    form_atom(builder, "atom", "normal");
    term_build_nil(builder);
    term_build_nil(builder);
    term_build_nil(builder);
}

static void holder_build_session(struct term_builder *builder)
{
    form_open(builder, "match", 4);
    form_atom(builder, "var", "system");
    form_call(builder, "trace", "session_create", 3);
    form_atom(builder, "atom", "monitor");
    form_self(builder);
    form_open(builder, "nil", 2);
    term_build_nil(builder);
}

static void holder_build_watch(struct term_builder *builder, uint64_t milliseconds)
{
    form_call(builder, "trace", "system", 3);
    form_atom(builder, "var", "system");
    form_atom(builder, "atom", "long_schedule");
    form_integer(builder, milliseconds);
    term_build_nil(builder);
}

static void holder_build_receive(struct term_builder *builder)
{
    form_open(builder, "receive", 3);
    term_build_list(builder, 1);
    form_clause(builder, 1);
    form_tuple(builder, 4);
    form_atom(builder, "atom", "monitor");
    form_atom(builder, "var", "pid");
    form_atom(builder, "atom", "long_schedule");
    form_atom(builder, "var", "info");
    term_build_nil(builder);
    term_build_nil(builder);
    form_body(builder, 1);
    form_send(builder);
    form_tuple(builder, 4);
    form_atom(builder, "atom", "monitor");
    form_atom(builder, "var", "pid");
    form_call(builder, "erlang", "monotonic_time", 1);
    form_atom(builder, "atom", "nanosecond");
    term_build_nil(builder);
    form_atom(builder, "var", "info");
    term_build_nil(builder);
    term_build_nil(builder);
    term_build_nil(builder);
}

static void holder_build_loop(struct term_builder *builder, bool has_sessions)
{
    form_open(builder, "call", 4);
    form_open(builder, "named_fun", 4);
    term_build_atom(builder, "loop");
    term_build_list(builder, 1);
    form_clause(builder, 0);
    form_body(builder, 2 + has_sessions);
    holder_build_receive(builder);
    if (has_sessions)
        form_atom(builder, "var", "system");
    form_open(builder, "call", 4);
    form_atom(builder, "var", "loop");
    term_build_nil(builder);
    term_build_nil(builder);
    term_build_nil(builder);
    term_build_nil(builder);
}

void holder_forms_build(struct term_builder *builder, uint64_t milliseconds, bool has_sessions)
{
    term_build_list(builder, 4);
    if (has_sessions) {
        holder_build_session(builder);
        holder_build_watch(builder, milliseconds);
    } else {
        holder_build_ask(builder);
        holder_build_take(builder, milliseconds);
    }
    form_send(builder);
    form_atom(builder, "atom", "monitor");
    holder_build_loop(builder, has_sessions);
    term_build_nil(builder);
}

void holder_forms_bind(struct term_builder *builder, struct term daemon)
{
    term_build_list(builder, 1);
    term_build_tuple(builder, 2);
    term_build_atom(builder, "parent");
    term_build_term(builder, daemon);
    term_build_nil(builder);
}
