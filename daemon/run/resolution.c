#include "run/resolution.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run_private.h"
#include "scenario/scenario_texts.h"
#include "term/term_read.h"

#define RESOLUTION_NS (10 * CLOCK_NS_PER_S)

/* Texts are for at most so many nodes: that of the hooks and that of the first target. */
#define NODES 2

struct node_texts {
    struct resolution *resolution;
    const char *node;
    struct script script;
    bool awaited;
};

struct resolution {
    struct runner *runner;
    struct list_link link; /* of the runner's */
    const struct scenario *scenario;
    struct process *process;
    struct loop_timer timer; /* its deadline; once all is known it is due at once */
    struct node_texts nodes[NODES];
    size_t node_count;
    struct buffer *outcomes; /* {ok, Term} | {error, Kind, Message}, of the first of equal texts */
    struct problems problems;
    struct term_builder failure; /* the reason when nodes could not be asked */
    struct scenario *resolved;
    bool ended;
    resolution_done *done;
    void *owner;
};

void resolution_cancel(struct resolution *resolution)
{
    list_remove(runner_resolutions(resolution->runner), &resolution->link);
    for (size_t i = 0; i < resolution->node_count; i++)
        script_kill(&resolution->nodes[i].script);
    process_exit_atom(resolution->process, "normal");
    loop_timer_free(&resolution->timer);
    for (size_t i = 0; i < resolution->scenario->texts->count; i++)
        buffer_free(&resolution->outcomes[i]);
    free(resolution->outcomes);
    problems_free(&resolution->problems);
    term_build_free(&resolution->failure);
    scenario_free(resolution->resolved);
    free(resolution);
}

/* --- The end --- */

#define MESSAGE_BYTES 500

/* What a text means; without data, and a problem at its place, when it means nothing. */
static struct term resolution_find_meaning(struct resolution *resolution, const struct scenario_text *text)
{
    const struct buffer *outcome = &resolution->outcomes[text->first];
    struct term parts[3];
    size_t arity = 0;
    const uint8_t *message;
    size_t size;
    bool understood = outcome->size && term_read_tuple(term_of(outcome), 3, parts, &arity);
    if (understood && arity == 2 && term_is_atom(parts[0], "ok"))
        return parts[1];
    if (understood && arity == 3 && term_read_binary(parts[2], &message, &size))
        problems_add_at(&resolution->problems, term_of(&text->path), problem_kind_read(parts[1]), "%.*s",
                        size < MESSAGE_BYTES ? (int)size : MESSAGE_BYTES, (const char *)message);
    else
        problems_add_at(&resolution->problems, term_of(&text->path), PROBLEM_SYNTAX,
                        "cannot be made sense of: its node does not say what it means");
    return (struct term){0};
}

/* Reads the scenario with what its texts mean. */
static void resolution_put_together(struct resolution *resolution)
{
    const struct scenario_texts *texts = resolution->scenario->texts;
    struct term *meanings = memory_zalloc(texts->count, sizeof(*meanings));
    for (size_t i = 0; i < texts->count; i++)
        meanings[i] = resolution_find_meaning(resolution, &texts->items[i]);
    if (!resolution->problems.count)
        resolution->resolved = scenario_texts_read(texts, meanings, &resolution->problems);
    free(meanings);
}

/* In a pass of its own: a callback of one of its scripts may not end it. */
static void resolution_end_soon(struct resolution *resolution)
{
    resolution->ended = true;
    loop_timer_set(&resolution->timer, 0);
}

static void resolution_finish(struct resolution *resolution)
{
    resolution_done *done = resolution->done;
    void *owner = resolution->owner;
    struct term_builder *failure = &resolution->failure, reason = {0};
    if (!failure->bytes.size)
        resolution_put_together(resolution);
    struct scenario *resolved = resolution->resolved;
    if (failure->bytes.size)
        term_build_term(&reason, term_built(failure));
    else if (!resolved)
        problems_build(&resolution->problems, &reason);
    resolution->resolved = NULL;
    resolution_cancel(resolution);
    done(owner, resolved, resolved ? (struct term){0} : term_built(&reason));
    term_build_free(&reason);
}

/* The first failure ends it. */
static void resolution_fail(struct resolution *resolution, enum reason reason, struct term detail)
{
    if (resolution->failure.bytes.size)
        return;
    reason_open(reason, 2, &resolution->failure);
    term_build_term(&resolution->failure, detail);
    resolution_end_soon(resolution);
}

static void resolution_on_timer(void *owner)
{
    struct resolution *resolution = owner;
    struct term_builder timeout = {0};
    if (!resolution->ended) {
        term_build_atom(&timeout, "timeout");
        resolution_fail(resolution, REASON_SESSION_FAILED, term_built(&timeout));
        term_build_free(&timeout);
    }
    resolution_finish(resolution);
}

/* --- The nodes --- */

static void resolution_on_down(void *owner, const struct term_long *reason)
{
    struct node_texts *texts = owner;
    struct term_builder node = {0};
    if (!texts->awaited)
        return;
    term_build_atom(&node, texts->node);
    if (term_is_atom(reason->tail, "noconnection"))
        resolution_fail(texts->resolution, REASON_NODEDOWN, term_built(&node));
    else
        resolution_fail(texts->resolution, REASON_SESSION_FAILED, reason->tail);
    term_build_free(&node);
}

