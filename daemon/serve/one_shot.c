#include "serve/one_shot.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "one_shot_private.h"
#include "report/reason.h"
#include "report/text_number.h"
#include "scenario/scenario_file.h"

/* How often progress is told: on a terminal one line that changes, elsewhere a new line each time. */
#define TERMINAL_NS (200 * CLOCK_NS_PER_MS)
#define LINES_NS (5 * CLOCK_NS_PER_S)

/* Who waits for a node for so long is told for which. */
#define WAITING_NS (2 * CLOCK_NS_PER_S)

struct one_shot {
    const struct config *config;
    struct scenario *scenario; /* until it runs */
    struct one_shot_outputs outputs;
    bool is_known; /* standard error has it: it is not told as text */
    bool on_terminal;
    struct runner *runner;
    struct peer *peers[CONFIG_CONNECTS_MOST]; /* those that are connected to, held until the end */
    size_t peer_count;
    struct peer_wait wait; /* for the last of them */
    struct node *node;
    struct run *run; /* while it goes on */
    uint64_t run_id; /* 0: it never began */
    struct term_builder result;
    uint64_t started_ns;
    uint64_t planned_ns; /* the length of its load; 0 when that is not known */
    uint64_t told_ns;    /* when progress was told last */
    uint64_t told_operations;
    struct loop_timer progress;
    enum outcome outcome;
    bool has_told; /* standard error has all that was asked for */
    void (*done)(void *owner);
    void *owner;
};

void one_shot_free(struct one_shot *one_shot)
{
    scenario_free(one_shot->scenario);
    term_build_free(&one_shot->result);
    loop_timer_free(&one_shot->progress);
    free(one_shot);
}

/* --- The end --- */

static void one_shot_leave_line(const struct one_shot *one_shot)
{
    if (one_shot->on_terminal)
        log_print("\r\033[K");
}

static void one_shot_finish(struct one_shot *one_shot, enum outcome outcome)
{
    one_shot->outcome = outcome;
    peer_wait_cancel(&one_shot->wait);
    while (one_shot->peer_count)
        peer_release(one_shot->peers[--one_shot->peer_count]);
    loop_timer_stop(&one_shot->progress);
    one_shot->done(one_shot->owner);
}

int one_shot_tell(struct one_shot *one_shot)
{
    if (one_shot->has_told)
        return outcome_exit_status(one_shot->outcome);
    const struct one_shot_story story = {.run_id = one_shot->run_id,
                                         .outcome = one_shot->outcome,
                                         .result = term_built(&one_shot->result),
                                         .is_known = one_shot->is_known};
    return outcome_exit_status(one_shot_outputs_tell(&one_shot->outputs, &story));
}

static void one_shot_on_done(void *owner, const struct run *run, struct term raised)
{
    (void)raised;
    struct one_shot *one_shot = owner;
    struct run_figures figures;
    run_figures(run, &figures);
    one_shot->run = NULL;
    one_shot_leave_line(one_shot);
    one_shot_finish(one_shot, figures.outcome);
}

/* --- Before anything is connected --- */

/* {error, {Reason, Detail}} */
static void one_shot_build_refusal(struct one_shot *one_shot, enum reason reason, const char *detail)
{
    term_build_tuple(&one_shot->result, 2);
    term_build_atom(&one_shot->result, "error");
    reason_open(reason, 2, &one_shot->result);
    term_build_atom(&one_shot->result, detail);
}

static void one_shot_note_input(void *owner, const struct stat *file)
{
    struct one_shot_inputs *inputs = owner;
    inputs->files = memory_resize(inputs->files, inputs->count + 1, sizeof(*inputs->files));
    inputs->files[inputs->count++] = *file;
}

