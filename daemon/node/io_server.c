#include "node/io_server.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "term/term_read.h"
#include "term/term_text.h"

struct io_server {
    struct process *leader;
    struct process *logger;
};

/* Appends a leaf of chardata, as unicode:chardata() is. False when it is none. */
static bool io_server_append_characters(struct term leaf, struct buffer *text)
{
    const uint8_t *data;
    size_t size;
    int64_t character;
    uint8_t bytes[4];
    struct term_list string;
    struct term element;
    if (term_read_binary(leaf, &data, &size)) {
        buffer_append(text, data, size);
    } else if (term_read_integer(leaf, &character)) {
        if (character < 0 || character > 0x10ffff)
            return false;
        buffer_append(text, bytes, utf8_encode((uint32_t)character, bytes));
    } else {
        if (!term_list_start(&string, leaf))
            return false;
        while (term_list_next(&string, &element))
            if (!io_server_append_characters(element, text))
                return false;
    }
    return true;
}

/* What a list has inside follows it, so that one walk over its bytes meets all leaves in their order. */
static bool io_server_append_chardata(struct term chardata, struct buffer *text)
{
    const uint8_t *at = chardata.data, *end = chardata.data + chardata.size;
    while (at < end) {
        struct term_head head = term_read_head(at);
        bool is_list = *at == TERM_TAG_LIST;
        if (!is_list && (head.values || !io_server_append_characters((struct term){at, head.size}, text)))
            return false;
        at += head.size;
    }
    return true;
}

static void io_server_log_output(const struct incoming *incoming, struct term output)
{
    struct buffer text = {0};
    char words[1024];
    if (!io_server_append_chardata(output, &text)) {
        term_text(output, words, sizeof(words));
        buffer_free(&text);
        buffer_append(&text, words, strlen(words));
    }
    const uint8_t *bytes = buffer_bytes(&text);
    size_t size = text.size;
    while (size && bytes[size - 1] == '\n')
        size--;
    log_info("output", log_string("peer", peer_name(incoming->peer)), log_bytes("text", bytes, size));
    buffer_free(&text);
}

/* Puts out one request; false when it is none that puts something out. */
static bool io_server_put(const struct incoming *incoming, struct term request)
{
    struct term parts[5];
    size_t arity;
    if (!term_read_tuple(request, ARRAY_LENGTH(parts), parts, &arity) || arity < 2 ||
        !term_is_atom(parts[0], "put_chars"))
        return false;
    /* {put_chars, Encoding, Chars} | {put_chars, Encoding, Module, Function, Arguments} | {put_chars, Chars}
     */
    if (arity == 5)
        io_server_log_output(incoming, parts[4]);
    else
        io_server_log_output(incoming, parts[arity - 1]);
    return true;
}

static bool io_server_put_all(const struct incoming *incoming, struct term request)
{
    struct term parts[2], one;
    struct term_list list;
    if (!term_read_tuple_of(request, 2, parts) || !term_is_atom(parts[0], "requests") ||
        !term_list_start(&list, parts[1]))
        return io_server_put(incoming, request);
    bool all = true;
    while (term_list_next(&list, &one))
        all = io_server_put(incoming, one) && all;
    return all;
}

/* {io_request, From, ReplyAs, Request} */
static void io_server_on_io_request(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)owner;
    struct term parts[4];
    if (!term_read_tuple_of(incoming->body, 4, parts) || !term_is_atom(parts[0], "io_request") ||
        term_type(parts[1]) != TERM_PID)
        return;
    struct term_builder reply = {0};
    struct term message;
    term_build_tuple(&reply, 3);
    term_build_atom(&reply, "io_reply");
    term_build_term(&reply, parts[2]);
    if (io_server_put_all(incoming, parts[3])) {
        term_build_atom(&reply, "ok");
    } else {
        term_build_tuple(&reply, 2);
        term_build_atom(&reply, "error");
        term_build_atom(&reply, "enotsup");
    }
    if (term_build_done(&reply, &message))
        (void)node_send(process_node(process), process, parts[1], message);
    term_build_free(&reply);
}

/* {log, Level, Format, Arguments, Metadata} | {log, Level, Report, Metadata} */
static void io_server_on_log(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)owner;
    (void)process;
    struct term parts[5];
    size_t arity;
    char text[1024];
    if (!term_read_tuple(incoming->body, ARRAY_LENGTH(parts), parts, &arity) || arity < 4 ||
        !term_is_atom(parts[0], "log"))
        return;
    term_text(parts[arity - 2], text, sizeof(text));
    log_info("report of a process", log_string("peer", peer_name(incoming->peer)),
             log_string("report", text));
}

static const struct process_events leader_events = {.message = io_server_on_io_request};
static const struct process_events logger_events = {.message = io_server_on_log};

struct io_server *io_server_new(struct node *node)
{
    struct io_server *io_server = memory_zalloc(1, sizeof(*io_server));
    io_server->leader = process_spawn(node, &leader_events, io_server);
    io_server->logger = process_spawn(node, &logger_events, io_server);
    process_register(io_server->logger, "logger_proxy");
    return io_server;
}

void io_server_free(struct io_server *io_server)
{
    process_exit_atom(io_server->leader, "shutdown");
    process_exit_atom(io_server->logger, "shutdown");
    free(io_server);
}

struct term io_server_pid(const struct io_server *io_server)
{
    return process_pid(io_server->leader);
}