/* {Index of the node, [{Number of the text, Outcome}]} */
static void resolution_on_message(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)process;
    struct resolution *resolution = owner;
    struct term parts[2], element, pair[2];
    struct term_list list;
    int64_t index, number;
    bool waiting = false;
    if (resolution->ended || !term_read_tuple_of(incoming->body, 2, parts) ||
        !term_read_integer(parts[0], &index) || index < 0 || (uint64_t)index >= resolution->node_count ||
        !resolution->nodes[index].awaited || !term_list_start(&list, parts[1]))
        return;
    while (term_list_next(&list, &element))
        if (term_read_tuple_of(element, 2, pair) && term_read_integer(pair[0], &number) && number >= 0 &&
            (uint64_t)number < resolution->scenario->texts->count)
            term_keep(&resolution->outcomes[number], pair[1]);
    resolution->nodes[index].awaited = false;
    for (size_t i = 0; i < resolution->node_count; i++)
        waiting |= resolution->nodes[i].awaited;
    if (!waiting)
        resolution_end_soon(resolution);
}

static bool resolution_is_for(const struct resolution *resolution, const struct scenario_text *text,
                              const struct node_texts *node)
{
    return strcmp(scenario_text_node(text, resolution->scenario), node->node) == 0;
}

/* [{Number, Language, IsHook, Text}] */
static void resolution_build_texts(const struct resolution *resolution, const struct node_texts *node,
                                   struct term_builder *builder)
{
    const struct scenario_texts *texts = resolution->scenario->texts;
    size_t count = 0;
    for (size_t i = 0; i < texts->count; i++)
        count += texts->items[i].first == i && resolution_is_for(resolution, &texts->items[i], node);
    term_build_list(builder, count);
    for (size_t i = 0; i < texts->count; i++) {
        const struct scenario_text *text = &texts->items[i];
        if (text->first != i || !resolution_is_for(resolution, text, node))
            continue;
        term_build_tuple(builder, 4);
        term_build_unsigned(builder, i);
        term_build_atom(builder, scenario_language_names[text->language]);
        term_build_boolean(builder, text->is_hook);
        term_build_text(builder, text->text);
    }
    term_build_nil(builder);
}

static void resolution_ask(struct resolution *resolution, struct node_texts *node, struct term group_leader)
{
    struct term_builder bindings = {0};
    term_build_list(&bindings, 3);
    script_build_binding(&bindings, "Daemon");
    term_build_term(&bindings, process_pid(resolution->process));
    script_build_binding(&bindings, "Key");
    term_build_unsigned(&bindings, (uint64_t)(node - resolution->nodes));
    script_build_binding(&bindings, "Texts");
    resolution_build_texts(resolution, node, &bindings);
    term_build_nil(&bindings);
    struct script_request request = {.name = SCRIPT_RESOLVE,
                                     .node = node->node,
                                     .process = resolution->process,
                                     .bindings = term_built(&bindings),
                                     .group_leader = group_leader,
                                     .down = resolution_on_down,
                                     .owner = node};
    bool started = script_start(runner_scripts(resolution->runner), &node->script, &request);
    assert(started); /* the scenario's node names are valid, and not this node's */
    node->awaited = true;
    term_build_free(&bindings);
}

void resolutions_abort(struct runner *runner)
{
    struct list *all = runner_resolutions(runner);
    while (all->count) {
        struct resolution *resolution = LIST_FIRST(all, struct resolution, link);
        term_build_reset(&resolution->failure);
        reason_build(REASON_ABORTED, &resolution->failure);
        resolution_finish(resolution);
    }
}

static void resolution_find_nodes(struct resolution *resolution)
{
    const struct scenario_texts *texts = resolution->scenario->texts;
    for (size_t i = 0; i < texts->count; i++) {
        bool known = false;
        for (size_t j = 0; j < resolution->node_count; j++)
            known |= resolution_is_for(resolution, &texts->items[i], &resolution->nodes[j]);
        if (known)
            continue;
        assert(resolution->node_count < NODES);
        resolution->nodes[resolution->node_count++] = (struct node_texts){
            .resolution = resolution, .node = scenario_text_node(&texts->items[i], resolution->scenario)};
    }
}

static void resolution_on_too_large(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)process;
    struct resolution *resolution = owner;
    struct term parts[2];
    int64_t index;
    if (!resolution->ended && term_read_tuple_of(incoming->body, 2, parts) &&
        term_read_integer(parts[0], &index) && index >= 0 && (uint64_t)index < resolution->node_count &&
        resolution->nodes[index].awaited)
        resolution_fail(resolution, REASON_SESSION_FAILED, incoming->too_large);
}

static const struct process_events events = {.message = resolution_on_message,
                                             .too_large = resolution_on_too_large};

struct resolution *resolution_start(struct runner *runner, const struct scenario *scenario,
                                    struct term group_leader, resolution_done *done, void *owner)
{
    struct node *node = runner_node(runner);
    struct resolution *resolution = memory_zalloc(1, sizeof(*resolution));
    assert(scenario->texts && scenario->texts->count);
    resolution->runner = runner;
    list_prepend(runner_resolutions(runner), &resolution->link);
    resolution->scenario = scenario;
    resolution->process = process_spawn(node, &events, resolution);
    resolution->outcomes = memory_zalloc(scenario->texts->count, sizeof(*resolution->outcomes));
    resolution->done = done;
    resolution->owner = owner;
    loop_timer_init(&resolution->timer, node_loop(node), resolution_on_timer, resolution);
    loop_timer_set(&resolution->timer, RESOLUTION_NS);
    resolution_find_nodes(resolution);
    if (!group_leader.data)
        group_leader = runner_group_leader(runner);
    for (size_t i = 0; i < resolution->node_count; i++)
        resolution_ask(resolution, &resolution->nodes[i], group_leader);
    return resolution;
}
