#include "scenario_private.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "term/term_constant.h"
#include "term/term_read.h"

#define MAX_RATE 10000000.0
#define MAX_STAGES 1000
#define MAX_QUEUED 10000000ULL

/* The forms of a load, a bit each, by the keys that they have. */
enum form { FORM_THREADS = 1, FORM_RATE = 2, FORM_STAGED_THREADS = 4, FORM_STAGED_RATE = 8 };

#define FORMS_CLOSED (FORM_THREADS | FORM_STAGED_THREADS)
#define FORMS_OPEN (FORM_RATE | FORM_STAGED_RATE)
#define FORMS_STAGED (FORM_STAGED_THREADS | FORM_STAGED_RATE)

static bool load_read_rate(struct reader *reader, struct term value, bool positive, double *rate)
{
    struct excerpt text;
    if (!term_read_number(value, rate) || !(*rate >= 0) || (positive && *rate == 0) || *rate > MAX_RATE) {
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE,
                     "must be a number of operations a second %s 0, at most %.0f, got %s",
                     positive ? "above" : "of at least", MAX_RATE, excerpt(&text, value));
        return false;
    }
    return true;
}

static struct plan_stage *load_only_stage(struct reader *reader)
{
    struct load_plan *load = &reader->scenario->load;
    if (!load->stages) {
        load->stages = memory_zalloc(1, sizeof(*load->stages));
        load->stage_count = 1;
    }
    return &load->stages[0];
}

static void load_read_threads(struct reader *reader, struct term value)
{
    struct load_plan *load = &reader->scenario->load;
    (void)read_whole(reader, value, 1, UINT32_MAX, "threads", &load->threads);
}

static void load_read_iterations(struct reader *reader, struct term value)
{
    (void)read_whole(reader, value, 1, INT64_MAX, "iterations", &reader->scenario->load.iterations);
}

static void load_read_duration(struct reader *reader, struct term value)
{
    read_milliseconds(reader, value, &load_only_stage(reader)->duration_ms);
}

/* Milliseconds, or {Low, High} to draw them from. */
static void load_read_think(struct reader *reader, struct term value)
{
    struct load_plan *load = &reader->scenario->load;
    struct term pair[2] = {value, value};
    bool range = term_read_tuple_of(value, 2, pair);
    if (read_whole(reader, pair[0], 0, READER_MOST_MS, "milliseconds", &load->think_low_ms) && range &&
        read_whole(reader, pair[1], 0, READER_MOST_MS, "milliseconds", &load->think_high_ms) &&
        load->think_low_ms > load->think_high_ms)
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE,
                     "must be {low, high} with low no more than high");
    if (!range)
        load->think_high_ms = load->think_low_ms;
}

static void load_read_level_rate(struct reader *reader, struct term value)
{
    (void)load_read_rate(reader, value, true, &load_only_stage(reader)->level);
}

static void load_read_arrival(struct reader *reader, struct term value)
{
    struct excerpt text;
    struct load_plan *load = &reader->scenario->load;
    if (term_is_atom(value, "poisson"))
        load->arrival = ARRIVAL_POISSON;
    else if (!term_is_atom(value, "constant"))
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must be :constant or :poisson, got %s",
                     excerpt(&text, value));
}

static void load_read_max_in_flight(struct reader *reader, struct term value)
{
    (void)read_whole(reader, value, 1, UINT32_MAX, "operations", &reader->scenario->load.max_in_flight);
}

static void load_read_max_queued(struct reader *reader, struct term value)
{
    (void)read_whole(reader, value, 0, MAX_QUEUED, "arrivals", &reader->scenario->load.max_queued);
}

static void load_read_ramp(struct reader *reader, struct term value)
{
    struct excerpt text;
    struct load_plan *load = &reader->scenario->load;
    load->is_linear = term_is_atom(value, "linear");
    if (!load->is_linear && !term_is_atom(value, "step"))
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must be :linear or :step, got %s",
                     excerpt(&text, value));
}

/* --- Stages --- */

/* What the keys of one stage are read into. */
static struct plan_stage *load_last_stage(struct reader *reader)
{
    struct load_plan *load = &reader->scenario->load;
    return &load->stages[load->stage_count - 1];
}

