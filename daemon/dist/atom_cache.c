#include "atom_cache_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "term/term_refer.h"

#define NEW_ENTRY 8
#define SEGMENT 7
#define LONG_ATOMS 1
#define SEGMENT_ENTRIES 256

/* The golden ratio in 64 bits; its product's upper 11 bits tell the place. */
#define HASH_FACTOR 0x9e3779b97f4a7c15ULL
#define HASH_SHIFT 53
_Static_assert(1ULL << (64 - HASH_SHIFT) == ATOM_CACHE_ENTRIES, "a hash for each place");

/* A buffer that a long message has made larger than this is not kept for the next. */
#define TERMS_KEPT_BYTES (1024 * 1024)

/* Memory of a place grows in such steps, so that atoms that replace each other need none in the end. */
#define PLACE_BYTES 32

void atom_reader_free(struct atom_reader *reader)
{
    for (size_t i = 0; reader->entries && i < ATOM_CACHE_ENTRIES; i++)
        free((void *)reader->entries[i].data);
    free(reader->entries);
    buffer_free(&reader->bytes);
}

static uint8_t cache_half_byte(const uint8_t *flags, size_t number)
{
    return number % 2 ? flags[number / 2] >> 4 : flags[number / 2] & 15;
}

/* Appends an atom to those of the header. */
static void cache_add_atom(struct atom_reader *reader, const uint8_t *text, size_t size)
{
    if (size <= UINT8_MAX)
        buffer_append(&reader->bytes, (uint8_t[]){TERM_TAG_SMALL_ATOM_UTF8, (uint8_t)size}, 2);
    else
        buffer_append(&reader->bytes, (uint8_t[]){TERM_TAG_ATOM_UTF8, (uint8_t)(size >> 8), (uint8_t)size},
                      3);
    buffer_append(&reader->bytes, text, size);
}

/* Makes the atom that was added last the one of this entry. False when it is none. */
static bool cache_keep_entry(struct term *entry, const struct buffer *bytes, size_t start)
{
    const struct term_limits limits = {.depth = 1, .count = 1};
    const uint8_t *data = buffer_bytes(bytes) + start;
    size_t size = bytes->size - start, used;
    bool canonical;
    if (term_check(data, size, &limits, &used, &canonical) != TERM_OK)
        return false;
    free((void *)entry->data);
    *entry = (struct term){memory_copy(data, size), size};
    return true;
}

/* Reads one reference at `data`, and answers its length, or 0 with the problem. */
static size_t cache_read_reference(struct atom_reader *reader, uint8_t flags, size_t width,
                                   const uint8_t *data, size_t size, const char **problem)
{
    *problem = "truncated atom cache header";
    if (!size)
        return 0;
    struct term *entry = &reader->entries[(flags & SEGMENT) * SEGMENT_ENTRIES + data[0]];
    if (!(flags & NEW_ENTRY)) {
        *problem = "reference to an atom that was never sent";
        buffer_append(&reader->bytes, entry->data, entry->size);
        return entry->data ? 1 : 0;
    }
    if (width > size - 1)
        return 0;
    size_t length = width == 2 ? bytes_get16(data + 1) : data[1];
    if (length > size - 1 - width)
        return 0;
    *problem = "malformed atom in the header";
    size_t start = reader->bytes.size;
    cache_add_atom(reader, data + 1 + width, length);
    return cache_keep_entry(entry, &reader->bytes, start) ? 1 + width + length : 0;
}

static void cache_index_atoms(struct atom_reader *reader)
{
    const uint8_t *bytes = buffer_bytes(&reader->bytes);
    reader->table.count = 0;
    for (size_t at = 0, size; at < reader->bytes.size; at += size) {
        size = term_length(bytes + at);
        reader->table.items[reader->table.count++] = (struct term){bytes + at, size};
    }
}

bool atom_reader_header(struct atom_reader *reader, const uint8_t *data, size_t size, size_t *used,
                        const char **problem)
{
    size_t count = size ? data[0] : 0;
    size_t at = count ? 1 + count / 2 + 1 : 1;
    *problem = "truncated atom cache header";
    if (at > size)
        return false;
    buffer_truncate(&reader->bytes, 0);
    if (count && !reader->entries)
        reader->entries = memory_zalloc(ATOM_CACHE_ENTRIES, sizeof(*reader->entries));
    const uint8_t *flags = data + 1;
    size_t width = count && cache_half_byte(flags, count) & LONG_ATOMS ? 2 : 1;
    for (size_t i = 0; i < count; i++) {
        size_t length =
            cache_read_reference(reader, cache_half_byte(flags, i), width, data + at, size - at, problem);
        if (!length)
            return false;
        at += length;
    }
    cache_index_atoms(reader);
    *used = at;
    return true;
}

void atom_reader_restore(struct atom_reader *reader, struct buffer bytes)
{
    buffer_free(&reader->bytes);
    reader->bytes = bytes;
    cache_index_atoms(reader);
}

