#include "scenario/template.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "scenario_private.h"
#include "template_private.h"
#include "term/term_check.h"
#include "term/term_notation.h"
#include "term/term_read.h"

enum frame_kind {
    FRAME_PLAIN,
    FRAME_LIST, /* its last value is the tail */
    FRAME_MAP,  /* keys and values in turn */
    FRAME_PICK, /* the list of one; its last value is the tail */
};

/* The list whose tail a value is. A list in that place is no list of its own but goes on with this one. */
struct tail {
    const uint8_t *header; /* NULL: the value is no tail */
    size_t literal;        /* the instruction that has the header */
};

/* What an expansion can come to. */
struct most {
    size_t bytes;
    size_t sequences;
};

/* Where a value stands. */
struct place {
    bool in_key; /* inside the key of a map */
    struct tail tail;
};

/* A container that is being walked. */
struct frame {
    enum frame_kind kind;
    bool in_key;
    size_t left;      /* values still to come */
    struct tail tail; /* FRAME_LIST: of its own tail; FRAME_PICK: of each branch */
};

/* A pick that is being walked. */
struct pick {
    size_t instruction;
    struct most before; /* what there was in front of it */
    struct most most;   /* with the largest of the branches so far */
};

struct compiler {
    struct template *template;
    struct problems *problems;
    const uint8_t *at;
    const uint8_t *kept; /* from here to `at` the message is literal and not in the program yet */
    struct most most;    /* up to here, on the way to the current branch */
    size_t landing;      /* where the branches of the last pick go on */
    size_t program_capacity;
    size_t branch_count;
    size_t branch_capacity;
    size_t zipf_count;
    size_t zipf_capacity;
    size_t mark_count;
    struct frame *frames;
    size_t depth;
    size_t frame_capacity;
    struct pick *picks; /* one for each FRAME_PICK */
    size_t pick_depth;
    size_t pick_capacity;
};

/* --- The program --- */

/* Room for `count` more elements of an array. */
static void *template_grow(void *array, size_t used, size_t count, size_t *capacity, size_t size)
{
    if (*capacity - used >= count)
        return array;
    while (*capacity - used < count)
        *capacity = *capacity ? *capacity * 2 : 8;
    return memory_resize(array, *capacity, size);
}

/* Where the next instruction comes to stand. */
static uint32_t template_program_end(const struct compiler *compiler)
{
    return (uint32_t)compiler->template->count;
}

static void template_add_instruction(struct compiler *compiler, struct instruction instruction)
{
    struct template *template = compiler->template;
    template->program = template_grow(template->program, template->count, 1, &compiler->program_capacity,
                                      sizeof(*template->program));
    instruction.next = template_program_end(compiler) + 1;
    template->program[template->count++] = instruction;
}

/* Puts what is literal up to here into the program. */
static void template_flush(struct compiler *compiler)
{
    size_t size = (size_t)(compiler->at - compiler->kept);
    if (!size)
        return;
    template_add_instruction(compiler,
                             (struct instruction){.kind = INSTRUCTION_LITERAL,
                                                  .bytes = {.data = compiler->kept, .size = (uint32_t)size}});
    compiler->most.bytes += size;
    compiler->kept = compiler->at;
}

/* Adds what stands for the message up to `behind`, at most `bytes` bytes. */
static void template_replace(struct compiler *compiler, const uint8_t *behind, struct instruction instruction,
                             size_t bytes)
{
    template_flush(compiler);
    template_add_instruction(compiler, instruction);
    compiler->most.bytes += bytes;
    compiler->kept = compiler->at = behind;
}

static void template_push(struct compiler *compiler, enum frame_kind kind, size_t left, struct place place)
{
    if (!left)
        return;
    struct frame *top = compiler->depth ? &compiler->frames[compiler->depth - 1] : NULL;
    /* What is inside a tuple inside a tuple comes before what is left of the other one: one frame for both.
     */
    if (kind == FRAME_PLAIN && top && top->kind == FRAME_PLAIN && top->in_key == place.in_key) {
        top->left += left;
        return;
    }
    compiler->frames = template_grow(compiler->frames, compiler->depth, 1, &compiler->frame_capacity,
                                     sizeof(*compiler->frames));
    struct frame *frame = &compiler->frames[compiler->depth++];
    frame->kind = kind;
    frame->in_key = place.in_key;
    frame->left = left;
    frame->tail = place.tail;
}

/* --- Picks --- */

static void template_larger(struct most *most, struct most other)
{
    most->bytes = other.bytes > most->bytes ? other.bytes : most->bytes;
    most->sequences = other.sequences > most->sequences ? other.sequences : most->sequences;
}

