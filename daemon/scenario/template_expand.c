#include <assert.h>

#include "base/bytes.h"
#include "template_private.h"

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
