/* Any term as a message with placeholders: what is wrong with it is a term that a node takes; or its
 * expansions are canonical terms within the limits that it has told, and the same for the same draw. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/template.h"
#include "term/term_check.h"

/* An input of a few kilobytes with more '$bytes' than these is only read. */
#define EXPANSION_BYTES (4 << 20)

static const struct term_limits limits = {.depth = 200, .count = 1000000};

static void check_term(const struct buffer *output)
{
    size_t used;
    bool canonical;
    enum term_problem problem = term_check(buffer_bytes(output), output->size, &limits, &used, &canonical);
    assert(problem == TERM_OK && used == output->size && canonical);
}

static void check_problems(struct problems *problems)
{
    struct term_builder builder = {0};
    problems_build(problems, &builder);
    check_term(&builder.bytes);
    term_build_free(&builder);
}

static void check_expansions(const struct template *template)
{
    struct buffer first = {0}, second = {0};
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct draw draw = {.thread = seed * 40, .step = UINT64_MAX >> (8 * seed), .sequence = seed << 30};
        uint64_t sequence = draw.sequence;
        random_seed(&draw.random, seed);
        struct draw same = draw;
        buffer_truncate(&first, 0);
        buffer_truncate(&second, 0);
        template_expand(template, &draw, &first);
        template_expand(template, &same, &second);
        check_term(&first);
        assert(first.size <= template_bytes(template));
        assert(draw.sequence - sequence <= template_sequences(template));
        assert(first.size == second.size &&
               memcmp(buffer_bytes(&first), buffer_bytes(&second), first.size) == 0);
    }
    buffer_free(&first);
    buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct term_limits input = {.depth = 100, .count = 100000};
    size_t used;
    bool canonical;
    if (term_check(data, size, &input, &used, &canonical) != TERM_OK)
        return 0;
    struct buffer output = {0};
    term_canonical_with_atoms((struct term){data, used}, NULL, &output);
    /* A block of its own, so that a read behind its end is seen. */
    struct term term = {.size = output.size};
    uint8_t *copy = malloc(term.size);
    assert(copy);
    memcpy(copy, buffer_bytes(&output), term.size);
    buffer_free(&output);
    term.data = copy;
    struct problems problems = {0};
    struct template *template = template_read(term, &problems);
    assert(!template || !problems.count);
    check_problems(&problems);
    if (template && template_bytes(template) <= EXPANSION_BYTES)
        check_expansions(template);
    template_free(template);
    problems_free(&problems);
    free(copy);
    return 0;
}
