/* That no row of the tables of scenarios has nothing to say. */
#include "scenario/scenario_term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "scenario/fault_kinds.h"

/* Whether it is one sentence or more, its code between pairs of backticks. */
static bool is_prose(const char *text)
{
    size_t ticks = 0;
    for (const char *c = text; c && *c; c++)
        ticks += *c == '`';
    return text && strlen(text) > 3 && text[strlen(text) - 1] == '.' && ticks % 2 == 0;
}

/* Those whose rows are keys with values. */
static bool has_types(const struct help_table *table)
{
    static const char *const names[] = {"scenario", "load", "thread_stage", "rate_stage", "mix", "action"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (strcmp(table->name, names[i]) == 0)
            return true;
    return false;
}

static void check_row(const struct help_table *table, const struct help *help)
{
    size_t length = strlen(help->name);
    bool is_time = length > 3 && strcmp(help->name + length - 3, "_ms") == 0;
    if (!is_prose(help->text))
        fail_msg("%s of %s has no help", help->name, table->name);
    if (has_types(table) && !help->type)
        fail_msg("%s of %s has no type", help->name, table->name);
    if (has_types(table) && is_time && (!help->unit || strcmp(help->unit, "ms") != 0))
        fail_msg("%s of %s has no unit", help->name, table->name);
    if (help->is_required && help->fallback.data)
        fail_msg("%s of %s is required and has a default", help->name, table->name);
}

static void test_rows_have_help(void **state)
{
    (void)state;
    size_t count;
    const struct help_table *const *tables = scenario_tables(&count);
    assert_string_equal(tables[0]->name, "scenario");
    for (size_t i = 0; i < count; i++) {
        assert_true(tables[i]->count > 0);
        assert_true(strlen(tables[i]->title) > 0);
        for (size_t row = 0; row < tables[i]->count; row++)
            check_row(tables[i], help_row(tables[i], row));
    }
}

static void check_option(const struct fault_kind *kind, const struct fault_option *option)
{
    const struct help help = fault_option_help(option);
    bool is_number = option->type == FAULT_INTEGER || option->type == FAULT_FRACTION;
    if (!is_prose(help.text) || !help.type)
        fail_msg("%s of %s has no help", help.name, kind->name);
    if (!help.is_required && !help.fallback.data && !help.fallback_text)
        fail_msg("%s of %s has no default", help.name, kind->name);
    if (is_number && option->least >= option->most)
        fail_msg("%s of %s has no range", help.name, kind->name);
}

static void test_faults_have_help(void **state)
{
    (void)state;
    size_t count;
    const struct fault_kind *kinds = fault_kinds(&count);
    for (size_t i = 0; i < count; i++) {
        const struct fault_kind *kind = &kinds[i];
        if (!is_prose(kind->help))
            fail_msg("%s has no help", kind->name);
        if (kind->lasts && !is_prose(kind->undone))
            fail_msg("%s does not say how it is undone", kind->name);
        for (size_t j = 0; j < kind->argument_count; j++)
            check_option(kind, &kind->arguments[j]);
        for (size_t j = 0; j < kind->option_count; j++)
            check_option(kind, &kind->options[j]);
    }
}

static void test_shapes_of_faults(void **state)
{
    (void)state;
    static const char *const shapes[] = {"{inject_crash, Spec, Options}", "{suspend, DurationMs}",
                                         "{exhaust, memory, Options}",
                                         "{apply, Module, Function, Arguments}"};
    size_t count, found = 0;
    const struct fault_kind *kinds = fault_kinds(&count);
    for (size_t i = 0; i < count; i++) {
        struct buffer shape = {0};
        fault_kind_shape(&kinds[i], &shape);
        buffer_append(&shape, "", 1);
        for (size_t j = 0; j < ARRAY_LENGTH(shapes); j++)
            found += strcmp((const char *)buffer_bytes(&shape), shapes[j]) == 0;
        buffer_free(&shape);
    }
    assert_int_equal(found, ARRAY_LENGTH(shapes));
}

static void test_expectations_have_help(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < EXPECTATION_KINDS; kind++) {
        const struct help *help = expectation_help((enum expectation_kind)kind);
        if (!is_prose(help->text) || !help->type)
            fail_msg("%s has no help", help->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_have_help),
        cmocka_unit_test(test_faults_have_help),
        cmocka_unit_test(test_shapes_of_faults),
        cmocka_unit_test(test_expectations_have_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
