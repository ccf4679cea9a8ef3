/* The placeholders: what each takes and what takes its place. */
#include <assert.h>

#include "base/bytes.h"
#include "scenario_private.h"
#include "template_private.h"
#include "term/term_check.h"
#include "term/term_read.h"

/* An integer of 64 bits. */
#define INTEGER_BYTES_MOST 11

/* The most bytes of an integer of this range: its ends have the most, as each side of 0 grows outwards. */
static size_t placeholder_integer_bytes(int64_t value)
{
    if (value >= 0 && value <= UINT8_MAX)
        return 2;
    if (value >= INT32_MIN && value <= INT32_MAX)
        return 5;
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    return 3 + (71 - (size_t)__builtin_clzll(magnitude)) / 8;
}

static bool placeholder_read_int(const struct term *arguments, struct replacement *by)
{
    int64_t low, high;
    if (!term_read_integer(arguments[0], &low) || !term_read_integer(arguments[1], &high) || low > high)
        return false;
    size_t bytes[2] = {placeholder_integer_bytes(low), placeholder_integer_bytes(high)};
    by->instruction = (struct instruction){
        .kind = INSTRUCTION_INTEGER,
        .integer = {.low = low, .width = (uint64_t)high - (uint64_t)low},
    };
    by->bytes = bytes[0] > bytes[1] ? bytes[0] : bytes[1];
    return true;
}

static bool placeholder_read_number(enum instruction_kind kind, struct replacement *by)
{
    by->instruction.kind = kind;
    by->bytes = INTEGER_BYTES_MOST;
    return true;
}

static bool placeholder_read_seq(const struct term *arguments, struct replacement *by)
{
    (void)arguments;
    return placeholder_read_number(INSTRUCTION_SEQUENCE, by);
}

static bool placeholder_read_thread(const struct term *arguments, struct replacement *by)
{
    (void)arguments;
    return placeholder_read_number(INSTRUCTION_THREAD, by);
}

static bool placeholder_read_step(const struct term *arguments, struct replacement *by)
{
    (void)arguments;
    return placeholder_read_number(INSTRUCTION_STEP, by);
}

static bool placeholder_read_zipf(const struct term *arguments, struct replacement *by)
{
    int64_t count;
    double exponent;
    if (!term_read_integer(arguments[0], &count) || count < 1 || (uint64_t)count > ZIPF_COUNT_MOST ||
        !term_read_number(arguments[1], &exponent) || exponent <= 0)
        return false;
    zipf_init(&by->zipf, (uint64_t)count, exponent);
    by->instruction.kind = INSTRUCTION_ZIPF;
    by->bytes = placeholder_integer_bytes(count);
    return true;
}

static bool placeholder_read_bytes(const struct term *arguments, struct replacement *by)
{
    int64_t size;
    if (!term_read_integer(arguments[0], &size) || size < 0 || size > TEMPLATE_BYTES_MOST)
        return false;
    by->instruction = (struct instruction){.kind = INSTRUCTION_BYTES, .size = (uint32_t)size};
    by->bytes = 5 + (size_t)size;
    return true;
}

static const struct placeholder placeholders[] = {
    {{.name = "{'$int', Low, High}", .text = "An integer from Low to High, each equally likely."},
     "$int",
     2,
     "needs two integers of 64 bits, the lower one first",
     placeholder_read_int},
    {{.name = "{'$pick', List}",
      .text = "An element of the list, each equally likely, with placeholders of its own."},
     "$pick",
     1,
     "needs a list with at least one element",
     NULL},
    {{.name = "{'$zipf', N, S}",
      .text = "An integer from 1 to N, k with a probability in proportion to k^-S."},
     "$zipf",
     2,
     "needs an integer in 1 to 9007199254740992 and a number greater than 0",
     placeholder_read_zipf},
    {{.name = "{'$bytes', N}", .text = "A binary of N random bytes, at most 1 MiB."},
     "$bytes",
     1,
     "needs an integer in 0 to 1048576",
     placeholder_read_bytes},
    {{.name = "{'$seq'}",
      .text = "A number that no other operation of the run has, the same in each run of the seed. Where "
              "messages have one at most, it is that of the arrival with a load of a rate, else `step * "
              "threads + thread`."},
     "$seq",
     0,
     "has no arguments",
     placeholder_read_seq},
    {{.name = "{'$thread'}", .text = "The number of the virtual thread, from 0; 0 with a load of a rate."},
     "$thread",
     0,
     "has no arguments",
     placeholder_read_thread},
    {{.name = "{'$step'}",
      .text = "The number of the thread's step, from 0; with a load of a rate that of the arrival, dropped "
              "ones not counted."},
     "$step",
     0,
     "has no arguments",
     placeholder_read_step},
};

