#include "store_file_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32.h"
#include "term/term_check.h"
#include "term/term_json.h"
#include "term/term_read.h"

#define FORM 1
#define JSON_PIECE_BYTES (256 * 1024)

static const char mark[8] = {'h', 'a', 'r', 'n', 'e', 's', 's', 'd'};
static const uint8_t head[STORE_FILE_HEAD_BYTES] = {TERM_VERSION, TERM_TAG_SMALL_TUPLE, 2};

static const char *const state_names[] = {
    [STORE_RUNNING] = "running", [STORE_INTERRUPTED] = "interrupted", [STORE_FINISHED] = "finished"};

/* Where the parts of the trailer stand. */
enum {
    AT_FORM = sizeof(mark),
    AT_STATE = AT_FORM + 4,
    AT_ID = AT_STATE + 4,
    AT_ENDED = AT_ID + 8,
    AT_SUMMARY_SIZE = AT_ENDED + 8,
    AT_CONTENT_SIZE = AT_SUMMARY_SIZE + 8,
    AT_SUMMARY_CHECK = AT_CONTENT_SIZE + 8,
    AT_CONTENT_CHECK = AT_SUMMARY_CHECK + 4,
    AT_CHECK = AT_CONTENT_CHECK + 4,
    TRAILER_END = AT_CHECK + 4,
};
_Static_assert(TRAILER_END == STORE_FILE_TRAILER_BYTES, "the parts fill the trailer");

void store_file_write_head(const struct store_file *file, struct buffer *output)
{
    buffer_append(output, head, sizeof(head));
    buffer_append(output, file->summary.data, file->summary.size);
}

void store_file_write_trailer(const struct store_file *file, struct buffer *output)
{
    uint8_t bytes[STORE_FILE_TRAILER_BYTES];
    memcpy(bytes, mark, sizeof(mark));
    bytes_put32(bytes + AT_FORM, FORM);
    bytes_put32(bytes + AT_STATE, file->state);
    bytes_put64(bytes + AT_ID, file->id);
    bytes_put64(bytes + AT_ENDED, file->ended_at_ms);
    bytes_put64(bytes + AT_SUMMARY_SIZE, file->summary.size);
    bytes_put64(bytes + AT_CONTENT_SIZE, file->content.size);
    bytes_put32(bytes + AT_SUMMARY_CHECK, crc32_add(0, file->summary.data, file->summary.size));
    bytes_put32(bytes + AT_CONTENT_CHECK, crc32_add(0, file->content.data, file->content.size));
    bytes_put32(bytes + AT_CHECK, crc32_add(0, bytes, AT_CHECK));
    buffer_append(output, bytes, sizeof(bytes));
}

const char *store_file_read_trailer(const uint8_t bytes[STORE_FILE_TRAILER_BYTES], uint64_t size,
                                    struct store_trailer *trailer)
{
    if (memcmp(bytes, mark, sizeof(mark)) != 0)
        return "it is cut, or none of ours";
    if (bytes_get32(bytes + AT_FORM) != FORM)
        return "it is of another form";
    if (bytes_get32(bytes + AT_CHECK) != crc32_add(0, bytes, AT_CHECK))
        return "its trailer is damaged";
    uint32_t state = bytes_get32(bytes + AT_STATE);
    if (state != STORE_RUNNING && state != STORE_FINISHED)
        return "its state is unknown";
    *trailer = (struct store_trailer){
        .id = bytes_get64(bytes + AT_ID),
        .state = (enum store_state)state,
        .ended_at_ms = bytes_get64(bytes + AT_ENDED),
        .summary_size = bytes_get64(bytes + AT_SUMMARY_SIZE),
        .content_size = bytes_get64(bytes + AT_CONTENT_SIZE),
        .summary_check = bytes_get32(bytes + AT_SUMMARY_CHECK),
        .content_check = bytes_get32(bytes + AT_CONTENT_CHECK),
    };
    if (trailer->summary_size > STORE_SUMMARY_BYTES_MOST)
        return "its summary is too large";
    uint64_t around = STORE_FILE_HEAD_BYTES + trailer->summary_size + STORE_FILE_TRAILER_BYTES;
    if (size < around || size - around != trailer->content_size)
        return "its size is not what it was";
    return NULL;
}