static void load_read_stage_duration(struct reader *reader, struct term value)
{
    read_milliseconds(reader, value, &load_last_stage(reader)->duration_ms);
}

static void load_read_stage_threads(struct reader *reader, struct term value)
{
    uint64_t threads = 0;
    if (read_whole(reader, value, 0, UINT32_MAX, "threads", &threads))
        load_last_stage(reader)->level = (double)threads;
}

static void load_read_stage_rate(struct reader *reader, struct term value)
{
    (void)load_read_rate(reader, value, false, &load_last_stage(reader)->level);
}

static const struct reader_key thread_stage_keys[] = {
    {.help = {.name = "duration_ms",
              .type = "pos_integer()",
              .unit = "ms",
              .is_required = true,
              .text = "How long the stage lasts."},
     .read = load_read_stage_duration},
    {.help = {.name = "threads",
              .type = "non_neg_integer()",
              .is_required = true,
              .text = "Threads at the end of the stage, or all the time with a `ramp` in steps."},
     .read = load_read_stage_threads},
};

static const struct reader_key rate_stage_keys[] = {
    {.help = {.name = "duration_ms",
              .type = "pos_integer()",
              .unit = "ms",
              .is_required = true,
              .text = "How long the stage lasts."},
     .read = load_read_stage_duration},
    {.help = {.name = "rate",
              .type = "number()",
              .unit = "operations/s",
              .is_required = true,
              .text = "Arrivals at the end of the stage, or all the time with a `ramp` in steps."},
     .read = load_read_stage_rate},
};

static void load_read_stage(struct reader *reader, struct term value, bool of_threads)
{
    const struct reader_key *keys = of_threads ? thread_stage_keys : rate_stage_keys;
    struct term values[READER_KEYS];
    struct excerpt text;
    reader->scenario->load.stage_count++;
    if (reader_find(reader, value, keys, 2, of_threads ? "stages of threads" : "stages of a rate", values))
        reader_read(reader, keys, 2, values);
    else
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a map or a keyword list, got %s",
                     excerpt(&text, value));
}

static void load_read_stages(struct reader *reader, struct term value, bool of_threads)
{
    struct load_plan *load = &reader->scenario->load;
    struct term_list list;
    struct term element;
    struct excerpt text;
    double most = 0;
    if (!term_list_start(&list, value) || list.count == 0 || list.count > MAX_STAGES) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a list of 1 to %d stages, got %s",
                     MAX_STAGES, excerpt(&text, value));
        return;
    }
    free(load->stages); /* of a duration or a rate beside them, which is a problem already */
    load->stages = memory_zalloc(list.count, sizeof(*load->stages));
    load->stage_count = 0;
    load->is_staged = true;
    for (size_t i = 0; term_list_next(&list, &element); i++) {
        problems_enter_index(reader->problems, i);
        load_read_stage(reader, element, of_threads);
        problems_leave(reader->problems);
        most = fmax(most, load_last_stage(reader)->level);
    }
    if (!term_list_proper(&list))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a proper list");
    if (most == 0)
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must have a stage with more than 0 %s",
                     of_threads ? "threads" : "operations a second");
}

static void load_read_thread_stages(struct reader *reader, struct term value)
{
    load_read_stages(reader, value, true);
}

static void load_read_rate_stages(struct reader *reader, struct term value)
{
    load_read_stages(reader, value, false);
}

/* --- The load --- */

enum load_key { KEY_THREADS, KEY_RATE, KEY_STAGES, KEY_ITERATIONS, KEY_DURATION, KEY_COUNT = 10 };

