#include "node/io_server.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "io_text_private.h"
#include "node/rpc_out.h"
#include "term/term_long.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* A node has so long to format something. */
#define IO_FORMAT_NS (5 * CLOCK_NS_PER_S)

/* Characters that a node formats something in, as far as it can: about what a value of the log may have. */
#define IO_FORMAT_CHARACTERS 1000

/* Reports that nodes are formatting; those beyond them are shown as the terms that they are. Of output there
 * is never more than one of each process, as it waits for the answer. */
#define IO_REPORTS_MOST 64

/* Messages that are longer are shown at once, as the terms that they are, and as far as a line shows them:
 * they are neither kept nor given to a node. */
#define IO_KEPT_BYTES (1024 * 1024)

/* Of several requests in one message so many are done, which are more than the log has lines for in a second;
 * the others are counted. */
#define IO_REQUESTS_MOST 100

/* Values that are read to find what is behind them in one message, and in one request. */
#define IO_VALUES_MOST 250000
#define IO_REQUEST_VALUES_MOST 1000

/* What is asked for is answered with something of the asker's, which is no longer than this. */
#define IO_REPLY_AS_BYTES 1024

struct io_server {
    struct process *leader;
    struct process *logger;
    struct list jobs; /* that wait for a node */
    size_t reports;   /* of them */
};

/* A request of a process that prints, or a report. */
struct io_job {
    struct io_server *server;
    struct list_link link;
    struct rpc_call *call;
    char peer[NODE_NAME_BYTES + 1];
    struct buffer message; /* a copy */
    struct term body;      /* that, or the message that has just come when it is not kept */
    bool is_report;

    /* Of a request. */
    struct term from;
    struct term reply_as;
    struct term requests; /* the next one begins here */
    size_t left;          /* that many */
    size_t done;          /* of several in a list */
    size_t values;        /* that may still be read */
    bool is_cut;          /* the last request goes on behind its end */
    const char *problem;
};

static void io_job_free(struct io_job *job)
{
    if (job->call)
        rpc_call_cancel(job->call);
    list_remove(&job->server->jobs, &job->link);
    job->server->reports -= job->is_report;
    buffer_free(&job->message);
    free(job);
}

static struct io_job *io_job_new(struct io_server *server, const struct incoming *incoming)
{
    struct io_job *job = memory_zalloc(1, sizeof(*job));
    job->server = server;
    snprintf(job->peer, sizeof(job->peer), "%s", peer_name(incoming->peer));
    job->body = incoming->body;
    job->values = IO_VALUES_MOST;
    if (job->body.size <= IO_KEPT_BYTES) {
        term_keep(&job->message, incoming->body);
        job->body = term_of(&job->message);
    }
    list_append(&server->jobs, &job->link);
    return job;
}

/* Whether a node may be asked for something, and answer later. */
static bool io_job_may_wait(const struct io_job *job)
{
    return job->message.size > 0 && !job->is_cut;
}

/* The elements of a tuple. When more than `*values` values, which are fewer then, would have to be read to
 * find where one ends, that one goes on to the end of the tuple, and those behind it are without data. False
 * when it is no tuple, or has more elements. */
static bool io_read_tuple(struct term tuple, size_t capacity, size_t *values, struct term *parts,
                          size_t *arity)
{
    const struct term_head head = term_read_head(tuple.data);
    struct term rest = {tuple.data + head.size, tuple.size - head.size};
    if (term_type(tuple) != TERM_TUPLE || head.values > capacity)
        return false;
    memset(parts, 0, capacity * sizeof(*parts));
    *arity = head.values;
    for (size_t i = 0; i < *arity; i++) {
        parts[i] = rest;
        if (i + 1 == *arity || !term_long_first(rest, values, &parts[i]))
            break;
        rest = (struct term){rest.data + parts[i].size, rest.size - parts[i].size};
    }
    return true;
}

/* Has the node of who has sent it apply a function. False when there is none that could. */
static bool io_job_ask(struct io_job *job, const char *module, const char *function, struct term arguments,
                       rpc_done *done)
{
    const struct rpc_request request = {.node = job->peer,
                                        .module = module,
                                        .function = function,
                                        .arguments = arguments,
                                        .group_leader = process_pid(job->server->leader),
                                        .timeout_ns = IO_FORMAT_NS};
    job->call = rpc_call_start(job->server->leader, &request, done, job);
    return job->call != NULL;
}

/* The text that a term is, if it may be one, or that stands for it. */
static void io_job_write_text(struct term term, bool may_be_text, struct buffer *text)
{
    char words[1024];
    if (may_be_text && io_text_append(term, text))
        return;
    buffer_truncate(text, 0);
    term_text(term, words, sizeof(words));
    buffer_append(text, words, strlen(words));
}