/* Begins a pick whose list is at `list`; false if that is no list with elements. */
static bool template_pick_start(struct compiler *compiler, const uint8_t *list, struct tail tail)
{
    struct term_head head = term_read_head(list);
    struct template *template = compiler->template;
    if (*list == TERM_TAG_STRING) {
        struct term_list characters;
        if (!term_list_start(&characters, (struct term){list, head.size}))
            return false;
        struct instruction instruction = {
            .kind = INSTRUCTION_PICK_CHARACTER,
            .bytes = {.data = characters.next, .size = (uint32_t)characters.count},
        };
        template_replace(compiler, list + head.size, instruction, 2);
        return true;
    }
    if (*list != TERM_TAG_LIST)
        return false;
    size_t count = head.values - 1;
    template->branches = template_grow(template->branches, compiler->branch_count, count,
                                       &compiler->branch_capacity, sizeof(*template->branches));
    struct instruction instruction = {
        .kind = INSTRUCTION_PICK,
        .pick = {.first = (uint32_t)compiler->branch_count, .count = (uint32_t)count},
    };
    compiler->branch_count += count;
    template_replace(compiler, list + head.size, instruction, 0);
    template_push(compiler, FRAME_PICK, head.values, (struct place){.tail = tail});
    compiler->picks = template_grow(compiler->picks, compiler->pick_depth, 1, &compiler->pick_capacity,
                                    sizeof(*compiler->picks));
    compiler->picks[compiler->pick_depth++] = (struct pick){
        .instruction = template->count - 1,
        .before = compiler->most,
        .most = compiler->most,
    };
    return true;
}

/* Ends the branch in front of a pick's next value, and begins the next one. `left` values are still to come,
 * the last of which is the tail. */
static void template_pick_step(struct compiler *compiler, size_t left)
{
    struct template *template = compiler->template;
    struct pick *pick = &compiler->picks[compiler->pick_depth - 1];
    const struct instruction *instruction = &template->program[pick->instruction];
    size_t first = instruction->pick.first;
    size_t branch = instruction->pick.count + 1 - left;
    if (branch) {
        template_flush(compiler);
        /* A pick that ends a branch goes on behind it: not in the next branch but at an instruction of this
         * one, which can be led to the end of all. */
        if (compiler->landing == template->count)
            template_add_instruction(compiler, (struct instruction){.kind = INSTRUCTION_LITERAL});
        template_larger(&pick->most, compiler->most);
    }
    compiler->most = pick->before;
    if (left > 1)
        template->branches[first + branch] = template_program_end(compiler);
}

/* All branches are there, the tail of the list is next. */
static void template_pick_end(struct compiler *compiler)
{
    struct template *template = compiler->template;
    const struct pick *pick = &compiler->picks[--compiler->pick_depth];
    const struct instruction *instruction = &template->program[pick->instruction];
    const uint32_t *branches = template->branches + instruction->pick.first;
    for (uint32_t i = 1; i < instruction->pick.count; i++)
        template->program[branches[i] - 1].next = template_program_end(compiler);
    compiler->landing = template->count;
    compiler->most = pick->most;
    size_t size = term_length(compiler->at);
    struct excerpt text;
    if (*compiler->at != TERM_TAG_NIL)
        problems_add(compiler->problems, PROBLEM_INVALID_PLACEHOLDER,
                     "{:\"$pick\", list} needs a proper list, got one with the tail %s",
                     excerpt(&text, (struct term){compiler->at, size}));
    compiler->at += size;
    compiler->kept = compiler->at;
}

/* --- The walk --- */

static bool template_replace_placeholder(struct compiler *compiler, const struct placeholder *placeholder,
                                         struct term whole, const struct term *arguments)
{
    struct template *template = compiler->template;
    struct replacement by = {.bytes = 0};
    if (!placeholder->read || !placeholder->read(arguments, &by))
        return false;
    if (by.instruction.kind == INSTRUCTION_ZIPF) {
        template->zipfs = template_grow(template->zipfs, compiler->zipf_count, 1, &compiler->zipf_capacity,
                                        sizeof(*template->zipfs));
        template->zipfs[compiler->zipf_count] = by.zipf;
        by.instruction.zipf = (uint32_t)compiler->zipf_count++;
    }
    compiler->most.sequences += by.instruction.kind == INSTRUCTION_SEQUENCE;
    template_replace(compiler, whole.data + whole.size, by.instruction, by.bytes);
    return true;
}

static void template_report_placeholder(struct compiler *compiler, const struct placeholder *placeholder,
                                        const char *what, struct term whole)
{
    struct buffer shape = {0};
    struct excerpt text;
    term_notation_elixir(placeholder->help.name, &shape);
    buffer_append(&shape, "", 1);
    problems_add(compiler->problems, PROBLEM_INVALID_PLACEHOLDER, "%s %s, got %s",
                 (const char *)buffer_bytes(&shape), what, excerpt(&text, whole));
    buffer_free(&shape);
}

static void template_compile_placeholder(struct compiler *compiler, const struct placeholder *placeholder,
                                         struct term_head head, struct place place)
{
    const uint8_t *name = compiler->at + head.size;
    bool fits = head.values == placeholder->arguments + 1;
    /* The length of a pick is not looked for: with picks in picks the walk would not be linear any more. */
    if (fits && !place.in_key && !placeholder->read &&
        template_pick_start(compiler, name + term_length(name), place.tail))
        return;
    struct term whole = {.data = compiler->at, .size = term_length(compiler->at)};
    struct term parts[1 + PLACEHOLDER_ARGUMENTS];
    if (place.in_key)
        template_report_placeholder(compiler, placeholder,
                                    "cannot stand in a key of a map: keys could become the same", whole);
    else if (!fits || !term_read_tuple_of(whole, head.values, parts) ||
             !template_replace_placeholder(compiler, placeholder, whole, parts + 1))
        template_report_placeholder(compiler, placeholder, placeholder->needs, whole);
    compiler->at = whole.data + whole.size;
}

