#include "node/request.h"

#include <assert.h>
#include <stdlib.h>

#include "base/blob.h"
#include "base/map.h"
#include "node/large_answers.h"
#include "node/request_work.h"
#include "open_calls_private.h"
#include "term/term_read.h"

/* From this size on an answer is not copied to be sent. */
#define REQUEST_LONG_ANSWER_BYTES (64 * 1024)

/* What stands before the value in each form's answer. */
static void request_open_erpc(struct request *request, const char *outcome)
{
    term_build_tuple(&request->answer, 3);
    term_build_term(&request->answer, request->tag);
    term_build_atom(&request->answer, outcome);
}

static void request_open_call(struct request *request, const char *outcome)
{
    (void)outcome;
    term_build_tuple(&request->answer, 2);
    term_build_term(&request->answer, request->tag);
}

static void request_open_rex_send(struct request *request, const char *outcome)
{
    (void)outcome;
    term_build_tuple(&request->answer, 2);
    term_build_atom(&request->answer, "rex");
}

/* [{error_info, #{cause => Advice}}], where OTP has what more there is to say of an exception. */
static void request_build_advice(struct term_builder *answer, const char *advice)
{
    term_build_list(answer, 1);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error_info");
    term_build_map(answer, 1);
    term_build_atom(answer, "cause");
    term_build_text(answer, advice);
    term_build_nil(answer);
}

void request_build_stack(const struct request *request, const char *advice, struct term_builder *builder)
{
    term_build_list(builder, 1);
    term_build_tuple(builder, 4);
    term_build_term(builder, request->module.data ? request->module : TERM_ATOM("harness"));
    term_build_term(builder, request->function);
    if (request->held)
        term_build_unsigned(builder, request->arity);
    else
        term_build_term(builder, request->argument_list);
    if (advice)
        request_build_advice(builder, advice);
    else
        term_build_nil(builder);
    term_build_nil(builder);
}

/* {Res, error, Reason, Stack} */
static void request_raise_erpc(struct request *request, struct term reason, struct term stack)
{
    struct term_builder *answer = &request->answer;
    term_build_tuple(answer, 4);
    term_build_term(answer, request->tag);
    term_build_atom(answer, "error");
    term_build_term(answer, reason);
    term_build_term(answer, stack);
}

static void request_undefined_erpc(struct request *request, const char *advice)
{
    struct term_builder *answer = &request->answer;
    term_build_tuple(answer, 4);
    term_build_term(answer, request->tag);
    term_build_atom(answer, "error");
    term_build_atom(answer, "undef");
    request_build_stack(request, advice, &request->answer);
}

/* {error, {exception, Reason, Stack}} */
static void request_raise_call(struct request *request, struct term reason, struct term stack)
{
    struct term_builder *answer = &request->answer;
    request_open_call(request, NULL);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error");
    term_build_tuple(answer, 3);
    term_build_atom(answer, "exception");
    term_build_term(answer, reason);
    term_build_term(answer, stack);
}

/* {error, {undef, {Function, Arity}}}: no place for advice. */
static void request_undefined_call(struct request *request, const char *advice)
{
    (void)advice;
    struct term_builder *answer = &request->answer;
    request_open_call(request, NULL);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error");
    term_build_tuple(answer, 2);
    term_build_atom(answer, "undef");
    term_build_tuple(answer, 2);
    term_build_term(answer, request->function);
    term_build_unsigned(answer, request->arity);
}

static void request_open_badrpc(struct request *request)
{
    struct term_builder *answer = &request->answer;
    if (request->form == REQUEST_REX_SEND)
        request_open_rex_send(request, NULL);
    else
        request_open_call(request, NULL);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "badrpc");
    term_build_tuple(answer, 2);
    term_build_atom(answer, "EXIT");
    term_build_tuple(answer, 2);
}