/* NULL when there are problems; the files that were read are noted in any case. */
static struct scenario *one_shot_read_scenario(const struct config *config, struct one_shot_inputs *inputs,
                                               struct problems *problems)
{
    const struct config_one_shot *given = &config->one_shot;
    const struct scenario_settings settings = {.items = given->settings, .count = given->setting_count};
    const struct scenario_origin origin = {.caller_node = given->connects[0].node,
                                           .own_node = config->node_name,
                                           .hooks_at_target = true,
                                           .file_read = one_shot_note_input,
                                           .owner = inputs};
    return scenario_file_read(given->scenario, &settings, &origin, problems);
}

struct one_shot *one_shot_new(const struct config *config)
{
    struct one_shot *one_shot = memory_zalloc(1, sizeof(*one_shot));
    one_shot->config = config;
    one_shot->on_terminal = isatty(STDERR_FILENO);
    struct one_shot_inputs inputs = {0};
    struct problems problems = {0};
    one_shot->scenario = one_shot_read_scenario(config, &inputs, &problems);
    bool can_tell = one_shot_outputs_open(&one_shot->outputs, &config->one_shot, &inputs);
    if (!one_shot->scenario) {
        term_build_tuple(&one_shot->result, 2);
        term_build_atom(&one_shot->result, "error");
        problems_build(&problems, &one_shot->result);
    }
    problems_free(&problems);
    free(inputs.files);
    if (one_shot->scenario && can_tell)
        return one_shot;
    if (one_shot->scenario)
        one_shot_build_refusal(one_shot, REASON_NOT_TOLD, "nil");
    one_shot->outcome = OUTCOME_NOT_RUN;
    (void)one_shot_tell(one_shot);
    one_shot_free(one_shot);
    return NULL;
}

/* It is not run, and its scenario is read only for what must not be written over. */
static bool one_shot_open_misconfigured(struct one_shot *one_shot)
{
    const struct config_one_shot *given = &one_shot->config->one_shot;
    struct one_shot_inputs inputs = {0};
    struct problems problems = {0};
    if (given->scenario && (given->json_file || given->junit))
        scenario_free(one_shot_read_scenario(one_shot->config, &inputs, &problems));
    bool opened = one_shot_outputs_open(&one_shot->outputs, given, &inputs);
    problems_free(&problems);
    free(inputs.files);
    return opened;
}

void one_shot_misconfigured(const struct config *config, const char *problems)
{
    struct one_shot one_shot = {.config = config, .is_known = true, .outcome = OUTCOME_NOT_RUN};
    term_build_tuple(&one_shot.result, 2);
    term_build_atom(&one_shot.result, "error");
    reason_open(REASON_INVALID_CONFIGURATION, 2, &one_shot.result);
    term_build_text(&one_shot.result, problems);
    bool opened = one_shot_open_misconfigured(&one_shot);
    if (opened || config->one_shot.json) /* what cannot be opened was told of */
        (void)one_shot_tell(&one_shot);
    term_build_free(&one_shot.result);
}

/* --- Progress --- */

static void one_shot_print_progress(struct one_shot *one_shot, uint64_t now)
{
    struct run_figures figures;
    struct text_number time, left, operations, errors, rate;
    run_figures(one_shot->run, &figures);
    double seconds = (double)(now - one_shot->told_ns) / CLOCK_NS_PER_S;
    double per_second = seconds > 0 ? (double)(figures.operations - one_shot->told_operations) / seconds : 0;
    one_shot_leave_line(one_shot);
    log_print("%s  %s", text_duration(&time, (now - one_shot->started_ns) / CLOCK_NS_PER_US),
              run_state_name(figures.state));
    if (figures.state == RUN_LOAD && figures.load_ns < one_shot->planned_ns)
        log_print(", %s left",
                  text_duration(&left, (one_shot->planned_ns - figures.load_ns) / CLOCK_NS_PER_US));
    log_print(": %s operations (%s/s), %s errors%s", text_count(&operations, figures.operations),
              text_rate(&rate, per_second), text_count(&errors, figures.operation_errors),
              one_shot->on_terminal ? "" : "\n");
    one_shot->told_ns = now;
    one_shot->told_operations = figures.operations;
}