static void io_job_log(const struct io_job *job, struct term term, bool may_be_text)
{
    struct buffer text = {0};
    io_job_write_text(term, may_be_text, &text);
    const uint8_t *bytes = buffer_bytes(&text);
    size_t size = text.size;
    while (size && bytes[size - 1] == '\n')
        size--;
    if (job->is_report)
        log_info("report of a process", log_string("peer", job->peer), log_bytes("report", bytes, size));
    else
        log_info("output", log_string("peer", job->peer), log_bytes("text", bytes, size));
    buffer_free(&text);
}

/* --- Output --- */

/* {io_reply, ReplyAs, ok | {error, Reason}} */
static void io_request_answer(const struct io_job *job)
{
    struct process *leader = job->server->leader;
    struct term_builder reply = {0};
    struct term message;
    term_build_tuple(&reply, 3);
    term_build_atom(&reply, "io_reply");
    term_build_term(&reply, job->reply_as);
    if (job->problem) {
        term_build_tuple(&reply, 2);
        term_build_atom(&reply, "error");
    }
    term_build_atom(&reply, job->problem ? job->problem : "ok");
    if (term_build_done(&reply, &message))
        (void)node_send(process_node(leader), leader, job->from, message);
    term_build_free(&reply);
}

/* There is no more to be done for those that are left. */
static void io_request_skip(struct io_job *job)
{
    if (job->left)
        log_info("output left out", log_string("peer", job->peer),
                 log_integer("requests", (int64_t)job->left));
    job->left = 0;
}

/* The next request of the job; false when there is none. */
static bool io_request_next(struct io_job *job, struct term *request)
{
    if (job->done == IO_REQUESTS_MOST)
        io_request_skip(job);
    if (!job->left)
        return false;
    job->done++;
    job->left--;
    *request = job->requests;
    if (term_long_first(job->requests, &job->values, request)) {
        job->requests.data += request->size;
        job->requests.size -= request->size;
    } else {
        job->is_cut = true;
        io_request_skip(job);
    }
    return true;
}

static void io_request_go_on(struct io_job *job);

static void io_request_formatted(void *owner, enum rpc_outcome outcome, struct term value)
{
    struct io_job *job = owner;
    job->call = NULL;
    if (outcome == RPC_RETURNED)
        io_job_log(job, value, true);
    else
        job->problem = outcome == RPC_RAISED ? "format" : "terminated";
    io_request_go_on(job);
}

/* What is printed as a function to apply is formatted where it was printed. io_lib:format/2 is asked for no
 * more than is shown. True when the node does so. */
static bool io_request_format(struct io_job *job, const struct term parts[3])
{
    char module[TERM_ATOM_BYTES + 1], function[TERM_ATOM_BYTES + 1];
    struct term_builder arguments = {0};
    struct term_list list;
    struct term argument, last;
    bool asked = term_read_atom(parts[0], module) && term_read_atom(parts[1], function) &&
                 term_list_start(&list, parts[2]);
    if (asked && strcmp(module, "io_lib") == 0 && strcmp(function, "format") == 0 && list.count == 2) {
        term_build_list(&arguments, 3);
        while (term_list_next(&list, &argument))
            term_build_term(&arguments, argument);
        term_build_list(&arguments, 1);
        term_build_tuple(&arguments, 2);
        term_build_atom(&arguments, "chars_limit");
        term_build_unsigned(&arguments, IO_FORMAT_CHARACTERS);
        term_build_nil(&arguments);
        term_build_nil(&arguments);
        last = term_built(&arguments);
    } else {
        last = parts[2];
    }
    asked = asked && io_job_ask(job, module, function, last, io_request_formatted);
    term_build_free(&arguments);
    return asked;
}

/* {put_chars, Encoding, Chars} | {put_chars, Encoding, Module, Function, Arguments}, and both without an
 * encoding. True when it waits for a node. */
static bool io_request_put(struct io_job *job, struct term request)
{
    struct term parts[5];
    size_t arity, values = IO_REQUEST_VALUES_MOST;
    if (!io_read_tuple(request, ARRAY_LENGTH(parts), &values, parts, &arity) || arity < 2 ||
        !term_is_atom(parts[0], "put_chars") || !parts[arity - 1].data) {
        job->problem = "enotsup";
    } else if (arity >= 4 && io_job_may_wait(job)) {
        if (io_request_format(job, &parts[arity - 3]))
            return true;
        job->problem = "format";
    } else {
        io_job_log(job, parts[arity - 1], arity < 4);
    }
    return false;
}

static void io_request_go_on(struct io_job *job)
{
    struct term request;
    while (io_request_next(job, &request))
        if (io_request_put(job, request))
            return;
    io_request_answer(job);
    io_job_free(job);
}

/* {requests, Requests} are several, in a list that is not empty. */
static void io_request_begin(struct io_job *job, struct term request)
{
    struct term several[2];
    struct term_list list;
    size_t arity;
    job->requests = request;
    job->left = 1;
    if (!io_read_tuple(request, 2, &job->values, several, &arity) || arity < 2 ||
        !term_is_atom(several[0], "requests") || !term_list_start(&list, several[1]) || list.string)
        return;
    job->left = list.count;
    job->requests = (struct term){list.next, (size_t)(request.data + request.size - list.next)};
}

