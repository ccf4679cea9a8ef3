/* Any bytes as a scenario file: it has problems, or it is a scenario; its texts are where it says, and with
 * meanings of any kind in their place it has problems or is a scenario again, of as many threads. */
#include "scenario/scenario_json.h"
#include "scenario/scenario_texts.h"
#include "scenario_check.h"

#define MEANINGS 4

/* What a text may mean: a literal, a tuple, a hook, a list. */
static void build_meaning(struct term_builder *builder, size_t kind)
{
    switch (kind % MEANINGS) {
    case 0:
        term_build_atom(builder, "get");
        break;
    case 1:
        term_build_tuple(builder, 2);
        term_build_atom(builder, "$int");
        term_build_integer(builder, 1);
        break;
    case 2:
        term_build_tuple(builder, 3);
        term_build_atom(builder, "m");
        term_build_atom(builder, "f");
        term_build_list(builder, 0);
        break;
    default:
        term_build_list(builder, 1);
        term_build_float(builder, 1.5);
        term_build_nil(builder);
    }
}

static void check_texts(const struct scenario *scenario)
{
    const struct scenario_texts *texts = scenario->texts;
    size_t end = 0;
    for (size_t i = 0; i < texts->count; i++) {
        const struct scenario_text *text = &texts->items[i];
        assert(text->start >= end && text->size > 0);
        end = text->start + text->size;
        assert(text->first <= i && texts->items[text->first].first == text->first);
        assert(strcmp(texts->items[text->first].text, text->text) == 0);
        assert(end <= texts->term.size);
        assert(term_length(buffer_bytes(&texts->term) + text->start) == text->size);
        assert(term_length(buffer_bytes(&text->path)) == text->path.size);
        const char *node = scenario_text_node(text, scenario);
        assert(node_name_is_valid(node, strlen(node)));
    }
}

static void put_meanings_in(const struct scenario *scenario, size_t first)
{
    const struct scenario_texts *texts = scenario->texts;
    struct term_builder builders[MEANINGS] = {0};
    struct term *meanings = calloc(texts->count, sizeof(*meanings));
    struct problems problems = {0};
    assert(meanings);
    for (size_t i = 0; i < MEANINGS; i++)
        build_meaning(&builders[i], i);
    for (size_t i = 0; i < texts->count; i++)
        meanings[i] = built(&builders[(first + i) % MEANINGS]);
    struct scenario *whole = scenario_texts_read(texts, meanings, &problems);
    check_problems(whole, &problems);
    if (whole) {
        assert(!whole->texts && whole->thread_count == scenario->thread_count);
        check(whole);
        read_normalised(whole);
    }
    scenario_free(whole);
    free(meanings);
    for (size_t i = 0; i < MEANINGS; i++)
        term_build_free(&builders[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct scenario_origin origin = {
        .caller_node = size % 5 ? "app@caller" : "", .own_node = "harness@own", .hooks_at_target = true};
    struct problems problems = {0};
    struct scenario *scenario = scenario_json_read((const char *)data, size, NULL, &origin, &problems);
    check_problems(scenario, &problems);
    if (!scenario)
        return 0;
    check(scenario);
    if (scenario->texts) {
        check_texts(scenario);
        put_meanings_in(scenario, size);
    } else {
        read_normalised(scenario);
    }
    scenario_free(scenario);
    return 0;
}
