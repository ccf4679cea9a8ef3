#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "one_shot_private.h"
#include "report/junit.h"
#include "report/reason.h"
#include "report/report_text.h"
#include "report/report_view.h"
#include "report/run_result.h"
#include "term/term_json.h"

/* What is told, in all its forms. */
struct telling {
    struct report_view view;
    struct term_builder answered; /* which the view borrows from */
    struct buffer text;
};

static const char *outputs_name(const struct one_shot_outputs *outputs)
{
    return outputs->given->scenario ? outputs->given->scenario : "harnessd run";
}

/* --- Forms --- */

static void telling_make(struct telling *telling, const struct one_shot_story *story)
{
    *telling = (struct telling){.text = {0}};
    run_result_build(story->result, false, &telling->answered);
    struct report_source source = {
        .result = term_built(&telling->answered), .outcome = story->outcome, .run_id = story->run_id};
    if (!run_result_report(story->result, false, &source.partial))
        source.partial = (struct term){0};
    bool told = report_view_read(&source, &telling->view);
    assert(told);
    report_text_write(&telling->view, &telling->text);
}

static void telling_free(struct telling *telling)
{
    term_build_free(&telling->answered);
    buffer_free(&telling->text);
}

/* The same as a daemon stores: {"outcome", "run_id", "reason", "report"}, and perhaps a "warning". */
static void outputs_write_json(const struct one_shot_story *story, struct buffer *json)
{
    struct term_builder outcome = {0}, run_id = {0}, built = {0};
    struct term reason, report;
    term_build_atom(&outcome, outcome_name(story->outcome));
    if (story->run_id)
        term_build_unsigned(&run_id, story->run_id);
    else
        term_build_atom(&run_id, "nil");
    if (!run_result_reason(story->result, false, &built, &reason))
        reason = TERM_ATOM("nil");
    if (!run_result_report(story->result, false, &report))
        report = TERM_ATOM("nil");
    const struct {
        const char *name;
        struct term value;
    } members[] = {{"outcome", term_built(&outcome)},
                   {"run_id", term_built(&run_id)},
                   {"reason", reason},
                   {"report", report}};
    size_t too_deep = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        buffer_print(json, "%c\"%s\":", i ? ',' : '{', members[i].name);
        too_deep += term_json_write(members[i].value, json);
    }
    term_json_warn(too_deep, json);
    buffer_print(json, "}\n");
    term_build_free(&outcome);
    term_build_free(&run_id);
    term_build_free(&built);
}

/* One line for each problem of {error, {invalid_scenario, Problems}}. */
static void outputs_print_problems(const struct one_shot_outputs *outputs, struct term problems)
{
    struct buffer text = {0};
    char *prefix = memory_format("%s: ", outputs_name(outputs));
    report_view_write_problems(problems, prefix, &text);
    log_plain(buffer_bytes(&text), text.size);
    buffer_free(&text);
    free(prefix);
}

/* --- Files --- */

/* A pipe or a device has nothing to go back to. */
static bool outputs_can_rewrite(FILE *file)
{
    struct stat status;
    return fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode);
}

static bool outputs_rewrite(FILE *file, const char *flag, const char *name, const struct buffer *content)
{
    bool can_write =
        !outputs_can_rewrite(file) || (fseek(file, 0, SEEK_SET) == 0 && ftruncate(fileno(file), 0) == 0);
    bool written = can_write && fwrite(buffer_bytes(content), 1, content->size, file) == content->size &&
                   fflush(file) == 0;
    if (!written)
        log_print("%s: cannot write %s: %s\n", flag, name, strerror(errno));
    return written;
}

static bool outputs_is_due(FILE *file, bool is_last)
{
    return file && (is_last || outputs_can_rewrite(file));
}

/* All that can be written again, or for the last time. */
static bool outputs_write_files(struct one_shot_outputs *outputs, const struct one_shot_story *story,
                                struct telling *telling, bool is_last)
{
    struct buffer xml = {0}, json = {0};
    bool done = true;
    if (outputs_is_due(outputs->junit, is_last)) {
        junit_write(&telling->view, outputs_name(outputs), &telling->text, &xml);
        done = outputs_rewrite(outputs->junit, "--junit", outputs->given->junit, &xml);
    }
    if (outputs_is_due(outputs->json, is_last)) {
        outputs_write_json(story, &json);
        done = outputs_rewrite(outputs->json, "--json", outputs->given->json_file, &json) && done;
    }
    buffer_free(&xml);
    buffer_free(&json);
    return done;
}

static bool outputs_is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* What else the file is that would be lost, or NULL. Nothing is lost in a pipe or a device. */
static const char *outputs_conflict(const struct one_shot_outputs *outputs,
                                    const struct one_shot_inputs *inputs, int descriptor)
{
    struct stat file, json;
    if (fstat(descriptor, &file) < 0 || !S_ISREG(file.st_mode))
        return NULL;
    for (size_t i = 0; i < inputs->count; i++)
        if (outputs_is_same_file(&file, &inputs->files[i]))
            return i ? "a file of the scenario's hooks" : "the scenario itself";
    bool is_json =
        outputs->json && fstat(fileno(outputs->json), &json) == 0 && outputs_is_same_file(&file, &json);
    return is_json ? "the file of --json too" : NULL;
}