/* {badrpc, {'EXIT', {Reason, Stack}}} */
static void request_raise_rex(struct request *request, struct term reason, struct term stack)
{
    request_open_badrpc(request);
    term_build_term(&request->answer, reason);
    term_build_term(&request->answer, stack);
}

static void request_undefined_rex(struct request *request, const char *advice)
{
    request_open_badrpc(request);
    term_build_atom(&request->answer, "undef");
    request_build_stack(request, advice, &request->answer);
}

/* An erpc request has a process of its own, whose exit reason is the answer. */
static void request_send_exit(struct request *request, struct term answer, struct blob *held)
{
    process_exit_held(request->process, answer, held);
}

static void request_send_nothing(struct request *request, struct term answer, struct blob *held)
{
    (void)answer;
    (void)held;
    if (request->form == REQUEST_ERPC_CAST)
        process_exit_atom(request->process, "normal");
}

/* The reference behind [alias | Reference]. */
static bool request_read_alias(struct term tag, struct term *alias)
{
    struct term_list list;
    struct term element;
    if (!term_list_start(&list, tag) || list.count != 1 || !term_list_next(&list, &element) ||
        !term_is_atom(element, "alias"))
        return false;
    *alias = (struct term){list.next, (size_t)(tag.data + tag.size - list.next)};
    return term_type(*alias) == TERM_REFERENCE;
}

/* A tag may name an alias, as gen:reply/2 knows it: [alias | Reference] or [[alias | Reference] | Any]. */
static bool request_tag_alias(struct term tag, struct term *alias)
{
    struct term_list list;
    struct term element;
    return request_read_alias(tag, alias) ||
           (term_list_start(&list, tag) && term_list_next(&list, &element) &&
            request_read_alias(element, alias));
}

/* What one caller gets is in order; a long answer to one keeps no other one waiting. */
static uint64_t request_reply_sender(struct term caller)
{
    return map_hash(caller.data, caller.size) | 1ULL << 63;
}

/* To the alias that the tag names, or to the caller. */
static void request_send_reply(struct request *request, struct term answer, struct blob *held)
{
    struct peer *peer = node_peer_of(request->node, request->caller);
    struct control control = {.operation = CONTROL_SEND,
                              .from = process_pid(request->process),
                              .to = request->caller,
                              .held = held};
    struct term alias;
    if (request_tag_alias(request->tag, &alias)) {
        control.operation = CONTROL_ALIAS_SEND;
        control.to = alias;
    }
    if (peer)
        (void)peer_send(peer, request_reply_sender(request->caller), &control, answer);
}

static void request_send_message(struct request *request, struct term answer, struct blob *held)
{
    struct control control = {.operation = CONTROL_SEND,
                              .from = process_pid(request->process),
                              .to = request->caller,
                              .held = held};
    struct peer *peer = node_peer_of(request->node, request->caller);
    if (peer)
        (void)peer_send(peer, process_sender(request->process), &control, answer);
}

static const struct form {
    bool answered;
    void (*open)(struct request *request, const char *outcome);
    void (*raise)(struct request *request, struct term reason, struct term stack);
    void (*undefined)(struct request *request, const char *advice);
    void (*send)(struct request *request, struct term answer, struct blob *held);
} forms[] = {
    [REQUEST_ERPC] = {true, request_open_erpc, request_raise_erpc, request_undefined_erpc, request_send_exit},
    [REQUEST_ERPC_CAST] = {false, request_open_erpc, request_raise_erpc, request_undefined_erpc,
                           request_send_nothing},
    [REQUEST_CALL] = {true, request_open_call, request_raise_call, request_undefined_call,
                      request_send_reply},
    [REQUEST_CAST] = {false, request_open_call, request_raise_call, request_undefined_call,
                      request_send_nothing},
    [REQUEST_REX_CALL] = {true, request_open_call, request_raise_rex, request_undefined_rex,
                          request_send_reply},
    [REQUEST_REX_SEND] = {true, request_open_rex_send, request_raise_rex, request_undefined_rex,
                          request_send_message},
};