/* Whether these bytes are one term as we write them. */
static const char *file_check_term(const uint8_t *data, size_t size, uint32_t check, struct term *term)
{
    size_t used;
    bool canonical;
    if (crc32_add(0, data, size) != check)
        return "its bytes are not what they were";
    if (term_check(data, size, &term_no_limits, &used, &canonical) || used != size || !canonical)
        return "it has no term where one should be";
    *term = (struct term){data, size};
    return NULL;
}

const char *store_file_read_head(const uint8_t *bytes, const struct store_trailer *trailer,
                                 struct term *summary)
{
    if (memcmp(bytes, head, sizeof(head)) != 0)
        return "its beginning is damaged";
    const char *problem =
        file_check_term(bytes + sizeof(head), trailer->summary_size, trailer->summary_check, summary);
    if (!problem && term_type(*summary) != TERM_MAP)
        return "its summary is no map";
    return problem;
}

const char *store_file_read(const uint8_t *bytes, size_t size, struct store_file *file)
{
    struct store_trailer trailer;
    if (size < STORE_FILE_HEAD_BYTES + STORE_FILE_TRAILER_BYTES)
        return "it is cut, or none of ours";
    const char *problem = store_file_read_trailer(bytes + size - STORE_FILE_TRAILER_BYTES, size, &trailer);
    if (problem)
        return problem;
    *file = (struct store_file){.id = trailer.id, .state = trailer.state, .ended_at_ms = trailer.ended_at_ms};
    problem = store_file_read_head(bytes, &trailer, &file->summary);
    if (problem)
        return problem;
    return file_check_term(bytes + STORE_FILE_HEAD_BYTES + trailer.summary_size, trailer.content_size,
                           trailer.content_check, &file->content);
}

/* --- JSON --- */

struct json_output {
    struct buffer piece;
    size_t too_deep;
    store_file_take *take;
    void *owner;
};

static void file_give(struct json_output *output)
{
    output->take(output->owner, buffer_bytes(&output->piece), output->piece.size);
    buffer_truncate(&output->piece, 0);
}

static void file_write_text(struct json_output *output, const char *text)
{
    buffer_append(&output->piece, text, strlen(text));
}

static void file_write_term(struct json_output *output, struct term term)
{
    struct term_json *writer = term_json_new(term);
    while (term_json_next(writer, JSON_PIECE_BYTES, &output->piece))
        file_give(output);
    output->too_deep += term_json_too_deep(writer);
    term_json_free(writer);
}

static void file_write_member(struct json_output *output, const char *name, struct term value)
{
    file_write_text(output, ",\"");
    file_write_text(output, name);
    file_write_text(output, "\":");
    file_write_term(output, value);
}

void store_file_write_json(const struct store_file *file, const struct store_json *json,
                           store_file_take *take, void *owner)
{
    struct json_output output = {.take = take, .owner = owner};
    struct store_parts parts = {.outcome = TERM_ATOM("nil"),
                                .reason = TERM_ATOM("nil"),
                                .report = TERM_ATOM("nil"),
                                .summary = file->summary};
    char id[40];
    if (!json->take_apart)
        parts.report = file->content;
    else
        json->take_apart(file->state == STORE_FINISHED ? STORE_FINISHED : STORE_INTERRUPTED,
                         file->ended_at_ms, file->summary, file->content, &parts);
    file_write_text(&output, "{\"outcome\":");
    file_write_term(&output, parts.outcome);
    snprintf(id, sizeof(id), ",\"run_id\":%" PRIu64, file->id);
    file_write_text(&output, id);
    file_write_member(&output, "reason", parts.reason);
    if (json->has_summary) {
        file_write_text(&output, ",\"state\":\"");
        file_write_text(&output, state_names[file->state]);
        file_write_text(&output, "\"");
        file_write_member(&output, "summary", parts.summary);
    }
    file_write_member(&output, "report", parts.report);
    term_json_warn(output.too_deep, &output.piece);
    file_write_text(&output, "}\n");
    file_give(&output);
    buffer_free(&output.piece);
    term_build_free(&parts.built);
    term_build_free(&parts.built_summary);
}
