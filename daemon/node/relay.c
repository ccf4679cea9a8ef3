#include "relay_private.h"

#include <stdlib.h>

#include "base/memory.h"
#include "term/term_read.h"

/* dbg:n/1 spawns dbg:do_relay(Dbg, Tracer) and waits for {started, Pid} whatever becomes of it: it gets that
 * word, and then sees its relay end. */
struct relay {
    struct process *process;
    struct term dbg;
    struct loop_task start;
};

static void relay_end(void *owner)
{
    struct relay *relay = owner;
    struct term_builder builder = {0};
    struct term message;
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "started");
    term_build_term(&builder, process_pid(relay->process));
    if (term_build_done(&builder, &message))
        (void)node_send(process_node(relay->process), relay->process, relay->dbg, message);
    process_exit_atom(relay->process, "notsup");
    term_build_free(&builder);
    free((void *)relay->dbg.data);
    free(relay);
}

static const struct process_events relay_events = {.message = NULL};

struct process *relay_spawn(struct node *node, const struct control *control, struct term arguments)
{
    struct term function[3], dbg;
    struct term_list walk;
    if (!term_read_tuple_of(control->function, 3, function) || !term_is_atom(function[0], "dbg") ||
        !term_is_atom(function[1], "do_relay") || !term_list_start(&walk, arguments) ||
        !term_list_next(&walk, &dbg) || term_type(dbg) != TERM_PID)
        return NULL;
    struct relay *relay = memory_zalloc(1, sizeof(*relay));
    relay->process = process_spawn(node, &relay_events, relay);
    relay->dbg = (struct term){memory_copy(dbg.data, dbg.size), dbg.size};
    relay->start = (struct loop_task){.run = relay_end, .owner = relay};
    loop_defer(node_loop(node), &relay->start);
    return relay->process;
}
