/* A stored file that somebody has changed: it is refused or read, and what is read is terms that can be
 * written as JSON and stored again. The first byte of an input says whether the rest is a whole file or the
 * parts of one, around which the checks are made to fit. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "store_file_private.h"
#include "term/term_check.h"

static void take(void *owner, const void *json, size_t size)
{
    buffer_append(owner, json, size);
}

/* Jansson has limits of its own: integers beyond 64 bits, depth, and texts with a NUL in them as keys. */
static void check_json(const struct store_file *file)
{
    struct buffer json = {0};
    json_error_t error;
    store_file_write_json(file, &(struct store_json){.has_summary = true}, take, &json);
    json_t *read = json_loadb((char *)buffer_bytes(&json), json.size,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    if (!read) {
        enum json_error_code code = json_error_code(&error);
        assert(code == json_error_null_byte_in_key || code == json_error_stack_overflow);
    }
    json_decref(read);
    buffer_free(&json);
}

static void store_again(const struct store_file *file, const uint8_t *data, size_t size)
{
    struct buffer again = {0};
    store_file_write_head(file, &again);
    buffer_append(&again, file->content.data, file->content.size);
    store_file_write_trailer(file, &again);
    assert(again.size == size && memcmp(buffer_bytes(&again), data, size) == 0);
    buffer_free(&again);
}

/* In memory of its own, so that the sanitizer sees a byte that is read behind it. */
static void read_file(const uint8_t *data, size_t size)
{
    struct store_file file;
    uint8_t *copy = malloc(size ? size : 1);
    assert(copy);
    if (size)
        memcpy(copy, data, size);
    if (!store_file_read(copy, size, &file)) {
        store_again(&file, copy, size);
        check_json(&file);
        file.state = STORE_INTERRUPTED;
        check_json(&file);
    }
    free(copy);
}

/* The parts: two bytes for the size of the summary, which together with the content fills the rest. */
static void read_parts(const uint8_t *data, size_t size)
{
    struct buffer bytes = {0};
    if (size < 2)
        return;
    size_t summary_size = (size_t)(data[0] << 8 | data[1]) % (size - 1);
    struct store_file file = {
        .id = size,
        .state = size % 2 ? STORE_FINISHED : STORE_RUNNING,
        .summary = {data + 2, summary_size},
        .content = {data + 2 + summary_size, size - 2 - summary_size},
    };
    store_file_write_head(&file, &bytes);
    buffer_append(&bytes, file.content.data, file.content.size);
    store_file_write_trailer(&file, &bytes);
    read_file(buffer_bytes(&bytes), bytes.size);
    buffer_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    if (data[0] % 2)
        read_file(data + 1, size - 1);
    else
        read_parts(data + 1, size - 1);
    return 0;
}
