#include "scenario/scenario_texts.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "term/term_check.h"

/* A whole scenario, its meanings put in: as large as one that a node sends may be. */
#define MEANING_COUNT (64 * 1000 * 1000)

const char *const scenario_language_names[LANGUAGE_COUNT] = {
    [LANGUAGE_ERLANG] = "erlang", [LANGUAGE_ELIXIR] = "elixir"};

struct scenario_texts *scenario_texts_new(void)
{
    return memory_zalloc(1, sizeof(struct scenario_texts));
}

void scenario_texts_free(struct scenario_texts *texts)
{
    if (!texts)
        return;
    for (size_t i = 0; i < texts->count; i++) {
        free(texts->items[i].text);
        buffer_free(&texts->items[i].path);
    }
    free(texts->items);
    map_free(&texts->by_text);
    buffer_free(&texts->term);
    free(texts);
}

/* Scripts say the same again and again. */
static size_t texts_find_first(struct scenario_texts *texts, enum scenario_language language, bool is_hook,
                               const char *text)
{
    char *key = memory_format("%d%d%s", (int)language, is_hook, text);
    void *first = map_get(&texts->by_text, key, strlen(key));
    if (!first)
        (void)map_put(&texts->by_text, key, strlen(key), (void *)(uintptr_t)(texts->count + 1));
    free(key);
    return first ? (size_t)(uintptr_t)first - 1 : texts->count;
}

struct scenario_text *scenario_texts_add(struct scenario_texts *texts, enum scenario_language language,
                                         bool is_hook, const char *text, const struct problems *problems)
{
    struct term_builder path = {0};
    size_t first = texts_find_first(texts, language, is_hook, text);
    if (texts->count == texts->capacity) {
        texts->capacity = texts->capacity ? texts->capacity * 2 : 16;
        texts->items = memory_resize(texts->items, texts->capacity, sizeof(*texts->items));
    }
    problems_build_path(problems, &path);
    struct scenario_text *item = &texts->items[texts->count++];
    *item = (struct scenario_text){.language = language,
                                   .is_hook = is_hook,
                                   .text = memory_string(text),
                                   .first = first,
                                   .path = path.bytes};
    return item;
}

void scenario_texts_truncate(struct scenario_texts *texts, size_t count)
{
    for (size_t i = count; i < texts->count; i++) {
        free(texts->items[i].text);
        buffer_free(&texts->items[i].path);
    }
    map_free(&texts->by_text);
    texts->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct scenario_text *item = &texts->items[i];
        item->first = texts_find_first(texts, item->language, item->is_hook, item->text);
        texts->count++;
    }
}

const char *scenario_text_node(const struct scenario_text *text, const struct scenario *scenario)
{
    const char *target = scenario->target_count ? scenario->targets[0].node : "";
    return text->is_hook || !*target ? scenario->hooks_node : target;
}

/* The term with the meanings in the place of the stand-ins, which come in the order of their texts. */
static void texts_put_in(const struct scenario_texts *texts, const struct term *meanings,
                         struct buffer *output)
{
    const uint8_t *bytes = buffer_bytes(&texts->term);
    size_t kept = 0;
    for (size_t i = 0; i < texts->count; i++) {
        const struct scenario_text *item = &texts->items[i];
        buffer_append(output, bytes + kept, item->start - kept);
        buffer_append(output, meanings[i].data, meanings[i].size);
        kept = item->start + item->size;
    }
    buffer_append(output, bytes + kept, texts->term.size - kept);
}

struct scenario *scenario_texts_read(const struct scenario_texts *texts, const struct term *meanings,
                                     struct problems *problems)
{
    static const struct term_limits limits = {.depth = SIZE_MAX, .count = MEANING_COUNT};
    const struct scenario_origin origin = {.caller_node = texts->caller_node,
                                           .own_node = texts->own_node,
                                           .hooks_at_target = texts->hooks_at_target};
    struct buffer whole = {0};
    struct scenario *scenario = NULL;
    size_t used;
    bool canonical;
    texts_put_in(texts, meanings, &whole);
    enum term_problem problem = term_check(buffer_bytes(&whole), whole.size, &limits, &used, &canonical);
    if (problem != TERM_OK)
        problems_add(problems, PROBLEM_OUT_OF_RANGE, "cannot be put together: %s",
                     term_problem_text(problem));
    else
        scenario = scenario_term_read(term_of(&whole), &origin, problems);
    buffer_free(&whole);
    return scenario;
}