static const struct reader_key load_keys[KEY_COUNT] = {
    [KEY_THREADS] =
        {.help = {.name = "threads",
                  .type = "pos_integer()",
                  .text = "Virtual threads, each of which starts an operation when its last one has ended."},
         .read = load_read_threads,
         .forms = FORM_THREADS},
    [KEY_RATE] = {.help = {.name = "rate",
                           .type = "number()",
                           .unit = "operations/s",
                           .text = "Arrivals, whether other operations have ended or not."},
                  .read = load_read_level_rate,
                  .forms = FORM_RATE},
    [KEY_STAGES] = {.help = {.name = "stages",
                             .type = "[stage()]",
                             .text = "What the threads or the rate go through, one after the other."},
                    .read = load_read_thread_stages,
                    .forms = FORMS_STAGED},
    [KEY_ITERATIONS] = {.help = {.name = "iterations",
                                 .type = "pos_integer()",
                                 .text = "How often each thread does its `operations`, or how many of a "
                                         "`mix` it does; instead of `duration_ms`."},
                        .read = load_read_iterations,
                        .forms = FORM_THREADS},
    [KEY_DURATION] = {.help = {.name = "duration_ms",
                               .type = "pos_integer()",
                               .unit = "ms",
                               .text = "How long operations are started; what is under way then is awaited."},
                      .read = load_read_duration,
                      .forms = FORM_THREADS | FORM_RATE},
    {.help = {.name = "think_ms",
              .type = "non_neg_integer() | {Low, High}",
              .unit = "ms",
              .fallback = TERM_CONSTANT_INTEGER(0),
              .text = "Time of a thread between two operations. It begins somewhere in its first thinking, "
                      "so that threads do not march in step."},
     .read = load_read_think,
     .forms = FORMS_CLOSED},
    {.help = {.name = "arrival",
              .type = "constant | poisson",
              .fallback = TERM_CONSTANT_ATOM("constant"),
              .text = "Whether arrivals are evenly spaced, or those of a Poisson process."},
     .read = load_read_arrival,
     .forms = FORMS_OPEN},
    {.help = {.name = "max_in_flight",
              .type = "pos_integer()",
              .unit = "operations",
              .fallback = TERM_CONSTANT_INTEGER(1000),
              .text = "An arrival that finds so many under way waits."},
     .read = load_read_max_in_flight,
     .forms = FORMS_OPEN},
    {.help = {.name = "max_queued",
              .type = "non_neg_integer()",
              .unit = "arrivals",
              .fallback = TERM_CONSTANT_INTEGER(100000),
              .text = "An arrival that finds so many waiting is dropped."},
     .read = load_read_max_queued,
     .forms = FORMS_OPEN},
    {.help = {.name = "ramp",
              .type = "linear | step",
              .fallback = TERM_CONSTANT_ATOM("linear"),
              .text = "Whether a stage goes from the level of the one before, the first from 0, to its own, "
                      "or has it all the time."},
     .read = load_read_ramp,
     .forms = FORMS_STAGED},
};

static const struct {
    struct help help;
    enum form form;
    const char *name;
} forms[] = {
    {{.name = "#{threads => N, iterations => K}",
      .text = "Closed: each of N threads does the `operations` K times, or K operations of the `mix`."},
     FORM_THREADS,
     "threads"},
    {{.name = "#{threads => N, duration_ms => D, think_ms => T}", .text = "Closed: N threads for so long."},
     FORM_THREADS,
     "threads"},
    {{.name = "#{rate => R, duration_ms => D, arrival => A, max_in_flight => M, max_queued => Q}",
      .text = "Open: operations arrive whether others have ended or not."},
     FORM_RATE,
     "a rate"},
    {{.name = "#{stages => [#{duration_ms => D, threads => N}], ramp => R, think_ms => T}",
      .text = "Closed: the number of threads changes with the stages."},
     FORM_STAGED_THREADS,
     "stages of threads"},
    {{.name = "#{stages => [#{duration_ms => D, rate => R}], ramp => R, arrival => A, max_in_flight => M, "
              "max_queued => Q}",
      .text = "Open: the rate changes with the stages."},
     FORM_STAGED_RATE,
     "stages of a rate"},
};

const struct help_table help_of_load_forms = HELP_TABLE("form", "Forms of a load", forms);
const struct help_table help_of_load = HELP_TABLE("load", "Keys of a load", load_keys);
const struct help_table help_of_thread_stages =
    HELP_TABLE("thread_stage", "Keys of a stage of threads", thread_stage_keys);
const struct help_table help_of_rate_stages =
    HELP_TABLE("rate_stage", "Keys of a stage of a rate", rate_stage_keys);

static const char *load_form_name(enum form form)
{
    size_t i = 0;
    while (forms[i].form != form)
        i++;
    return forms[i].name;
}

