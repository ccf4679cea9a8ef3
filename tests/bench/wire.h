// What the bench reads of the distribution protocol: whether a frame is a call, {'$gen_call', {Pid, Tag},
// Request}, or its reply, {Tag, Reply}, whose tag is a small integer as harnessd makes them. Terms are
// walked, not built: atoms may be numbers of the atom cache, and nobody needs their names.

#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum wire_kind { WIRE_OTHER, WIRE_CALL, WIRE_REPLY };

struct wire_reader {
    const uint8_t *at;
    size_t left;
    bool is_bad; // something is not understood, or the frame ends in the middle of it
};

static inline uint64_t wire_number(struct wire_reader *reader, size_t bytes)
{
    uint64_t number = 0;
    if (reader->is_bad || reader->left < bytes) {
        reader->is_bad = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | reader->at[i];
    reader->at += bytes;
    reader->left -= bytes;
    return number;
}

static inline void wire_skip(struct wire_reader *reader, uint64_t bytes)
{
    if (reader->is_bad || bytes > reader->left) {
        reader->is_bad = true;
        return;
    }
    reader->at += bytes;
    reader->left -= bytes;
}

// Terms whose length is in front of them: how many bytes that has, 0 for others; and what there is more of
// them.
static inline size_t wire_length_bytes(uint64_t tag, uint64_t *more)
{
    *more = tag == 'n'; // the sign of SMALL_BIG_EXT
    switch (tag) {
    case 's': // SMALL_ATOM_EXT
    case 'w': // SMALL_ATOM_UTF8_EXT
    case 'n':
        return 1;
    case 'd': // ATOM_EXT
    case 'v': // ATOM_UTF8_EXT
    case 'k': // STRING_EXT
        return 2;
    case 'm': // BINARY_EXT
        return 4;
    default:
        return 0;
    }
}

// Terms of one length: without their tag; 0 for others.
static inline size_t wire_fixed_bytes(uint64_t tag)
{
    switch (tag) {
    case 'a': // SMALL_INTEGER_EXT
    case 'R': // ATOM_CACHE_REF
        return 1;
    case 'b': // INTEGER_EXT
        return 4;
    case 'F': // NEW_FLOAT_EXT
        return 8;
    default:
        return 0;
    }
}

// Walks over the beginning of a term; how many terms are in it, behind that, and the bytes behind the first
// of these.
static inline uint64_t wire_open(struct wire_reader *reader, uint64_t tag, uint64_t *behind)
{
    *behind = 0;
    switch (tag) {
    case 'j': // NIL_EXT
        return 0;
    case 'h': // SMALL_TUPLE_EXT
        return wire_number(reader, 1);
    case 'i': // LARGE_TUPLE_EXT
        return wire_number(reader, 4);
    case 'l': // LIST_EXT, and its tail
        return wire_number(reader, 4) + 1;
    case 't': // MAP_EXT
        return 2 * wire_number(reader, 4);
    case 'X': // NEW_PID_EXT
        *behind = 12;
        return 1;
    case 'g': // PID_EXT
        *behind = 9;
        return 1;
    case 'Z': // NEWER_REFERENCE_EXT
        *behind = 4 + 4 * wire_number(reader, 2);
        return 1;
    default:
        reader->is_bad = true;
        return 0;
    }
}

// Walks over so many terms; those inside of them are added to the count.
static inline void wire_skip_terms(struct wire_reader *reader, uint64_t count)
{
    for (; count && !reader->is_bad; count--) {
        uint64_t tag = wire_number(reader, 1), more, behind;
        size_t fixed = wire_fixed_bytes(tag), length = wire_length_bytes(tag, &more);
        if (fixed || length) {
            wire_skip(reader, fixed ? fixed : wire_number(reader, length) + more);
            continue;
        }
        uint64_t inside = wire_open(reader, tag, &behind);
        if (behind) { // the node's name is an atom: this goes no deeper
            wire_skip_terms(reader, inside);
            wire_skip(reader, behind);
        } else {
            count += inside;
        }
    }
}

// Opens a tuple of this arity; false when there is something else.
static inline bool wire_open_tuple(struct wire_reader *reader, uint64_t arity)
{
    return reader->left >= 2 && reader->at[0] == 'h' && wire_number(reader, 1) == 'h' &&
           wire_number(reader, 1) == arity;
}

// An integer that is no bignum.
static inline bool wire_integer(struct wire_reader *reader, uint32_t *value)
{
    if (!reader->left || (reader->at[0] != 'a' && reader->at[0] != 'b'))
        return false;
    *value = (uint32_t)wire_number(reader, wire_number(reader, 1) == 'a' ? 1 : 4);
    return !reader->is_bad;
}

// Of a header that brings atoms: half a byte of flags each, and one more; then an index each, and a text
// where it is new.
static inline void wire_skip_atoms(struct wire_reader *reader)
{
    uint64_t atoms = wire_number(reader, 1);
    const uint8_t *flags = reader->at;
    if (!atoms || reader->is_bad)
        return;
    wire_skip(reader, atoms / 2 + 1);
    if (reader->is_bad)
        return;
    bool are_long = (flags[atoms / 2] >> (atoms % 2 ? 4 : 0)) & 1;
    for (uint64_t i = 0; i < atoms && !reader->is_bad; i++) {
        bool is_new = (flags[i / 2] >> (i % 2 ? 4 : 0)) & 8;
        wire_skip(reader, 1);
        if (is_new)
            wire_skip(reader, wire_number(reader, are_long ? 2 : 1));
    }
}

// Whether it is the message of a call or of a reply, and its tag; `from`, if it is wanted, is the caller's
// pid.
static inline enum wire_kind wire_message(struct wire_reader reader, uint32_t *tag, struct wire_reader *from)
{
    struct wire_reader reply = reader;
    if (wire_open_tuple(&reader, 3)) {
        wire_skip_terms(&reader, 1);
        if (reader.is_bad || !wire_open_tuple(&reader, 2))
            return WIRE_OTHER;
        struct wire_reader pid = reader;
        wire_skip_terms(&reader, 1);
        pid.left = (size_t)(reader.at - pid.at);
        if (from)
            *from = pid;
        return !reader.is_bad && wire_integer(&reader, tag) ? WIRE_CALL : WIRE_OTHER;
    }
    return wire_open_tuple(&reply, 2) && wire_integer(&reply, tag) ? WIRE_REPLY : WIRE_OTHER;
}

// A frame without its length: 112, 131 Control, 131 Message; or 131 68 Atoms, Control, Message.
static inline enum wire_kind wire_frame(const uint8_t *frame, size_t size, uint32_t *tag,
                                        struct wire_reader *from)
{
    struct wire_reader reader = {.at = frame, .left = size};
    uint64_t first = wire_number(&reader, 1), second = wire_number(&reader, 1);
    bool is_passed_through = first == 112;
    if (!is_passed_through) {
        if (first != 131 || second != 68)
            return WIRE_OTHER; // a fragment, or what is no frame
        wire_skip_atoms(&reader);
    }
    wire_skip_terms(&reader, 1);
    if (is_passed_through && !reader.is_bad && reader.left)
        wire_skip(&reader, 1);
    return reader.is_bad || !reader.left ? WIRE_OTHER : wire_message(reader, tag, from);
}

#endif
