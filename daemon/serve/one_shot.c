#include "serve/one_shot.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "report/junit.h"
#include "report/report_text.h"
#include "report/report_view.h"
#include "report/run_result.h"
#include "report/text_number.h"
#include "scenario/scenario_file.h"
#include "term/term_json.h"
#include "term/term_read.h"

/* How often progress is told: on a terminal one line that changes, elsewhere a new line each time. */
#define TERMINAL_NS (200 * CLOCK_NS_PER_MS)
#define LINES_NS (5 * CLOCK_NS_PER_S)

struct one_shot {
    const struct config *config;
    struct scenario *scenario; /* until it runs */
    FILE *junit;
    bool on_terminal;
    struct runner *runner;
    struct peer *peers[CONFIG_CONNECTS_MOST]; /* those that are connected to, held until the end */
    size_t peer_count;
    struct peer_wait wait; /* for the last of them */
    struct node *node;
    struct run *run; /* while it goes on */
    struct term_builder result;
    uint64_t started_ns;
    uint64_t planned_ns; /* the length of its load; 0 when that is not known */
    uint64_t told_ns;    /* when progress was told last */
    uint64_t told_operations;
    struct loop_timer progress;
    void (*done)(void *owner, int exit_status);
    void *owner;
};

/* --- What is wrong --- */

/* One line for each problem of {error, {invalid_scenario, Problems}}. */
static void one_shot_print_problems(const struct one_shot *one_shot, struct term problems)
{
    struct buffer text = {0};
    char *prefix = memory_format("%s: ", one_shot->config->one_shot.scenario);
    report_view_write_problems(problems, prefix, &text);
    fwrite(buffer_bytes(&text), 1, text.size, stderr);
    buffer_free(&text);
    free(prefix);
}

void one_shot_free(struct one_shot *one_shot)
{
    scenario_free(one_shot->scenario);
    term_build_free(&one_shot->result);
    loop_timer_free(&one_shot->progress);
    if (one_shot->junit)
        fclose(one_shot->junit);
    free(one_shot);
}

/* --- The end --- */

static void one_shot_leave_line(const struct one_shot *one_shot)
{
    if (one_shot->on_terminal)
        fputs("\r\033[K", stderr);
}

static void one_shot_finish(struct one_shot *one_shot, int exit_status)
{
    peer_wait_cancel(&one_shot->wait);
    while (one_shot->peer_count)
        peer_release(one_shot->peers[--one_shot->peer_count]);
    loop_timer_stop(&one_shot->progress);
    one_shot->done(one_shot->owner, exit_status);
}

static void one_shot_build_part(struct term_builder *builder, const char *key, struct term part)
{
    term_build_key(builder, key);
    if (part.data)
        term_build_term(builder, part);
    else
        term_build_atom(builder, "nil");
}

/* %{outcome:, reason:, report:}, the report being what the run has recorded, however it has ended. */
static void one_shot_print_json(const struct one_shot *one_shot, const struct report_view *view)
{
    struct term_builder builder = {0};
    struct buffer json = {0};
    term_build_map(&builder, 3);
    term_build_key(&builder, "outcome");
    term_build_text(&builder, outcome_name(view->outcome));
    one_shot_build_part(&builder, "reason", view->cleanup.data ? view->cleanup : view->reason);
    one_shot_build_part(&builder, "report", view->report);
    term_json_write(term_built(&builder), &json);
    buffer_append(&json, "\n", 1);
    fwrite(buffer_bytes(&json), 1, json.size, stdout);
    if (view->problems.data)
        one_shot_print_problems(one_shot, view->problems);
    buffer_free(&json);
    term_build_free(&builder);
}

static bool one_shot_write_junit(struct one_shot *one_shot, const struct report_view *view,
                                 struct buffer *text)
{
    const struct config_one_shot *given = &one_shot->config->one_shot;
    struct buffer xml = {0};
    junit_write(view, given->scenario, text, &xml);
    size_t written = fwrite(buffer_bytes(&xml), 1, xml.size, one_shot->junit);
    bool done = written == xml.size && fclose(one_shot->junit) == 0;
    one_shot->junit = NULL;
    if (!done)
        fprintf(stderr, "--junit: cannot write %s: %s\n", given->junit, strerror(errno));
    buffer_free(&xml);
    return done;
}

/* What is wrong with a scenario is told as when the program finds it, on standard error. */
static void one_shot_print_text(const struct one_shot *one_shot, const struct report_view *view,
                                struct buffer *text)
{
    if (view->problems.data)
        one_shot_print_problems(one_shot, view->problems);
    else
        fwrite(buffer_bytes(text), 1, text->size, view->outcome == OUTCOME_NOT_RUN ? stderr : stdout);
}

/* Tells what has come of it, in each way that was asked for: what the program is to end with. */
static int one_shot_tell(struct one_shot *one_shot, enum outcome outcome)
{
    struct term stored = term_built(&one_shot->result);
    struct term_builder result = {0};
    struct report_view view;
    struct buffer text = {0};
    run_result_build(stored, false, &result);
    struct report_source source = {.result = term_built(&result), .outcome = outcome};
    if (!run_result_report(stored, false, &source.partial))
        source.partial = (struct term){0};
    bool told = report_view_read(&source, &view);
    assert(told);
    report_text_write(&view, &text);
    if (one_shot->config->one_shot.json)
        one_shot_print_json(one_shot, &view);
    else
        one_shot_print_text(one_shot, &view, &text);
    told = fflush(stdout) == 0 && !ferror(stdout);
    if (one_shot->junit)
        told = one_shot_write_junit(one_shot, &view, &text) && told;
    if (view.nothing_succeeded && outcome == OUTCOME_FAILED)
        fprintf(stderr, "%s\n", report_view_outcome(&view));
    buffer_free(&text);
    term_build_free(&result);
    return outcome_exit_status(told || outcome != OUTCOME_COMPLETED ? outcome : OUTCOME_FAILED);
}

