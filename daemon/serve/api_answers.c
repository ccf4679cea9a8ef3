#include <stdarg.h>
#include <stdio.h>

#include "api_private.h"

#define MESSAGE_BYTES 512

void answer_error(struct request *request, const char *reason)
{
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error");
    term_build_atom(answer, reason);
    request_return(request);
}

void answer_error_of(struct request *request, const char *kind, const char *what)
{
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error");
    term_build_tuple(answer, 2);
    term_build_atom(answer, kind);
    term_build_atom(answer, what);
    request_return(request);
}

void answer_error_text(struct request *request, const char *kind, const char *text)
{
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "error");
    term_build_tuple(answer, 2);
    term_build_atom(answer, kind);
    term_build_text(answer, text);
    request_return(request);
}

void answer_badarg(struct request *request, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    answer_error_text(request, "badarg", message);
}

void answer_atom(struct request *request, const char *atom)
{
    term_build_atom(request_answer(request), atom);
    request_return(request);
}
