#include "remote_shell_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "node/large_answers.h"
#include "term/term_read.h"

/* A shell that was not told that its words are printed ends after that. */
#define REMOTE_SHELL_NS (5 * CLOCK_NS_PER_S)

/* A shell that says its sentence and ends. */
struct remote_shell {
    struct process *process;
    struct loop_timer timer;
    struct loop_task reap;
};

/* To be freed. */
static char *remote_shell_sentence(const struct request *request)
{
    const char *node = node_name(request->node);
    return memory_format(
        "%s is harnessd, a program in C: no shell can run on it. Call it from a shell of a node of your "
        "own: IO.puts(:erpc.call(:\"%s\", :harness, :help, [])) in iex, "
        "io:put_chars(erpc:call('%s', harness, help, [erlang])) in erl.\n",
        node, node, node);
}

static void remote_shell_reap(void *owner)
{
    struct remote_shell *shell = owner;
    loop_timer_free(&shell->timer);
    free(shell);
}

static void remote_shell_end(void *owner)
{
    struct remote_shell *shell = owner;
    if (!shell->process)
        return;
    struct loop *loop = node_loop(process_node(shell->process));
    process_exit_atom(shell->process, "normal");
    shell->process = NULL;
    loop_defer(loop, &shell->reap);
}

/* The answer of who prints, or that who has started it is gone. */
static void remote_shell_on_message(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)process;
    (void)incoming;
    remote_shell_end(owner);
}

static void remote_shell_on_exit(void *owner, struct process *process, struct term from, struct term reason)
{
    (void)process;
    (void)from;
    (void)reason;
    remote_shell_end(owner);
}

static const struct process_events remote_shell_events = {.message = remote_shell_on_message,
                                                          .exit = remote_shell_on_exit};

/* {io_request, From, ReplyAs, {put_chars, unicode, Text}} */
static void remote_shell_print(struct process *process, struct term leader, const char *text)
{
    struct term_builder builder = {0};
    struct term message;
    term_build_tuple(&builder, 4);
    term_build_atom(&builder, "io_request");
    term_build_term(&builder, process_pid(process));
    term_build_atom(&builder, "harness");
    term_build_tuple(&builder, 3);
    term_build_atom(&builder, "put_chars");
    term_build_atom(&builder, "unicode");
    term_build_text(&builder, text);
    if (term_build_done(&builder, &message))
        (void)node_send(process_node(process), process, leader, message);
    term_build_free(&builder);
}

/* shell:start() and iex:start(...), by which the group of a shell has it run here. */
static bool remote_shell_start(struct request *request)
{
    if (!request->group_leader.data)
        return false;
    struct remote_shell *shell = memory_zalloc(1, sizeof(*shell));
    struct loop *loop = node_loop(request->node);
    char *sentence = remote_shell_sentence(request);
    shell->process = process_spawn(request->node, &remote_shell_events, shell);
    shell->reap = (struct loop_task){.run = remote_shell_reap, .owner = shell};
    loop_timer_init(&shell->timer, loop, remote_shell_end, shell);
    loop_timer_set(&shell->timer, REMOTE_SHELL_NS);
    log_info("remote shell refused", log_string("peer", request->peer));
    remote_shell_print(shell->process, request->group_leader, sentence);
    term_build_term(request_answer(request), process_pid(shell->process));
    request_return(request);
    free(sentence);
    return true;
}

/* Whether the module of the shell is there. IEx of Elixir before 1.15 shows why a call has failed. */
static bool remote_shell_ensure_loaded(struct request *request)
{
    struct term module = request->arguments[0];
    if (term_is_atom(module, "Elixir.IEx")) {
        char *sentence = remote_shell_sentence(request);
        struct term_builder *answer = request_answer(request);
        term_build_tuple(answer, 2);
        term_build_atom(answer, "badrpc");
        term_build_text(answer, sentence);
        free(sentence);
    } else if (term_is_atom(module, "shell") || term_is_atom(module, "iex")) {
        struct term_builder *answer = request_answer(request);
        term_build_tuple(answer, 2);
        term_build_atom(answer, "module");
        term_build_term(answer, module);
    } else {
        return false;
    }
    request_return(request);
    return true;
}

/* application:get_env(stdlib, shell_slogan | ..., Default) */
static bool remote_shell_get_env(struct request *request)
{
    if (!term_is_atom(request->arguments[0], "stdlib"))
        return false;
    (void)request_answer(request);
    request_return_with(request, request->arguments[2], request->held);
    return true;
}

/* erlang:system_info(Item): `system_version` becomes the slogan; by `otp_release`, a list of digits, the node
 * of the shell decides what it may call here, and asks the least of the oldest. */
static bool remote_shell_system_info(struct request *request)
{
    static const char release[] = "25";
    if (term_is_atom(request->arguments[0], "system_version")) {
        term_build_text(request_answer(request), "harnessd");
    } else if (term_is_atom(request->arguments[0], "otp_release")) {
        struct term_builder *answer = request_answer(request);
        term_build_list(answer, strlen(release));
        for (const char *digit = release; *digit; digit++)
            term_build_integer(answer, *digit);
        term_build_nil(answer);
    } else {
        return false;
    }
    request_return(request);
    return true;
}

/* net_kernel:get_net_ticktime(), which the node of the shell takes over. */
static bool remote_shell_ticktime(struct request *request)
{
    term_build_unsigned(request_answer(request), peers_ticktime_s(node_peers(request->node)));
    request_return(request);
    return true;
}

static const struct remote_shell_function {
    const char *module;
    const char *function;
    size_t arity;
    bool (*serve)(struct request *request); /* false: these arguments are none of a shell */
} functions[] = {
    {"code", "ensure_loaded", 1, remote_shell_ensure_loaded},
    {"application", "get_env", 3, remote_shell_get_env},
    {"erlang", "system_info", 1, remote_shell_system_info},
    {"net_kernel", "get_net_ticktime", 0, remote_shell_ticktime},
    {"shell", "start", 0, remote_shell_start},
    {"iex", "start", 0, remote_shell_start},
    {"iex", "start", 1, remote_shell_start},
    {"iex", "start", 2, remote_shell_start},
};

bool remote_shell_serve(struct request *request)
{
    for (size_t i = 0; i < ARRAY_LENGTH(functions); i++)
        if (request->arity == functions[i].arity && request->module.data &&
            term_is_atom(request->module, functions[i].module) &&
            term_is_atom(request->function, functions[i].function))
            return functions[i].serve(request);
    return false;
}