static enum form load_find_form(const struct term values[READER_KEYS])
{
    struct term_list list;
    struct term stage, value;
    if (values[KEY_STAGES].data)
        return term_list_start(&list, values[KEY_STAGES]) && term_list_next(&list, &stage) &&
                       term_pairs_get(stage, "rate", &value) && !term_is_atom(value, "nil")
                   ? FORM_STAGED_RATE
                   : FORM_STAGED_THREADS;
    return values[KEY_RATE].data && !values[KEY_THREADS].data ? FORM_RATE : FORM_THREADS;
}

/* Takes out the values of keys that do not go with the form. */
static void load_check_form(struct reader *reader, enum form form, struct term values[READER_KEYS])
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (!values[i].data || (load_keys[i].forms & form))
            continue;
        values[i] = (struct term){0};
        problems_enter_key(reader->problems, load_keys[i].help.name);
        problems_add(reader->problems, PROBLEM_CONFLICT, "does not go with %s", load_form_name(form));
        problems_leave(reader->problems);
    }
    bool iterates = values[KEY_ITERATIONS].data, lasts = values[KEY_DURATION].data;
    if (form == FORM_THREADS && !values[KEY_THREADS].data)
        problems_add(reader->problems, PROBLEM_REQUIRED, "needs threads, rate or stages");
    else if (form == FORM_THREADS && iterates && lasts)
        problem_at(reader, "iterations", PROBLEM_CONFLICT, "cannot be given together with duration_ms");
    else if (form == FORM_THREADS && !iterates && !lasts)
        problem_at(reader, "duration_ms", PROBLEM_REQUIRED, "is required, or iterations are");
    else if (form == FORM_RATE && !lasts)
        problem_at(reader, "duration_ms", PROBLEM_REQUIRED, "is required");
}

void read_load(struct reader *reader, struct term value)
{
    struct load_plan *load = &reader->scenario->load;
    struct term values[READER_KEYS];
    struct excerpt text;
    load->model = LOAD_CLOSED;
    if (!reader_find(reader, value, load_keys, KEY_COUNT, "load", values)) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a map or a keyword list, got %s",
                     excerpt(&text, value));
        return;
    }
    enum form form = load_find_form(values);
    load_check_form(reader, form, values);
    if (form & FORMS_OPEN)
        load->model = LOAD_OPEN;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        struct reader_key key = load_keys[i];
        if (!(key.forms & form))
            continue;
        if (i == KEY_STAGES && form == FORM_STAGED_RATE)
            key.read = load_read_rate_stages;
        reader_read(reader, &key, 1, &values[i]);
    }
    if (form == FORM_THREADS && load->stages)
        load->stages[0].level = (double)load->threads;
}

static void load_build_level(const struct load_plan *load, double level, struct term_builder *builder)
{
    term_build_key(builder, load->model == LOAD_OPEN ? "rate" : "threads");
    if (level == floor(level))
        term_build_unsigned(builder, (uint64_t)level);
    else
        term_build_float(builder, level);
}

static void load_build_number(const char *key, uint64_t number, struct term_builder *builder)
{
    term_build_key(builder, key);
    term_build_unsigned(builder, number);
}

static void load_build_stages(const struct load_plan *load, struct term_builder *builder)
{
    term_build_key(builder, "stages");
    term_build_list(builder, load->stage_count);
    for (size_t i = 0; i < load->stage_count; i++) {
        term_build_map(builder, 2);
        load_build_number("duration_ms", load->stages[i].duration_ms, builder);
        load_build_level(load, load->stages[i].level, builder);
    }
    term_build_nil(builder);
    term_build_key(builder, "ramp");
    term_build_atom(builder, load->is_linear ? "linear" : "step");
}

void build_load(const struct scenario *scenario, struct term_builder *builder)
{
    const struct load_plan *load = &scenario->load;
    if (load->model == LOAD_SCRIPTS) {
        term_build_atom(builder, "nil");
        return;
    }
    term_build_map(builder, load->model == LOAD_OPEN ? 5 : 3);
    if (load->is_staged) {
        load_build_stages(load, builder);
    } else if (load->iterations) {
        load_build_number("threads", load->threads, builder);
        load_build_number("iterations", load->iterations, builder);
    } else {
        load_build_level(load, load->stages[0].level, builder);
        load_build_number("duration_ms", load->stages[0].duration_ms, builder);
    }
    if (load->model == LOAD_CLOSED) {
        term_build_key(builder, "think_ms");
        term_build_tuple(builder, 2);
        term_build_unsigned(builder, load->think_low_ms);
        term_build_unsigned(builder, load->think_high_ms);
        return;
    }
    term_build_key(builder, "arrival");
    term_build_atom(builder, load->arrival == ARRIVAL_POISSON ? "poisson" : "constant");
    load_build_number("max_in_flight", load->max_in_flight, builder);
    load_build_number("max_queued", load->max_queued, builder);
}

