/* Any term as a scenario: it has problems, which are a term that a node takes, or it is one, and its
 * normalised form reads back the same. */
#include "scenario_check.h"

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
    struct term term = {.size = output.size};
    uint8_t *copy = malloc(term.size);
    assert(copy);
    memcpy(copy, buffer_bytes(&output), term.size);
    buffer_free(&output);
    term.data = copy;
    struct scenario *scenario = read_term(term);
    free(copy); /* the scenario has a copy of its own */
    if (scenario) {
        check(scenario);
        read_normalised(scenario);
        scenario_free(scenario);
    }
    return 0;
}
