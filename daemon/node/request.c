#include "node/request.h"

#include <assert.h>
#include <stdlib.h>

#include "term/term_read.h"

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

/* The stack trace of a call of a function that is not there, [{Module, Function, Arguments, Location}]. */
static void request_build_undefined_stack(struct request *request, const char *advice)
{
    struct term_builder *answer = &request->answer;
    term_build_list(answer, 1);
    term_build_tuple(answer, 4);
    term_build_term(answer, request->module);
    term_build_term(answer, request->function);
    term_build_term(answer, request->argument_list);
    if (advice)
        request_build_advice(answer, advice);
    else
        term_build_nil(answer);
    term_build_nil(answer);
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
    request_build_undefined_stack(request, advice);
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
    request_build_undefined_stack(request, advice);
}

/* An erpc request has a process of its own, whose exit reason is the answer. */
static void request_send_exit(struct request *request, struct term answer)
{
    process_exit(request->process, answer);
}

static void request_send_nothing(struct request *request, struct term answer)
{
    (void)answer;
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
    uint64_t hash = 1469598103934665603ULL; /* FNV-1a */
    for (size_t i = 0; i < caller.size; i++)
        hash = (hash ^ caller.data[i]) * 1099511628211ULL;
    return hash | 1ULL << 63;
}

/* To the alias that the tag names, or to the caller. */
static void request_send_reply(struct request *request, struct term answer)
{
    struct peer *peer = node_peer_of(request->node, request->caller);
    struct control control = {
        .operation = CONTROL_SEND, .from = process_pid(request->process), .to = request->caller};
    struct term alias;
    if (request_tag_alias(request->tag, &alias)) {
        control.operation = CONTROL_ALIAS_SEND;
        control.to = alias;
    }
    if (peer)
        (void)peer_send(peer, request_reply_sender(request->caller), &control, answer);
}

static void request_send_message(struct request *request, struct term answer)
{
    (void)node_send(request->node, request->process, request->caller, answer);
}

static const struct form {
    bool answered;
    void (*open)(struct request *request, const char *outcome);
    void (*raise)(struct request *request, struct term reason, struct term stack);
    void (*undefined)(struct request *request, const char *advice);
    void (*send)(struct request *request, struct term answer);
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

/* gen:call/3 tags a call with the reference of its monitor, which is an alias where there are any. */
bool request_is_monitored_by(const struct request *request, struct term reference)
{
    struct term tag = request->tag;
    (void)request_tag_alias(request->tag, &tag);
    return term_same(tag, reference);
}

struct term_builder *request_answer(struct request *request)
{
    term_build_reset(&request->answer);
    forms[request->form].open(request, "return");
    return &request->answer;
}

void request_return(struct request *request)
{
    struct term answer = {0};
    bool done = term_build_done(&request->answer, &answer);
    assert(done);
    forms[request->form].send(request, answer);
    if (request->open_link) {
        *request->open_link = request->next_open;
        if (request->next_open)
            request->next_open->open_link = request->open_link;
    }
    term_build_free(&request->answer);
    free(request->bytes);
    free(request);
}

void request_raise(struct request *request, struct term reason, struct term stack)
{
    term_build_reset(&request->answer);
    forms[request->form].raise(request, reason, stack);
    request_return(request);
}

void request_undefined(struct request *request, const char *advice)
{
    term_build_reset(&request->answer);
    forms[request->form].undefined(request, advice);
    request_return(request);
}
