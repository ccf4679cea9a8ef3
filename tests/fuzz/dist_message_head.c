/* Beginnings of messages, and messages in steps: what is read of either is whole and canonical, and in steps
 * it is what it is in one go. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dist/control.h"
#include "message_head_private.h"
#include "message_steps_private.h"
#include "term/term_build.h"

static void check(struct term term)
{
    size_t used;
    bool canonical;
    assert(term_check(term.data, term.size, &term_no_limits, &used, &canonical) == TERM_OK);
    assert(used == term.size && canonical);
}

static void read_head(struct term message, bool versioned)
{
    struct term_builder too_large = {0};
    struct buffer output = {0};
    struct control control;
    const char *problem = NULL;
    size_t sizes[2];
    term_build_tuple(&too_large, 2);
    term_build_atom(&too_large, "message_too_large");
    term_build_unsigned(&too_large, 7);
    if (message_head_read(message, versioned, NULL, term_built(&too_large), &output, sizes, &problem)) {
        struct term terms[2] = {{buffer_bytes(&output), sizes[0]}, {0}};
        check(terms[0]);
        if (sizes[1]) {
            terms[1] = (struct term){terms[0].data + sizes[0], sizes[1]};
            check(terms[1]);
        }
        assert(output.size == sizes[0] + sizes[1]);
        if (control_decode_head(terms[0], terms[1], term_built(&too_large), &control) == CONTROL_OK)
            assert(control.too_large.data && control_operation_text(control.operation));
    } else {
        assert(problem);
    }
    buffer_free(&output);
    term_build_free(&too_large);
}

/* The canonical form of a term read in one go; false when it has a problem. */
static bool read_at_once(const uint8_t **at, size_t *left, struct buffer *output)
{
    size_t used;
    bool canonical;
    if (term_check(*at, *left, &term_no_limits, &used, &canonical) != TERM_OK)
        return false;
    term_canonical_with_atoms((struct term){*at, used}, NULL, output);
    *at += used;
    *left -= used;
    return true;
}

static void read_in_steps(struct term message, size_t values)
{
    struct message_steps steps = {0};
    struct buffer whole[2] = {{0}, {0}};
    enum term_problem found;
    const char *problem = NULL;
    const uint8_t *at = message.data;
    size_t left = message.size, count = 0;
    bool is_good = true;
    message_steps_begin(&steps, message.data, message.size, false, NULL);
    while (!message_steps_go_on(&steps, values, &found, &problem))
        continue;
    for (; is_good && left && count < 2; count++)
        is_good = read_at_once(&at, &left, &whole[count]);
    is_good = is_good && !left && count;
    assert(is_good == (found == TERM_OK));
    assert(is_good || problem);
    for (size_t i = 0; is_good && i < count; i++)
        assert(term_same(steps.terms[i].term, term_of(&whole[i])));
    message_steps_end(&steps);
    buffer_free(&whole[0]);
    buffer_free(&whole[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    uint8_t *copy = malloc(size - 1);
    assert(copy);
    memcpy(copy, data + 1, size - 1);
    read_head((struct term){copy, size - 1}, data[0] & 1);
    read_in_steps((struct term){copy, size - 1}, 1 + data[0] / 2 % 16);
    free(copy);
    return 0;
}