const struct help_table help_of_placeholders = HELP_TABLE("placeholder", "Placeholders", placeholders);

_Static_assert(TEMPLATE_BYTES_MOST == 1048576 && ZIPF_COUNT_MOST == 9007199254740992, "as the messages say");

const struct placeholder *placeholder_find(const uint8_t *data, struct term_head head)
{
    const uint8_t *name = data + head.size;
    if ((*data != TERM_TAG_SMALL_TUPLE && *data != TERM_TAG_LARGE_TUPLE) || !head.values ||
        *name != TERM_TAG_SMALL_ATOM_UTF8 || !name[1] || name[2] != '$')
        return NULL;
    struct term atom = {.data = name, .size = term_length(name)};
    for (size_t i = 0; i < ARRAY_LENGTH(placeholders); i++) {
        if (term_is_atom(atom, placeholders[i].name))
            return &placeholders[i];
    }
    return NULL;
}

/* --- What they become --- */

static void expand_append_random(struct buffer *output, struct random *random, size_t size)
{
    uint8_t *room = buffer_reserve(output, 5 + size);
    room[0] = TERM_TAG_BINARY;
    bytes_put32(room + 1, (uint32_t)size);
    for (size_t done = 0; done < size; done += 8) {
        uint8_t drawn[8];
        bytes_put64(drawn, random_next(random));
        memcpy(room + 5 + done, drawn, size - done < 8 ? size - done : 8);
    }
    buffer_grow(output, 5 + size);
}

static int64_t expand_draw_integer(struct random *random, int64_t low, uint64_t width)
{
    uint64_t above = width == UINT64_MAX ? random_next(random) : random_below(random, width + 1);
    return (int64_t)((uint64_t)low + above);
}

static void expand_extend_list(const struct template *template, const struct instruction *instruction,
                               struct buffer *output)
{
    uint8_t *length =
        buffer_bytes(output) + template->marks[instruction->extend.mark] + instruction->extend.offset;
    bytes_put32(length, bytes_get32(length) + instruction->extend.count);
}

static void expand_append_characters(struct term_builder *builder, const struct instruction *instruction)
{
    for (uint32_t i = 0; i < instruction->bytes.size; i++)
        term_build_unsigned(builder, instruction->bytes.data[i]);
    term_build_nil(builder);
}

/* What an instruction appends that is not a choice between branches. */
static void expand_append(const struct template *template, const struct instruction *instruction,
                          struct draw *draw, struct term_builder *builder)
{
    switch ((enum instruction_kind)instruction->kind) {
    case INSTRUCTION_LITERAL:
        template->marks[instruction->bytes.mark] = builder->bytes.size;
        buffer_append(&builder->bytes, instruction->bytes.data, instruction->bytes.size);
        break;
    case INSTRUCTION_EXTEND:
        expand_extend_list(template, instruction, &builder->bytes);
        break;
    case INSTRUCTION_CHARACTERS:
        expand_append_characters(builder, instruction);
        break;
    case INSTRUCTION_INTEGER:
        term_build_integer(builder, expand_draw_integer(&draw->random, instruction->integer.low,
                                                        instruction->integer.width));
        break;
    case INSTRUCTION_SEQUENCE:
        term_build_unsigned(builder, draw->sequence++);
        break;
    case INSTRUCTION_THREAD:
        term_build_unsigned(builder, draw->thread);
        break;
    case INSTRUCTION_STEP:
        term_build_unsigned(builder, draw->step);
        break;
    case INSTRUCTION_PICK_CHARACTER:
        term_build_unsigned(builder,
                            instruction->bytes.data[random_below(&draw->random, instruction->bytes.size)]);
        break;
    case INSTRUCTION_ZIPF:
        term_build_unsigned(builder, zipf_draw(&template->zipfs[instruction->zipf], &draw->random));
        break;
    case INSTRUCTION_BYTES:
        expand_append_random(&builder->bytes, &draw->random, instruction->size);
        break;
    case INSTRUCTION_PICK:
        break;
    }
}

void template_expand(const struct template *template, struct draw *draw, struct buffer *output)
{
    /* The builder has the output's memory while it writes. */
    struct term_builder builder = {.bytes = *output};
    for (size_t at = 0; at < template->count;) {
        const struct instruction *instruction = &template->program[at];
        expand_append(template, instruction, draw, &builder);
        at = instruction->next;
        if (instruction->kind == INSTRUCTION_PICK)
            at = template->branches[instruction->pick.first +
                                    random_below(&draw->random, instruction->pick.count)];
    }
    assert(!builder.failed);
    *output = builder.bytes;
}