static void one_shot_on_progress(void *owner)
{
    struct one_shot *one_shot = owner;
    if (!one_shot->run) {
        if (one_shot->peer_count)
            log_print("--connect: waiting for %s, which has not answered yet\n",
                      peer_name(one_shot->peers[one_shot->peer_count - 1]));
        return;
    }
    one_shot_print_progress(one_shot, clock_ns());
    loop_timer_set(&one_shot->progress, one_shot->on_terminal ? TERMINAL_NS : LINES_NS);
}

/* --- The run --- */

static void one_shot_run(struct one_shot *one_shot)
{
    one_shot->run_id = clock_wall_us();
    struct run_request request = {.id = one_shot->run_id,
                                  .scenario = one_shot->scenario,
                                  .result = &one_shot->result,
                                  .done = one_shot_on_done,
                                  .owner = one_shot};
    one_shot->started_ns = one_shot->told_ns = clock_ns();
    one_shot->planned_ns = plan_duration_ns(&one_shot->scenario->load);
    one_shot->scenario = NULL;
    one_shot->run = runner_start(one_shot->runner, &request);
    loop_timer_set(&one_shot->progress, one_shot->on_terminal ? TERMINAL_NS : LINES_NS);
}

/* Ends what has not begun. */
static void one_shot_refuse(struct one_shot *one_shot, enum outcome outcome, enum reason reason,
                            const char *detail)
{
    one_shot_build_refusal(one_shot, reason, detail);
    one_shot->has_told = !one_shot->config->one_shot.json && !one_shot->outputs.junit;
    one_shot_finish(one_shot, outcome);
}

static void one_shot_on_connected(void *owner, struct peer *peer, const char *problem);

/* One after the other; the run begins when all are connected. */
static void one_shot_connect_next(struct one_shot *one_shot)
{
    const struct config_one_shot *given = &one_shot->config->one_shot;
    const struct config_connect *connect = &given->connects[one_shot->peer_count];
    if (one_shot->peer_count == given->connect_count) {
        log_configure(one_shot->config->log_level, one_shot->config->log_format, stderr);
        one_shot_run(one_shot);
        return;
    }
    if (connect->port)
        peers_keep(node_peers(one_shot->node), connect->node, connect->port);
    struct peer *peer = peer_hold(node_peers(one_shot->node), connect->node);
    assert(peer); /* its name is a node's */
    one_shot->peers[one_shot->peer_count++] = peer;
    one_shot->wait = (struct peer_wait){.done = one_shot_on_connected, .owner = one_shot};
    peer_connect(peer, &one_shot->wait);
    loop_timer_set(&one_shot->progress, WAITING_NS);
}

static void one_shot_on_connected(void *owner, struct peer *peer, const char *problem)
{
    struct one_shot *one_shot = owner;
    if (!problem) {
        one_shot_connect_next(one_shot);
        return;
    }
    const char *node = peer_name(peer);
    log_configure(one_shot->config->log_level, one_shot->config->log_format, stderr);
    log_print("--connect: cannot connect to %s: %s\n", node, problem);
    one_shot_refuse(one_shot, OUTCOME_NOT_RUN, REASON_NODEDOWN, node);
}

void one_shot_start(struct one_shot *one_shot, struct node *node, struct runner *runner,
                    void (*done)(void *owner), void *owner)
{
    /* Why it cannot connect is told as what it comes to, and as a warning it would be told twice. */
    if (one_shot->config->log_level == LOG_LEVEL_WARNING)
        log_configure(LOG_LEVEL_ERROR, one_shot->config->log_format, stderr);
    one_shot->node = node;
    one_shot->runner = runner;
    one_shot->done = done;
    one_shot->owner = owner;
    loop_timer_init(&one_shot->progress, node_loop(node), one_shot_on_progress, one_shot);
    one_shot_connect_next(one_shot);
}

void one_shot_cancel(struct one_shot *one_shot)
{
    if (one_shot->run)
        run_cancel(one_shot->run);
    else if (one_shot->peer_count)
        one_shot_refuse(one_shot, OUTCOME_CANCELLED, REASON_CANCELLED, "nil");
}
