/* The program of a template: template.c compiles it, with what template_placeholders.c makes of placeholders,
 * and template_placeholders.c walks it.
 *
 * A pick is a list of branches, each of which goes on behind the pick. The one thing that does not come out
 * by appending is a list whose tail is a pick of lists: [a | {'$pick', [[b], [c, d]]}]. One list has one
 * header, so that such a branch appends its elements and adds their number to the header that is out already.
 */
#ifndef HARNESSD_SCENARIO_TEMPLATE_PRIVATE_H
#define HARNESSD_SCENARIO_TEMPLATE_PRIVATE_H

#include "base/zipf.h"
#include "scenario/template.h"
#include "term/help.h"
#include "term/term_read.h"

enum instruction_kind {
    INSTRUCTION_LITERAL,    /* `bytes` as they are */
    INSTRUCTION_EXTEND,     /* `extend.count` more elements for a list */
    INSTRUCTION_CHARACTERS, /* `bytes` of a STRING_EXT as elements that end their list */
    INSTRUCTION_INTEGER,
    INSTRUCTION_SEQUENCE,
    INSTRUCTION_THREAD,
    INSTRUCTION_STEP,
    INSTRUCTION_PICK,
    INSTRUCTION_PICK_CHARACTER, /* one of `bytes` as an integer */
    INSTRUCTION_ZIPF,
    INSTRUCTION_BYTES,
};

/* Sizes and indices fit 32 bits: a message is at most one frame of the distribution. */
struct instruction {
    uint8_t kind;  /* enum instruction_kind */
    uint32_t next; /* where to go on; but for the ends of branches that is the next one */
    union {
        struct {
            const uint8_t *data;
            uint32_t size;
            uint32_t mark; /* INSTRUCTION_LITERAL: the element of `marks` that notes where it came to stand */
        } bytes;
        struct {
            uint32_t mark;
            uint32_t offset; /* from there to the length of the list */
            uint32_t count;
        } extend;
        struct {
            int64_t low;
            uint64_t width; /* high - low */
        } integer;
        struct {
            uint32_t first; /* in `branches` */
            uint32_t count;
        } pick;
        uint32_t zipf; /* in `zipfs` */
        uint32_t size; /* INSTRUCTION_BYTES */
    };
};

struct template
{
    struct instruction *program;
    size_t count;       /* of instructions; to go there is the end */
    uint32_t *branches; /* the first instruction of each */
    struct zipf *zipfs;
    size_t *marks; /* offsets in the output; the first is for the literals that nobody extends */
    size_t bytes;
    size_t sequences;
};

/* What comes into the program for a placeholder. */
struct replacement {
    struct instruction instruction;
    size_t bytes;     /* the most that it appends */
    struct zipf zipf; /* of INSTRUCTION_ZIPF, whose index is still to be set */
};

#define PLACEHOLDER_ARGUMENTS 2

struct placeholder {
    struct help help; /* its name is the shape */
    const char *name;
    size_t arguments;
    const char *needs;
    /* False when the arguments are not what it needs. NULL for the pick, whose list the compiler walks. */
    bool (*read)(const struct term *arguments, struct replacement *by);
};

/* The placeholder that a value is, if its first element says so; NULL otherwise. */
const struct placeholder *placeholder_find(const uint8_t *data, struct term_head head);

#endif
