#include "run/heal_all.h"

#include <stdlib.h>

#include "base/memory.h"
#include "run_private.h"

/* Nodes that find each other again take the longest. */
#define HEAL_NS (10 * CLOCK_NS_PER_S)

struct healing {
    struct runner *runner;
    struct loop_timer deadline;
    struct loop_task reap;
    struct term_builder faults; /* the elements */
    size_t count;
    size_t left;
    bool asking; /* not all runs were asked yet */
    void (*done)(void *owner, struct term healed);
    void *owner;
};

static void healing_reap(void *owner)
{
    struct healing *healing = owner;
    loop_timer_free(&healing->deadline);
    term_build_free(&healing->faults);
    free(healing);
}

static void healing_finish(struct healing *healing)
{
    struct term_builder list = {0};
    term_build_list(&list, healing->count);
    buffer_append(&list.bytes, buffer_bytes(&healing->faults.bytes), healing->faults.bytes.size);
    if (healing->count)
        term_build_nil(&list);
    healing->done(healing->owner, term_built(&list));
    term_build_free(&list);
    loop_timer_stop(&healing->deadline);
    loop_defer(healing->deadline.loop, &healing->reap);
}

/* What was cut short has left nothing. */
static void healing_on_undone(void *owner, const struct faults *faults, const struct injection *injection)
{
    struct healing *healing = owner;
    if (injection_lasts(injection)) {
        faults_build_undone(faults, injection, &healing->faults);
        healing->count++;
    }
    if (--healing->left == 0 && !healing->asking)
        healing_finish(healing);
}

static void healing_tell_now(void *owner, struct run *run)
{
    if (run->faults)
        faults_tell_heal_now(run->faults, owner);
}

/* Those that are still awaited have not been seen to be gone. */
static void healing_on_deadline(void *owner)
{
    struct healing *healing = owner;
    healing->asking = true;
    runner_each(healing->runner, healing_tell_now, healing);
    healing_finish(healing);
}

static void healing_ask(void *owner, struct run *run)
{
    struct healing *healing = owner;
    if (run->faults)
        healing->left += faults_heal_now(run->faults, healing_on_undone, healing);
}

void heal_all(struct runner *runner, struct node *node, void (*done)(void *owner, struct term healed),
              void *owner)
{
    struct healing *healing = memory_zalloc(1, sizeof(*healing));
    *healing = (struct healing){.runner = runner, .asking = true, .done = done, .owner = owner};
    healing->reap = (struct loop_task){.run = healing_reap, .owner = healing};
    loop_timer_init(&healing->deadline, node_loop(node), healing_on_deadline, healing);
    runner_each(runner, healing_ask, healing);
    healing->asking = false;
    if (healing->left)
        loop_timer_set(&healing->deadline, HEAL_NS);
    else
        healing_finish(healing);
}