/* --- The whole --- */

/* How long an operation can take at most, the thinking behind it included. A custom one has no time of its
 * own. */
static double load_longest_ms(const struct scenario *scenario, const struct operation *operation)
{
    uint64_t ms = operation->kind == OPERATION_SLEEP ? operation->sleep_ms : scenario->call_timeout_ms;
    return (double)(ms + scenario->load.think_high_ms);
}

/* The length of a load without a duration is what its operations can take. */
static double load_length_ms(const struct scenario *scenario)
{
    double all = 0, longest = 0;
    if (!scenario->load.iterations)
        return (double)(plan_duration_ns(&scenario->load) / CLOCK_NS_PER_MS);
    for (size_t i = 0; i < scenario->operation_count; i++) {
        double ms = load_longest_ms(scenario, &scenario->operations[i]);
        all += ms;
        longest = fmax(longest, ms);
    }
    return (double)scenario->load.iterations * (scenario->mix ? longest : all);
}

/* What the operations that start last have still to take: a call's timeout, or a longer sleep. */
static double load_rest_ms(const struct scenario *scenario)
{
    double longest = (double)scenario->call_timeout_ms;
    for (size_t i = 0; i < scenario->operation_count && !scenario->load.iterations; i++)
        if (scenario->operations[i].kind == OPERATION_SLEEP)
            longest = fmax(longest, scenario->operations[i].sleep_ms);
    return longest;
}

static void load_finish_timeout(struct reader *reader)
{
    struct scenario *scenario = reader->scenario;
    double needed = load_length_ms(scenario) + load_rest_ms(scenario);
    bool fits = needed <= (double)READER_MOST_MS;
    if (!fits && !scenario->load.iterations) {
        problem_at(reader, "load", PROBLEM_OUT_OF_RANGE, "lasts too long: it must be over within 49 days");
    } else if (!reader->has_timeout) {
        scenario->timeout_ms = fits ? (uint64_t)needed : READER_MOST_MS;
    } else if ((double)scenario->timeout_ms < needed && !scenario->load.iterations) {
        problems_enter_key(reader->problems, "timeout_ms");
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE,
                     "must be at least the load's length plus a call's timeout, %.0f, got %llu", needed,
                     (unsigned long long)scenario->timeout_ms);
        problems_leave(reader->problems);
    }
}

static void load_check_operations(struct reader *reader)
{
    bool loaded = reader->scenario->load.model != LOAD_SCRIPTS;
    if (loaded && reader->has_threads)
        problem_at(reader, "threads", PROBLEM_CONFLICT, "cannot be given together with load");
    if (!loaded && !reader->has_threads)
        problem_at(reader, "threads", PROBLEM_REQUIRED, "is required, or load is");
    if (loaded && reader->has_operations && reader->has_mix)
        problem_at(reader, "mix", PROBLEM_CONFLICT, "cannot be given together with operations");
    if (loaded && !reader->has_operations && !reader->has_mix)
        problem_at(reader, "operations", PROBLEM_REQUIRED, "is required with load, or mix is");
    if (!loaded && reader->has_operations)
        problem_at(reader, "operations", PROBLEM_CONFLICT, "needs load; scripts of their own are threads");
    if (!loaded && reader->has_mix)
        problem_at(reader, "mix", PROBLEM_CONFLICT, "needs load");
}

void finish_load(struct reader *reader)
{
    struct scenario *scenario = reader->scenario;
    load_check_operations(reader);
    if (scenario->load.model == LOAD_SCRIPTS || reader->problems->count)
        return;
    scenario->thread_count = plan_most_threads(&scenario->load);
    if (!reader->has_events) {
        scenario->events_policy = EVENTS_LAST;
        scenario->events_number = READER_LOAD_EVENTS;
    }
    load_finish_timeout(reader);
}