/* Where the peer was told of an atom. */
struct atom_place {
    uint64_t message; /* the last that referred to it; 0 is none */
    uint8_t *text;
    uint16_t capacity;
    uint8_t size;
    uint8_t number; /* in that message */
    bool is_new;    /* the message is the one that tells the peer */
};

void atom_writer_free(struct atom_writer *writer)
{
    for (size_t i = 0; writer->places && i < ATOM_CACHE_ENTRIES; i++)
        free(writer->places[i].text);
    free(writer->places);
    buffer_free(&writer->terms);
}

static bool cache_is_at(const struct atom_place *place, const uint8_t *text, size_t size)
{
    return place->message && place->size == size && memcmp(place->text, text, size) == 0;
}

static void cache_replace_atom(struct atom_place *place, const uint8_t *text, size_t size)
{
    if (!place->text || size > place->capacity) {
        place->capacity = (uint16_t)((size / PLACE_BYTES + 1) * PLACE_BYTES);
        place->text = memory_resize(place->text, place->capacity, 1);
    }
    memcpy(place->text, text, size);
    place->size = (uint8_t)size;
}

/* Eight bytes at a time, the last ones overlapping: every byte counts, for atoms often differ in the middle.
 * Who knows it can choose atoms that replace each other, which costs nobody but their sender. */
static size_t cache_place_of(const uint8_t *text, size_t size)
{
    uint64_t hash = size, word = 0;
    for (size_t at = 0; at + 8 < size; at += 8) {
        memcpy(&word, text + at, 8);
        hash = (hash ^ word) * HASH_FACTOR;
        hash ^= hash >> 32;
    }
    if (size >= 8)
        memcpy(&word, text + size - 8, 8);
    else
        for (size_t at = 0; at < size; at++)
            word = word << 8 | text[at];
    return (size_t)((hash ^ word) * HASH_FACTOR >> HASH_SHIFT);
}

static int cache_refer(void *owner, const uint8_t *text, size_t size)
{
    struct atom_writer *writer = owner;
    size_t number = cache_place_of(text, size);
    struct atom_place *place = &writer->places[number];
    bool known = cache_is_at(place, text, size);
    if (place->message == writer->messages) /* the header names each entry once */
        return known ? place->number : TERM_REFER_NOT;
    if (writer->count == TERM_ATOMS_MOST)
        return TERM_REFER_NOT;
    if (!known)
        cache_replace_atom(place, text, size);
    place->is_new = !known;
    place->message = writer->messages;
    place->number = (uint8_t)writer->count;
    writer->entry_bytes += known ? 1 : 2 + size;
    writer->references[writer->count++] = (uint16_t)number;
    return place->number;
}

/* Appends the term to those of the message. */
static void cache_write_term(struct atom_writer *writer, struct term term)
{
    uint8_t *room = buffer_reserve(&writer->terms, term.size);
    buffer_grow(&writer->terms, term_refer(term, cache_refer, writer, room));
}

static uint8_t *cache_put_header(const struct atom_writer *writer, size_t flag_bytes, uint8_t *header)
{
    uint8_t *flags = header + 1;
    uint8_t *at = flags + flag_bytes;
    header[0] = (uint8_t)writer->count;
    memset(flags, 0, flag_bytes);
    for (size_t i = 0; i < writer->count; i++) {
        size_t number = writer->references[i];
        const struct atom_place *place = &writer->places[number];
        size_t half = number / SEGMENT_ENTRIES | (place->is_new ? NEW_ENTRY : 0);
        flags[i / 2] |= (uint8_t)(i % 2 ? half << 4 : half);
        *at++ = (uint8_t)number;
        if (!place->is_new)
            continue;
        *at++ = place->size;
        memcpy(at, place->text, place->size);
        at += place->size;
    }
    return at;
}

void atom_writer_append(struct atom_writer *writer, struct buffer *output, struct term control,
                        struct term payload)
{
    if (!writer->places)
        writer->places = memory_zalloc(ATOM_CACHE_ENTRIES, sizeof(*writer->places));
    writer->messages++;
    writer->count = 0;
    writer->entry_bytes = 0;
    if (writer->terms.capacity > TERMS_KEPT_BYTES)
        buffer_free(&writer->terms);
    buffer_truncate(&writer->terms, 0);
    cache_write_term(writer, control);
    if (payload.data)
        cache_write_term(writer, payload);
    size_t flag_bytes = writer->count ? writer->count / 2 + 1 : 0;
    size_t size = 1 + flag_bytes + writer->entry_bytes + writer->terms.size;
    uint8_t *next = cache_put_header(writer, flag_bytes, buffer_reserve(output, size));
    memcpy(next, buffer_bytes(&writer->terms), writer->terms.size);
    buffer_grow(output, size);
}
