#include "log_output_private.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/memory.h"
#include "log_writer_private.h"

/* What the end waits for who reads the log. */
#define END_NS CLOCK_NS_PER_S

static struct {
    FILE *file;
    struct log_writer *writer; /* NULL: whoever logs writes to the file */
} log_output;

void log_output_set_file(FILE *file)
{
    log_output.file = file;
}

void log_output_put(bool matters, const char *text, size_t size)
{
    FILE *file = log_output.file ? log_output.file : stderr;
    if (!log_output.writer) {
        fwrite(text, 1, size, file);
        fflush(file);
        return;
    }
    for (size_t piece; size; text += piece, size -= piece) {
        piece = size < LOG_PIECE_BYTES ? size : LOG_PIECE_BYTES;
        log_writer_put(log_output.writer, matters, text, piece);
    }
}

uint64_t log_output_take_lost(bool now)
{
    return log_output.writer ? log_writer_take_lost(log_output.writer, now) : 0;
}

uint64_t log_lost(void)
{
    return log_output.writer ? log_writer_lost(log_output.writer) : 0;
}

void log_start(int descriptor)
{
    if (!log_output.writer)
        log_output.writer = log_writer_start(descriptor);
    if (!log_output.writer)
        log_warning("cannot start the thread of the log");
}

bool log_flush(void)
{
    log_settle(true);
    return !log_output.writer || log_writer_wait(log_output.writer, END_NS);
}

/* Of a thread that still waits for who reads, the end of the process is the end. */
void log_stop(void)
{
    if (!log_flush() || !log_output.writer)
        return;
    log_writer_end(log_output.writer);
    log_output.writer = NULL;
}

void log_plain(const void *text, size_t size)
{
    log_output_put(true, text, size);
}

void log_print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = memory_format_list(format, arguments);
    va_end(arguments);
    log_plain(text, strlen(text));
    free(text);
}

/* --- Crashes --- */

/* The default is back, and the process dies of it when this returns. */
static void log_output_on_crash(int number)
{
    if (log_output.writer)
        log_writer_wait_in_handler(log_output.writer, END_NS);
    (void)raise(number);
}

/* A sanitizer that watches already stays. */
void log_watch_crashes(void)
{
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction action = {.sa_handler = log_output_on_crash, .sa_flags = (int)SA_RESETHAND};
    struct sigaction before;
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            (void)sigaction(numbers[i], &action, NULL);
}
