#include "message_head_private.h"

#include "base/bytes.h"
#include "dist/control.h"

/* Longer tuples and lists that are not all there have no place for anything that anybody waits for. */
#define HEAD_ELEMENTS 16

/* Levels of tuples and lists that are opened: what is for a name is a request, and some have inside of them
 * what their answer depends on, as {From, {sbcast, Name, Message}} of rpc:sbcast/3. */
#define HEAD_LEVELS 1
#define HEAD_LEVELS_FOR_NAME 2

struct head {
    const uint8_t *at;
    size_t left;
    bool over; /* what comes next is not there */
    const struct term_atoms *atoms;
    struct term stand_in;
    struct buffer *output;
    const char **problem;
};

/* Takes one value, and appends it if it is all there. */
static bool head_take_whole(struct head *head, bool *taken)
{
    size_t used;
    bool canonical;
    enum term_problem found =
        term_check_with_atoms(head->at, head->left, &term_no_limits, head->atoms, &used, &canonical);
    *taken = found == TERM_OK;
    if (*taken) {
        term_canonical_with_atoms((struct term){head->at, used}, head->atoms, head->output);
        head->at += used;
        head->left -= used;
    }
    if (found != TERM_OK && found != TERM_TRUNCATED && found != TERM_TOO_LARGE)
        *head->problem = term_problem_text(found);
    return found == TERM_OK || found == TERM_TRUNCATED || found == TERM_TOO_LARGE;
}

static void head_append_stand_in(struct head *head)
{
    buffer_append(head->output, head->stand_in.data, head->stand_in.size);
}

/* How a short tuple or list begins, and how many elements it has; false for anything else. */
static bool head_open(struct head *head, size_t *elements, bool *is_list)
{
    *is_list = head->left >= 5 && *head->at == TERM_TAG_LIST;
    if (*is_list)
        *elements = bytes_get32(head->at + 1);
    else if (head->left >= 2 && *head->at == TERM_TAG_SMALL_TUPLE)
        *elements = head->at[1];
    else
        return false;
    if (*elements > HEAD_ELEMENTS || !*elements) /* a list without elements is what its tail is */
        return false;
    size_t size = *is_list ? 5 : 2;
    buffer_append(head->output, head->at, size);
    head->at += size;
    head->left -= size;
    return true;
}

/* A value that may not be all there, which `over` then tells; of it so many levels are opened. */
static bool head_take(struct head *head, unsigned levels)
{
    size_t elements;
    bool taken, is_list;
    if (!head_take_whole(head, &taken))
        return false;
    if (taken)
        return true;
    if (!levels || !head_open(head, &elements, &is_list)) {
        head->over = true;
        head_append_stand_in(head);
        return true;
    }
    for (size_t i = 0; i < elements; i++) {
        if (head->over)
            head_append_stand_in(head);
        else if (!head_take(head, levels - 1))
            return false;
    }
    head->over = true;
    if (is_list)
        buffer_append(head->output, (const uint8_t[]){TERM_TAG_NIL}, 1);
    return true;
}

/* Nothing of it need be there. */
static bool head_take_version(struct head *head)
{
    if (head->over || !head->left)
        return true;
    if (*head->at != TERM_VERSION) {
        *head->problem = "term without its version";
        return false;
    }
    head->at++;
    head->left--;
    return true;
}

bool message_head_read(struct term data, bool versioned, const struct term_atoms *atoms, struct term stand_in,
                       struct buffer *output, size_t sizes[2], const char **problem)
{
    struct head head = {.at = data.data,
                        .left = data.size,
                        .atoms = atoms,
                        .stand_in = stand_in,
                        .output = output,
                        .problem = problem};
    size_t before = output->size;
    sizes[0] = sizes[1] = 0;
    if ((versioned && !head_take_version(&head)) || !head_take(&head, HEAD_LEVELS))
        return false;
    sizes[0] = output->size - before;
    if (head.over)
        return true;
    const struct term control = {buffer_bytes(output) + before, sizes[0]};
    unsigned levels = control_is_for_name(control) ? HEAD_LEVELS_FOR_NAME : HEAD_LEVELS;
    if ((versioned && !head_take_version(&head)) || !head_take(&head, levels))
        return false;
    sizes[1] = output->size - before - sizes[0];
    return true;
}