/* {io_request, From, ReplyAs, Request} */
static void io_server_on_io_request(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)process;
    struct term parts[4];
    size_t arity;
    struct io_job *job = io_job_new(owner, incoming);
    if (!io_read_tuple(job->body, ARRAY_LENGTH(parts), &job->values, parts, &arity) || arity < 4 ||
        !parts[3].data || !term_is_atom(parts[0], "io_request") || term_type(parts[1]) != TERM_PID ||
        parts[2].size > IO_REPLY_AS_BYTES) {
        io_job_free(job);
        return;
    }
    job->from = parts[1];
    job->reply_as = parts[2];
    io_request_begin(job, parts[3]);
    io_request_go_on(job);
}

/* --- Reports --- */

/* A report is a map or a list of tuples; what is neither is a text. Of one that is kept. */
static bool io_report_is_text(struct term message)
{
    struct term_list list;
    struct term first;
    if (term_type(message) == TERM_MAP)
        return false;
    return !term_list_start(&list, message) || !term_list_next(&list, &first) ||
           term_type(first) != TERM_TUPLE;
}

/* As the event of a log has it: {Format, Arguments}, {report, Report} or {string, Text}. */
static void io_report_build_message(const struct term *parts, size_t arity, struct term_builder *builder)
{
    term_build_tuple(builder, 2);
    if (arity == 5)
        term_build_term(builder, parts[2]);
    else
        term_build_atom(builder, io_report_is_text(parts[2]) ? "string" : "report");
    term_build_term(builder, parts[arity - 2]);
}

static void io_report_formatted(void *owner, enum rpc_outcome outcome, struct term value)
{
    struct io_job *job = owner;
    struct term parts[5];
    size_t arity = 0;
    job->call = NULL;
    if (outcome == RPC_RETURNED)
        io_job_log(job, value, true);
    else if (term_read_tuple(job->body, ARRAY_LENGTH(parts), parts, &arity))
        io_job_log(job, parts[arity - 2], arity == 4);
    io_job_free(job);
}

/* As the node's own log has it: logger_formatter:format(Event, Configuration). */
static bool io_report_ask(struct io_job *job, const struct term *parts, size_t arity)
{
    struct term_builder arguments = {0};
    term_build_list(&arguments, 2);
    term_build_map(&arguments, 3);
    term_build_key(&arguments, "level");
    term_build_term(&arguments, parts[1]);
    term_build_key(&arguments, "meta");
    term_build_term(&arguments, parts[arity - 1]);
    term_build_key(&arguments, "msg");
    io_report_build_message(parts, arity, &arguments);
    term_build_map(&arguments, 3);
    term_build_key(&arguments, "chars_limit");
    term_build_unsigned(&arguments, IO_FORMAT_CHARACTERS);
    term_build_key(&arguments, "single_line");
    term_build_boolean(&arguments, true);
    term_build_key(&arguments, "template");
    term_build_list(&arguments, 1);
    term_build_atom(&arguments, "msg");
    term_build_nil(&arguments);
    term_build_nil(&arguments);
    bool asked = io_job_ask(job, "logger_formatter", "format", term_built(&arguments), io_report_formatted);
    term_build_free(&arguments);
    return asked;
}

/* {log, Level, Format, Arguments, Metadata} | {log, Level, ReportOrText, Metadata} */
static void io_server_on_log(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)process;
    struct io_server *server = owner;
    struct term parts[5];
    size_t arity;
    struct io_job *job = io_job_new(server, incoming);
    job->is_report = true;
    bool is_one_of_few = server->reports++ < IO_REPORTS_MOST;
    if (io_read_tuple(job->body, ARRAY_LENGTH(parts), &job->values, parts, &arity) && arity >= 4 &&
        term_is_atom(parts[0], "log") && parts[arity - 2].data) {
        if (is_one_of_few && io_job_may_wait(job) && parts[arity - 1].data &&
            io_report_ask(job, parts, arity))
            return;
        io_job_log(job, parts[arity - 2], arity == 4);
    }
    io_job_free(job);
}

/* --- The two processes --- */

/* What is too large is no output that is known: who waits for the answer gets an error. */
static const struct process_events leader_events = {.message = io_server_on_io_request,
                                                    .too_large = io_server_on_io_request};
static const struct process_events logger_events = {.message = io_server_on_log};

struct io_server *io_server_new(struct node *node)
{
    struct io_server *server = memory_zalloc(1, sizeof(*server));
    server->leader = process_spawn(node, &leader_events, server);
    server->logger = process_spawn(node, &logger_events, server);
    process_register(server->logger, "logger_proxy");
    return server;
}

void io_server_free(struct io_server *server)
{
    while (server->jobs.count)
        io_job_free(LIST_FIRST(&server->jobs, struct io_job, link));
    process_exit_atom(server->leader, "shutdown");
    process_exit_atom(server->logger, "shutdown");
    free(server);
}

struct term io_server_pid(const struct io_server *io_server)
{
    return process_pid(io_server->leader);
}
