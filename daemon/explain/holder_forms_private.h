/* What has a node tell which processes do not give their scheduler back: a process that its system monitor
 * tells, as long as nobody else is told; from OTP 28 on that of a session of its own, of which there may be
 * any number. It is evaluated, but its forms are built here and name variables by atoms that every node has,
 * so that none is made. In Erlang, before OTP 28:
 *
 *     undefined = erlang:system_monitor(),
 *     case erlang:system_monitor(self(), [{long_schedule, Milliseconds}]) of
 *         undefined -> ok;
 *         {Other, Options} -> erlang:system_monitor(Other, Options), exit(normal)
 *     end,
 *
 * and from then on:
 *
 *     System = trace:session_create(monitor, self(), []),
 *     trace:system(System, long_schedule, Milliseconds),
 *
 * Then, where System stands for itself lest the session is forgotten, and ends:
 *
 *     Parent ! monitor,
 *     (fun Loop() ->
 *          receive
 *              {monitor, Pid, long_schedule, Info} ->
 *                  Parent ! {monitor, Pid, erlang:monotonic_time(nanosecond), Info}
 *          end,
 *          System,
 *          Loop()
 *      end)().
 *
 * The runtime system takes back what the process has when it ends, which it does with the connection. It
 * bears no mark of ours, which is an atom as well: no fault finds it, as it is of no module and no
 * application. */
#ifndef HARNESSD_EXPLAIN_HOLDER_FORMS_PRIVATE_H
#define HARNESSD_EXPLAIN_HOLDER_FORMS_PRIVATE_H

#include <stdbool.h>

#include "term/term_build.h"

/* Appends the list of forms; and that of their bindings. */
void holder_forms_build(struct term_builder *builder, uint64_t milliseconds, bool has_sessions);
void holder_forms_bind(struct term_builder *builder, struct term daemon);

#endif