/* A list in the tail of another, to which its `count` elements are added. The list goes on at `elements`. */
static void template_extend(struct compiler *compiler, struct tail tail, const uint8_t *elements,
                            size_t count)
{
    struct instruction *literal = &compiler->template->program[tail.literal];
    if (!literal->bytes.mark)
        literal->bytes.mark = (uint32_t)++compiler->mark_count;
    struct instruction instruction = {
        .kind = INSTRUCTION_EXTEND,
        .extend = {.mark = literal->bytes.mark,
                   .offset = (uint32_t)(tail.header + 1 - literal->bytes.data),
                   .count = (uint32_t)count},
    };
    template_replace(compiler, elements, instruction, 0);
}

static void template_compile_list(struct compiler *compiler, struct term_head head, struct place place)
{
    if (place.tail.header) {
        template_extend(compiler, place.tail, compiler->at + head.size, head.values - 1);
    } else {
        /* What is literal up to here is going to be the next instruction, and the header is in it. */
        place.tail = (struct tail){.header = compiler->at, .literal = compiler->template->count};
        compiler->at += head.size;
    }
    template_push(compiler, FRAME_LIST, head.values, place);
}

static void template_compile_tail_string(struct compiler *compiler, struct term string, struct tail tail)
{
    struct term_list characters;
    if (!term_list_start(&characters, string))
        return;
    template_extend(compiler, tail, characters.next, characters.count);
    struct instruction instruction = {
        .kind = INSTRUCTION_CHARACTERS,
        .bytes = {.data = characters.next, .size = (uint32_t)characters.count},
    };
    template_replace(compiler, string.data + string.size, instruction, 2 * characters.count + 1);
}

static void template_compile_value(struct compiler *compiler, struct place place)
{
    struct term_head head = term_read_head(compiler->at);
    const struct placeholder *placeholder = placeholder_find(compiler->at, head);
    uint8_t tag = *compiler->at;
    if (placeholder) {
        template_compile_placeholder(compiler, placeholder, head, place);
    } else if (tag == TERM_TAG_LIST) {
        template_compile_list(compiler, head, place);
    } else if (tag == TERM_TAG_STRING && place.tail.header) {
        template_compile_tail_string(compiler, (struct term){compiler->at, head.size}, place.tail);
    } else {
        compiler->at += head.size;
        template_push(compiler, tag == TERM_TAG_MAP ? FRAME_MAP : FRAME_PLAIN, head.values, place);
    }
}

/* The next value of the innermost container. */
static void template_compile_next(struct compiler *compiler)
{
    struct frame *frame = &compiler->frames[compiler->depth - 1];
    struct place place = {.in_key = frame->in_key};
    size_t left = frame->left--;
    switch (frame->kind) {
    case FRAME_PLAIN:
        break;
    case FRAME_LIST:
        if (left == 1)
            place.tail = frame->tail;
        break;
    case FRAME_MAP:
        place.in_key |= left % 2 == 0;
        break;
    case FRAME_PICK:
        place.tail = frame->tail;
        template_pick_step(compiler, left);
        if (left == 1) {
            template_pick_end(compiler);
            return;
        }
        break;
    }
    template_compile_value(compiler, place);
}

static void template_compile(struct compiler *compiler)
{
    template_push(compiler, FRAME_PLAIN, 1, (struct place){0});
    while (compiler->depth) {
        if (compiler->frames[compiler->depth - 1].left)
            template_compile_next(compiler);
        else
            compiler->depth--;
    }
}

struct template *template_read(struct term message, struct problems *problems)
{
    struct template *template = memory_zalloc(1, sizeof(*template));
    struct compiler compiler = {
        .template = template,
        .problems = problems,
        .at = message.data,
        .kept = message.data,
        .landing = SIZE_MAX,
    };
    size_t problems_before = problems->count;
    template_compile(&compiler);
    free(compiler.frames);
    free(compiler.picks);
    /* Without an instruction so far all is literal. */
    if (!template->count || problems->count != problems_before) {
        template_free(template);
        return NULL;
    }
    template_flush(&compiler);
    assert(compiler.at == message.data + message.size);
    template->program = memory_resize(template->program, template->count, sizeof(*template->program));
    template->marks = memory_zalloc(compiler.mark_count + 1, sizeof(*template->marks));
    template->bytes = compiler.most.bytes;
    template->sequences = compiler.most.sequences;
    return template;
}

void template_free(struct template *template)
{
    if (!template)
        return;
    free(template->program);
    free(template->branches);
    free(template->zipfs);
    free(template->marks);
    free(template);
}

size_t template_sequences(const struct template *template)
{
    return template->sequences;
}

size_t template_bytes(const struct template *template)
{
    return template->bytes;
}