bool request_expects_answer(const struct request *request)
{
    return forms[request->form].answered;
}

bool request_is_wanted(const struct request *request)
{
    return !request->is_abandoned || !request_expects_answer(request);
}

void request_abandon(struct request *request)
{
    request->is_abandoned = true;
    if (request->abandoned)
        request->abandoned(request->owner);
}

/* gen:call/3 tags a call with the reference of its monitor, which is an alias where there are any. */
struct term request_monitor(const struct request *request)
{
    struct term tag = request->tag;
    if (request_tag_alias(request->tag, &tag) || term_type(tag) == TERM_REFERENCE)
        return tag;
    return (struct term){0};
}

struct term_builder *request_answer(struct request *request)
{
    term_build_reset(&request->answer);
    forms[request->form].open(request, "return");
    request->value_at = request->answer.bytes.size;
    return &request->answer;
}

static void request_tell_answer(const struct request *request, struct term answer)
{
    size_t at = request->value_at;
    request->answering(request->answering_owner, request,
                       at ? (struct term){answer.data + at, answer.size - at} : (struct term){0});
}

void request_return(struct request *request)
{
    struct term answer = {0};
    bool done = term_build_done(&request->answer, &answer);
    assert(done);
    if (request->answering)
        request_tell_answer(request, answer);
    struct blob *held = answer.size > REQUEST_LONG_ANSWER_BYTES
                            ? blob_take(&request->answer.bytes, node_loop(request->node))
                            : NULL;
    forms[request->form].send(request, answer, held);
    blob_release(held);
    request_settle(request);
    large_answers_leave(request);
    open_calls_remove(request);
    term_build_free(&request->answer);
    blob_release(request->held);
    free(request->bytes);
    free(request);
}

void request_drop(struct request *request)
{
    request->answering = NULL;
    request->form = request->form == REQUEST_ERPC ? REQUEST_ERPC_CAST : REQUEST_CAST;
    term_build_nil(request_answer(request));
    request_return(request);
}

void request_answer_busy(struct request *request, const char *what)
{
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error");
    term_build_tuple(answer, 2);
    term_build_atom(answer, "busy");
    term_build_atom(answer, what);
    request_return(request);
}

void request_fail(struct request *request, struct term reason, struct term stack)
{
    term_build_reset(&request->answer);
    request->value_at = 0;
    forms[request->form].raise(request, reason, stack);
}

void request_raise(struct request *request, struct term reason, struct term stack)
{
    request_fail(request, reason, stack);
    request_return(request);
}

void request_raise_too_large(struct request *request, struct term too_large)
{
    struct term_builder reason = {0}, stack = {0};
    struct term parts[2];
    int64_t limit = 0;
    const struct peer *peer = node_peer_of(request->node, request->caller);
    const size_t whole = peer ? peer_frame_bytes(peer) : 0;
    bool read = term_read_tuple_of(too_large, 2, parts) && term_read_integer(parts[1], &limit);
    assert(read);
    const bool is_share = (uint64_t)limit < whole;
    term_build_tuple(&reason, 2);
    term_build_term(&reason, parts[0]);
    term_build_map(&reason, is_share ? 3 : 2);
    term_build_key(&reason, "key");
    term_build_text(&reason, CONN_FRAME_BYTES_KEY);
    term_build_key(&reason, "limit");
    term_build_term(&reason, parts[1]);
    if (is_share) {
        term_build_key(&reason, "of");
        term_build_unsigned(&reason, whole);
    }
    term_build_nil(&stack);
    request_raise(request, term_built(&reason), term_built(&stack));
    term_build_free(&reason);
    term_build_free(&stack);
}

void request_undefined(struct request *request, const char *advice)
{
    term_build_reset(&request->answer);
    forms[request->form].undefined(request, advice);
    request_return(request);
}