/* Whatever the file has stays in it until it is known that it may be written. */
static FILE *outputs_open_one(const struct one_shot_outputs *outputs, const struct one_shot_inputs *inputs,
                              const char *flag, const char *name)
{
    int descriptor = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    const char *conflict = descriptor < 0 ? NULL : outputs_conflict(outputs, inputs, descriptor);
    FILE *file = descriptor < 0 || conflict ? NULL : fdopen(descriptor, "w");
    if (conflict)
        log_print("%s: %s is %s\n", flag, name, conflict);
    else if (!file)
        log_print("%s: cannot write %s: %s\n", flag, name, strerror(errno));
    if (descriptor >= 0 && !file)
        close(descriptor);
    return file;
}

static void outputs_close(FILE **file)
{
    if (*file)
        fclose(*file);
    *file = NULL;
}

/* What is there from now on, should nobody come to write more. */
static bool outputs_begin_files(struct one_shot_outputs *outputs)
{
    struct term_builder result = {0};
    struct telling telling;
    run_result_build(TERM_ATOM("nil"), true, &result);
    struct one_shot_story story = {.outcome = OUTCOME_INTERRUPTED, .result = term_built(&result)};
    telling_make(&telling, &story);
    bool done = outputs_write_files(outputs, &story, &telling, false);
    telling_free(&telling);
    term_build_free(&result);
    return done;
}

bool one_shot_outputs_open(struct one_shot_outputs *outputs, const struct config_one_shot *given,
                           const struct one_shot_inputs *inputs)
{
    *outputs = (struct one_shot_outputs){.given = given};
    if (given->json_file)
        outputs->json = outputs_open_one(outputs, inputs, "--json", given->json_file);
    if (given->junit)
        outputs->junit = outputs_open_one(outputs, inputs, "--junit", given->junit);
    bool opened = (outputs->json || !given->json_file) && (outputs->junit || !given->junit);
    return outputs_begin_files(outputs) && opened;
}

/* --- Standard output --- */

/* What is wrong with a scenario is told as when the program finds it, on standard error. */
static bool outputs_print(const struct one_shot_outputs *outputs, const struct one_shot_story *story,
                          const struct telling *telling)
{
    const struct report_view *view = &telling->view;
    const struct buffer *text = &telling->text;
    struct buffer json = {0};
    bool as_json = outputs->given->json && !outputs->given->json_file;
    if (view->problems.data)
        outputs_print_problems(outputs, view->problems);
    if (as_json)
        outputs_write_json(story, &json);
    const struct buffer *printed = as_json ? &json : text;
    (void)log_flush(); /* what was said before stands before it where both go to one place */
    if (as_json || (!view->problems.data && !story->is_known && view->outcome != OUTCOME_NOT_RUN))
        fwrite(buffer_bytes(printed), 1, printed->size, stdout);
    else if (!view->problems.data && !story->is_known)
        log_plain(buffer_bytes(printed), printed->size);
    buffer_free(&json);
    bool told = fflush(stdout) == 0 && !ferror(stdout);
    if (!told)
        log_print("cannot write the report to standard output: %s\n", strerror(errno));
    return told;
}

/* {error, {not_told, Report}}: nobody could read what has come of a run that has completed. */
static void outputs_tell_untold(struct one_shot_outputs *outputs, const struct one_shot_story *story)
{
    struct term_builder result = {0};
    struct telling telling;
    struct term report;
    bool has_report = run_result_report(story->result, false, &report);
    term_build_tuple(&result, has_report ? 3 : 2);
    term_build_atom(&result, "error");
    reason_build(REASON_NOT_TOLD, &result);
    if (has_report)
        term_build_term(&result, report);
    const struct one_shot_story untold = {
        .run_id = story->run_id, .outcome = OUTCOME_FAILED, .result = term_built(&result)};
    telling_make(&telling, &untold);
    (void)outputs_write_files(outputs, &untold, &telling, false);
    telling_free(&telling);
    term_build_free(&result);
}

enum outcome one_shot_outputs_tell(struct one_shot_outputs *outputs, const struct one_shot_story *story)
{
    struct telling telling;
    enum outcome outcome = story->outcome;
    telling_make(&telling, story);
    bool told = outputs_print(outputs, story, &telling);
    told = outputs_write_files(outputs, story, &telling, true) && told;
    if (strcmp(report_view_outcome(&telling.view), outcome_text(outcome)) != 0 && outcome == OUTCOME_FAILED)
        log_print("%s\n", report_view_outcome(&telling.view));
    telling_free(&telling);
    if (!told && outcome == OUTCOME_COMPLETED) {
        outcome = OUTCOME_FAILED;
        outputs_tell_untold(outputs, story);
    }
    outputs_close(&outputs->junit);
    outputs_close(&outputs->json);
    return outcome;
}