static void one_shot_on_done(void *owner, const struct run *run, struct term raised)
{
    (void)raised;
    struct one_shot *one_shot = owner;
    struct run_figures figures;
    run_figures(run, &figures);
    one_shot->run = NULL;
    one_shot_leave_line(one_shot);
    one_shot_finish(one_shot, one_shot_tell(one_shot, figures.outcome));
}

/* --- Before anything is connected --- */

/* NULL, with what is wrong as the result, when it is none. */
static struct scenario *one_shot_read_scenario(struct one_shot *one_shot)
{
    const struct config *config = one_shot->config;
    const struct config_one_shot *given = &config->one_shot;
    const struct scenario_settings settings = {.items = given->settings, .count = given->setting_count};
    const struct scenario_origin origin = {
        .caller_node = given->connects[0].node, .own_node = config->node_name, .hooks_at_target = true};
    struct problems problems = {0};
    struct scenario *scenario = scenario_file_read(given->scenario, &settings, &origin, &problems);
    if (!scenario) {
        term_build_tuple(&one_shot->result, 2);
        term_build_atom(&one_shot->result, "error");
        problems_build(&problems, &one_shot->result);
    }
    problems_free(&problems);
    return scenario;
}

/* Opened before anything is run: an hour later it would be too late. */
static bool one_shot_open_junit(struct one_shot *one_shot)
{
    const char *file = one_shot->config->one_shot.junit;
    if (!file)
        return true;
    one_shot->junit = fopen(file, "we");
    if (!one_shot->junit)
        fprintf(stderr, "--junit: cannot write %s: %s\n", file, strerror(errno));
    return one_shot->junit != NULL;
}

struct one_shot *one_shot_new(const struct config *config)
{
    struct one_shot *one_shot = memory_zalloc(1, sizeof(*one_shot));
    one_shot->config = config;
    one_shot->on_terminal = isatty(STDERR_FILENO);
    bool can_tell = one_shot_open_junit(one_shot);
    one_shot->scenario = one_shot_read_scenario(one_shot);
    if (one_shot->scenario && can_tell)
        return one_shot;
    if (!one_shot->scenario)
        (void)one_shot_tell(one_shot, OUTCOME_NOT_RUN);
    one_shot_free(one_shot);
    return NULL;
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
    fprintf(stderr, "%s  %s", text_duration(&time, (now - one_shot->started_ns) / CLOCK_NS_PER_US),
            run_state_name(figures.state));
    if (figures.state == RUN_LOAD && figures.load_ns < one_shot->planned_ns)
        fprintf(stderr, ", %s left",
                text_duration(&left, (one_shot->planned_ns - figures.load_ns) / CLOCK_NS_PER_US));
    fprintf(stderr, ": %s operations (%s/s), %s errors%s", text_count(&operations, figures.operations),
            text_rate(&rate, per_second), text_count(&errors, figures.operation_errors),
            one_shot->on_terminal ? "" : "\n");
    fflush(stderr);
    one_shot->told_ns = now;
    one_shot->told_operations = figures.operations;
}

static void one_shot_on_progress(void *owner)
{
    struct one_shot *one_shot = owner;
    if (!one_shot->run)
        return;
    one_shot_print_progress(one_shot, clock_ns());
    loop_timer_set(&one_shot->progress, one_shot->on_terminal ? TERMINAL_NS : LINES_NS);
}

/* --- The run --- */

static void one_shot_run(struct one_shot *one_shot)
{
    struct run_request request = {.id = clock_wall_us(),
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

/* Ends with {error, {Reason, Detail}} what has not begun. */
static void one_shot_refuse(struct one_shot *one_shot, enum outcome outcome, const char *reason,
                            const char *detail)
{
    int exit_status = outcome_exit_status(outcome);
    term_build_tuple(&one_shot->result, 2);
    term_build_atom(&one_shot->result, "error");
    term_build_tuple(&one_shot->result, 2);
    term_build_atom(&one_shot->result, reason);
    term_build_atom(&one_shot->result, detail);
    if (one_shot->config->one_shot.json || one_shot->junit)
        exit_status = one_shot_tell(one_shot, outcome);
    one_shot_finish(one_shot, exit_status);
}

static void one_shot_on_connected(void *owner, struct peer *peer, const char *problem);

/* One after the other; the run begins when all are connected. */
static void one_shot_connect_next(struct one_shot *one_shot)
{
    const struct config_one_shot *given = &one_shot->config->one_shot;
    const struct config_connect *connect = &given->connects[one_shot->peer_count];
    if (one_shot->peer_count == given->connect_count) {
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
}

static void one_shot_on_connected(void *owner, struct peer *peer, const char *problem)
{
    struct one_shot *one_shot = owner;
    if (!problem) {
        one_shot_connect_next(one_shot);
        return;
    }
    const char *node = peer_name(peer);
    fprintf(stderr, "--connect: cannot connect to %s: %s\n", node, problem);
    one_shot_refuse(one_shot, OUTCOME_NOT_RUN, "nodedown", node);
}

void one_shot_start(struct one_shot *one_shot, struct node *node, struct runner *runner,
                    void (*done)(void *owner, int exit_status), void *owner)
{
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
        one_shot_refuse(one_shot, OUTCOME_CANCELLED, "cancelled", "nil");
}
