#include "suite_scenario_private.h"

/* The timeout of rounds is that of the suite alone. */
#define MOST_MS 4294967295LL

/* What is looked at on the loop. */
#define SMALL_VALUES 2000
#define SMALL_BYTES (64 * 1024)

bool suite_scenario_is_large(const struct term_list *list)
{
    const uint8_t *next = list->next;
    size_t left = list->left && !list->string ? 1 : 0;
    for (size_t values = 0; left; values++) {
        const struct term_head head = term_read_head(next);
        next += head.size;
        left += head.values - 1;
        if (values == SMALL_VALUES || (size_t)(next - list->next) > SMALL_BYTES)
            return true;
    }
    return false;
}

/* All keys but the type. */
static size_t suite_scenario_count_options(struct term term)
{
    struct term_pairs pairs;
    struct term key, value;
    size_t count = 0;
    bool is_map = term_pairs_start(&pairs, term);
    while (is_map && term_pairs_next(&pairs, &key, &value))
        count += !term_is_atom(key, "type");
    return count;
}

/* A scenario without load. */
static void suite_scenario_make_rounds(struct suite_scenario *scenario, struct term target)
{
    struct term_builder *rounds = &scenario->rounds;
    struct term_pairs pairs;
    struct term key, value;
    term_build_map(rounds, 5);
    term_build_key(rounds, "target");
    term_build_term(rounds, target);
    term_build_key(rounds, "threads");
    term_build_list(rounds, 1);
    term_build_nil(rounds); /* one script without operations */
    term_build_nil(rounds);
    term_build_key(rounds, "events");
    term_build_atom(rounds, "none");
    term_build_key_unsigned(rounds, "timeout_ms", MOST_MS);
    term_build_key(rounds, "chaos");
    term_build_tuple(rounds, 2);
    term_build_atom(rounds, "kill_children");
    term_build_map(rounds, suite_scenario_count_options(scenario->term));
    bool is_map = term_pairs_start(&pairs, scenario->term);
    while (is_map && term_pairs_next(&pairs, &key, &value)) {
        if (term_is_atom(key, "type"))
            continue;
        term_build_term(rounds, key);
        term_build_term(rounds, value);
    }
    scenario->inside = term_built(rounds);
}

static enum suite_kind suite_scenario_find_inside(struct suite_scenario *scenario)
{
    struct term_pairs pairs;
    struct term *inside = &scenario->inside;
    if (term_pairs_get(scenario->term, "scenario", inside) && term_pairs_start(&pairs, *inside))
        return SUITE_CONCURRENT;
    if (term_pairs_get(scenario->term, "build", inside) && term_type(*inside) == TERM_FUN)
        return SUITE_BUILT;
    return SUITE_NO_SCENARIO;
}

static enum suite_kind suite_scenario_look(struct suite_scenario *scenario, struct term target)
{
    struct term type;
    if (term_type(scenario->term) != TERM_MAP)
        return SUITE_NO_MAP;
    if (!term_pairs_get(scenario->term, "type", &type))
        return SUITE_NO_TYPE;
    if (term_is_atom(type, "concurrent"))
        return suite_scenario_find_inside(scenario);
    if (!term_is_atom(type, "kill_children"))
        return SUITE_OTHER_TYPE;
    suite_scenario_make_rounds(scenario, target);
    return SUITE_ROUNDS;
}

void suite_scenario_next(struct suite_scenario *scenario, struct term_list *list, struct term target)
{
    suite_scenario_free(scenario);
    if (term_list_next(list, &scenario->term))
        scenario->kind = suite_scenario_look(scenario, target);
}

void suite_scenario_free(struct suite_scenario *scenario)
{
    term_build_free(&scenario->rounds);
    *scenario = (struct suite_scenario){.kind = SUITE_NONE};
}
