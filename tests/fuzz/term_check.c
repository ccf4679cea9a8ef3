/* Random bytes through the validator; what it lets pass must hold everything that the readers rely on. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<ei.h>)
#include <ei.h>
#define HAVE_EI 1
#else
#define HAVE_EI 0
#endif

#include "base/buffer.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term/term_refer.h"
#include "term/term_text.h"

/* Containers that still have to be read; more than this are not. */
#define PENDING_LIMIT 256

/* ei walks by recursion. */
#define EI_DEPTH_LIMIT 100

struct reading {
    struct term pending[PENDING_LIMIT];
    size_t count;
    uint64_t sum; /* of what was read, so that reading is not optimised away */
};

static void reading_add(struct reading *reading, struct term term)
{
    assert(term.size);
    if (reading->count < PENDING_LIMIT)
        reading->pending[reading->count++] = term;
}

static void read_leaf(struct reading *reading, struct term term)
{
    static char text[TERM_ATOM_BYTES + 1];
    static struct term_pid pid;
    const uint8_t *data;
    size_t size;
    int64_t integer;
    double number;
    bool boolean;
    struct term node;
    if (term_read_atom(term, text)) {
        reading->sum += strlen(text);
        assert(term_is_atom(term, text));
    }
    if (term_read_boolean(term, &boolean))
        reading->sum += boolean;
    if (term_read_integer(term, &integer))
        reading->sum += (uint64_t)integer;
    if (term_read_number(term, &number))
        reading->sum += number > 0;
    if (term_read_pid(term, &pid))
        reading->sum += pid.id + pid.serial + pid.creation + strlen(pid.node);
    if (term_read_node(term, &node)) {
        assert(term_type(node) == TERM_ATOM);
        assert(node.size == term_length(node.data));
    }
    if (term_read_binary(term, &data, &size)) {
        for (size_t i = 0; i < size; i++)
            reading->sum += data[i];
    }
}

static void read_container(struct reading *reading, struct term term)
{
    struct term elements[16], key, value;
    struct term_list list;
    struct term_pairs pairs;
    size_t arity, count = 0;
    if (term_read_tuple(term, 16, elements, &arity)) {
        for (size_t i = 0; i < arity; i++)
            reading_add(reading, elements[i]);
    }
    if (term_list_start(&list, term)) {
        while (term_list_next(&list, &value)) {
            reading_add(reading, value);
            count++;
        }
        assert(count == list.count);
        reading->sum += term_list_proper(&list);
    }
    count = 0;
    if (term_pairs_start(&pairs, term)) {
        while (term_pairs_next(&pairs, &key, &value)) {
            reading_add(reading, key);
            reading_add(reading, value);
            count++;
        }
        assert(count == pairs.count);
        reading->sum += term_pairs_get(term, "a", &value);
    }
}

static void read_everything(struct term term)
{
    static struct reading reading;
    char text[512];
    reading.count = 0;
    reading_add(&reading, term);
    for (int steps = 0; reading.count && steps < 2000; steps++) {
        struct term next = reading.pending[--reading.count];
        assert(next.size == term_length(next.data));
        assert(term_type_text(term_type(next)));
        read_leaf(&reading, next);
        read_container(&reading, next);
    }
    for (size_t size = 1; size <= sizeof(text); size *= 2)
        assert(strlen(term_text(term, text, size)) < size);
}

#if HAVE_EI
static void compare_with_ei(struct term term)
{
    int index = 0;
    size_t used;
    bool canonical;
    const struct term_limits shallow = {.depth = EI_DEPTH_LIMIT, .count = SIZE_MAX};
    if (term_check(term.data, term.size, &shallow, &used, &canonical))
        return;
    if (!ei_skip_term((const char *)term.data, &index))
        assert((size_t)index == term.size);
}
#else
static void compare_with_ei(struct term term)
{
    (void)term;
}
#endif

/* The input again, where it may refer to some atoms, of which two are the same. */
static void check_with_atoms(const uint8_t *data, size_t size)
{
    static const uint8_t names[] = {119, 1, 'a', 119, 0, 119, 4, 0xf0, 0x9f, 0x98, 0x80, 119, 1, 'a'};
    const struct term_limits limits = {.depth = SIZE_MAX, .count = SIZE_MAX};
    const struct term_atoms atoms = {
        .count = 4, .room = 200, .items = {{names, 3}, {names + 3, 2}, {names + 5, 6}, {names + 11, 3}}};
    size_t used;
    bool canonical;
    if (term_check_with_atoms(data, size, &limits, &atoms, &used, &canonical))
        return;
    assert(used <= size);
    struct buffer output = {0};
    term_canonical_with_atoms((struct term){data, used}, &atoms, &output);
    assert(!canonical || (output.size == used && memcmp(buffer_bytes(&output), data, used) == 0));
    enum term_problem problem = term_check(buffer_bytes(&output), output.size, &limits, &used, &canonical);
    assert(!problem && canonical && used == output.size);
    buffer_free(&output);
}

static int number_of(void *owner, const uint8_t *text, size_t size)
{
    struct term_atoms *table = owner;
    const struct term atom = {text - 2, size + 2};
    for (size_t i = 0; i < table->count; i++)
        if (term_same(table->items[i], atom))
            return (int)i;
    if (table->count == TERM_ATOMS_MOST)
        return TERM_REFER_NOT;
    table->items[table->count] = atom;
    return (int)table->count++;
}

/* A canonical term with its atoms referred to is the same when they are written out. */
static void refer_and_back(struct term term)
{
    const struct term_limits limits = {.depth = SIZE_MAX, .count = SIZE_MAX};
    struct term_atoms table = {.room = SIZE_MAX};
    struct buffer again = {0};
    uint8_t *referring = malloc(term.size);
    assert(referring);
    size_t used, size = term_refer(term, number_of, &table, referring);
    bool canonical;
    assert(size <= term.size);
    enum term_problem problem = term_check_with_atoms(referring, size, &limits, &table, &used, &canonical);
    assert(!problem && used == size && canonical == !table.count);
    term_canonical_with_atoms((struct term){referring, size}, &table, &again);
    assert(term_same((struct term){buffer_bytes(&again), again.size}, term));
    buffer_free(&again);
    free(referring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct term_limits limits = {.depth = SIZE_MAX, .count = SIZE_MAX};
    size_t used, used_again;
    bool canonical;
    check_with_atoms(data, size);
    enum term_problem problem = term_check(data, size, &limits, &used, &canonical);
    assert(used <= size && term_problem_text(problem));
    if (problem)
        return 0;
    assert(used == term_length(data));
    /* Memory of its own for each, so that the sanitizer sees a byte that is read behind it. */
    struct buffer output = {0};
    term_canonical_with_atoms((struct term){data, used}, NULL, &output);
    assert(!canonical || (output.size == used && memcmp(buffer_bytes(&output), data, used) == 0));
    struct term term = {.size = output.size};
    uint8_t *copy = malloc(term.size);
    assert(copy);
    memcpy(copy, buffer_bytes(&output), term.size);
    buffer_free(&output);
    term.data = copy;
    problem = term_check(term.data, term.size, &limits, &used_again, &canonical);
    assert(!problem && canonical && used_again == term.size && term_length(term.data) == term.size);
    read_everything(term);
    compare_with_ei(term);
    refer_and_back(term);
    free(copy);
    return 0;
}
