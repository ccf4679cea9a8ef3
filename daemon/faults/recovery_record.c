/* What is told of recovery. */
#include "recovery_private.h"

#include "base/clock.h"
#include "faults_private.h"

/* Targets that a warning names. */
#define RECOVERY_NAMED 10

static void recovery_build_watch(const struct faults *faults, const struct recovery_watch *watch,
                                 struct term_builder *builder)
{
    struct term name = recovery_name(faults, watch->target);
    bool is_open = !watch->recovered_ns && watch->again_ns;
    term_build_map(builder, 5);
    term_build_key(builder, "target");
    if (name.data)
        term_build_term(builder, name);
    else
        term_build_atom(builder, "nil");
    injection_build_ms(builder, "recovery_ms", watch->recovered_ns, watch->recovery_ns);
    term_build_key_unsigned(builder, "errors", recovery_errors(faults, watch));
    injection_build_ms(builder, "last_error_ms", watch->last_error_ns > watch->effect_ns,
                       watch->last_error_ns - watch->effect_ns);
    injection_build_ms(builder, "again_ms", is_open, watch->again_ns - watch->effect_ns);
}

/* Whether it is known that a target of the scenario was touched. */
static bool recovery_is_touched(const struct recovery_watch *watch)
{
    return watch->target != TARGET_ANY && watch->effect_ns;
}

/* In the order of the scenario, as far as that is the order in which they were watched: the last is the
 * first. */
static void recovery_build_watches(const struct faults *faults, const struct injection *injection,
                                   struct term_builder *builder)
{
    const struct recovery_watch *watches[INJECTION_PIDS_MOST + 1];
    size_t count = 0;
    for (const struct recovery_watch *watch = injection->watches; watch; watch = watch->next)
        if (recovery_is_touched(watch))
            watches[count++] = watch;
    term_build_list(builder, count);
    for (size_t i = count; i; i--)
        recovery_build_watch(faults, watches[i - 1], builder);
    if (count)
        term_build_nil(builder);
}

/* When nobody was touched there was nothing to recover from, once somebody has answered. */
static bool recovery_is_over(const struct injection *injection, uint64_t *longest_ns)
{
    bool has_any = false, is_touched = false;
    *longest_ns = 0;
    for (const struct recovery_watch *watch = injection->watches; watch; watch = watch->next) {
        if (!recovery_is_touched(watch)) {
            has_any |= watch->recovered_ns != 0;
            continue;
        }
        is_touched = true;
        if (!watch->recovered_ns)
            return false;
        if (watch->recovery_ns > *longest_ns)
            *longest_ns = watch->recovery_ns;
    }
    return is_touched || has_any;
}

void recovery_build(const struct faults *faults, const struct injection *injection,
                    struct term_builder *builder)
{
    uint64_t longest_ns, errors = 0, effect_ns = injection->effect_ns, from_ns = faults->started_ns;
    bool is_over = recovery_is_over(injection, &longest_ns);
    injection_build_ms(builder, "effect_ms", effect_ns, effect_ns > from_ns ? effect_ns - from_ns : 0);
    term_build_key(builder, "recovery");
    recovery_build_watches(faults, injection, builder);
    injection_build_ms(builder, "recovery_ms", is_over, longest_ns);
    for (const struct recovery_watch *watch = injection->watches; watch; watch = watch->next)
        errors += recovery_is_touched(watch) ? recovery_errors(faults, watch) : 0;
    term_build_key_unsigned(builder, "errors", errors);
}

/* --- What nobody knows --- */

typedef bool (*recovery_question)(const struct faults *, const struct recovery_watch *);

static bool recovery_is_untested(const struct faults *faults, const struct recovery_watch *watch)
{
    return recovery_is_touched(watch) && !watch->recovered_ns && !recovery_is_owed(faults, watch);
}

/* It has answered again since its last failure, and the load has ended before that could tell. */
static bool recovery_is_unsettled(const struct faults *faults, const struct recovery_watch *watch)
{
    return faults->is_load_over && recovery_is_touched(watch) && !watch->recovered_ns && watch->again_ns;
}

static bool recovery_has(const struct faults *faults, size_t target, recovery_question is_asked_for)
{
    if (recovery_number(faults, target) != target)
        return false;
    LIST_EACH(const struct recovery_watch, watch, &recovery_of(faults, target)->waiting, waiting)
        if (is_asked_for(faults, watch))
            return true;
    return false;
}

static size_t recovery_build_names(const struct faults *faults, recovery_question is_asked_for,
                                   struct term_builder *builder)
{
    size_t count = 0, named = 0, targets = recovery_total(faults);
    for (size_t i = 0; i < targets; i++)
        count += recovery_has(faults, i, is_asked_for);
    term_build_list(builder, count < RECOVERY_NAMED ? count : RECOVERY_NAMED);
    for (size_t i = 0; named < count && named < RECOVERY_NAMED; i++) {
        if (!recovery_has(faults, i, is_asked_for))
            continue;
        term_build_term(builder, recovery_name(faults, i));
        named++;
    }
    if (count)
        term_build_nil(builder);
    return count;
}

size_t faults_build_untested(const struct faults *faults, struct term_builder *builder)
{
    return recovery_build_names(faults, recovery_is_untested, builder);
}

size_t faults_build_unsettled(const struct faults *faults, struct term_builder *builder)
{
    return recovery_build_names(faults, recovery_is_unsettled, builder);
}
