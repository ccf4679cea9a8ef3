// The limit that harnessd is measured against: replays one ready-made gen_server call over the raw socket.
//
// ei makes the connection (EPMD and handshake, blocking); after that there are no terms any more, only bytes.
// One frame is encoded at the start and sent as it is for every call, its tag is always the same small
// integer. Replies are counted by walking over the frame lengths; for each read there is one write of as many
// requests as replies came. Casts are written as fast as the socket takes them, and counted until the server
// has handled all of them, which a call behind the last one tells.
//
// Prints one line:   calls_per_s=R cpu_us_per_call=C
// with one call in flight:                            and median_us=M mean_us=A
// with casts:        casts_per_s=R cpu_us_per_cast=C

#include <ei.h>
#include <ei_connect.h>

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    PASS_THROUGH = 112, // type byte of a frame to a peer that was not offered fragments
    REG_SEND = 6,       // {6, FromPid, Unused, ToName}
    CALL_TAG = 1,
    IN_FLIGHT_DEFAULT = 256,
    IN_FLIGHT_MAXIMUM = 4096, // a window of requests has to fit into the socket's buffers: writes block
    READ_BYTES = 65536,
    SILENCE_SECONDS = 10, // a server that does not answer for so long is an error
    SAMPLES_MAXIMUM = 2000000,
};

struct options {
    const char *node;
    const char *cookie_file;
    const char *server;
    size_t in_flight;
    uint64_t calls; // 0: for as long as `seconds` says
    double seconds;
    bool casts;
};

// Where the walk over the incoming frames stands, and what it found since the last look.
struct frame_walk {
    uint32_t length;       // of the frame, as far as its bytes were read
    uint32_t body_left;    // bytes of the current frame's body still to come
    unsigned header_bytes; // of the length, 0 to 3
    size_t replies;
    size_t ticks;
};

struct round_trips {
    uint32_t *nanoseconds;
    size_t count;
};

struct result {
    uint64_t operations;
    double seconds;
    double cpu_seconds;
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("raw_client: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t now_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void usage(void)
{
    fputs("usage: raw_client --node NAME@HOST --cookie-file FILE --server NAME\n"
          "                  [--in-flight N] [--seconds S | --calls N] [--casts]\n",
          stderr);
    exit(2);
}

static double option_number(const char *name, const char *text, double minimum, double maximum)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number >= minimum && number <= maximum)) {
        fprintf(stderr, "raw_client: --%s wants a number from %g to %g\n", name, minimum, maximum);
        exit(2);
    }
    return number;
}

static struct options options_read(int count, char **arguments)
{
    static const struct option known[] = {
        {"node", required_argument, NULL, 'n'},    {"cookie-file", required_argument, NULL, 'k'},
        {"server", required_argument, NULL, 's'},  {"in-flight", required_argument, NULL, 'f'},
        {"seconds", required_argument, NULL, 't'}, {"calls", required_argument, NULL, 'c'},
        {"casts", no_argument, NULL, 'o'},         {NULL, 0, NULL, 0},
    };
    struct options options = {.in_flight = IN_FLIGHT_DEFAULT, .seconds = 3};
    int option;
    while ((option = getopt_long(count, arguments, "", known, NULL)) != -1) {
        switch (option) {
        case 'n':
            options.node = optarg;
            break;
        case 'k':
            options.cookie_file = optarg;
            break;
        case 's':
            options.server = optarg;
            break;
        case 'f':
            options.in_flight = (size_t)option_number("in-flight", optarg, 1, IN_FLIGHT_MAXIMUM);
            break;
        case 't':
            options.seconds = option_number("seconds", optarg, 0.01, 3600);
            break;
        case 'c':
            options.calls = (uint64_t)option_number("calls", optarg, 1, 1e12);
            break;
        case 'o':
            options.casts = true;
            break;
        default:
            usage();
        }
    }
    if (optind != count || !options.node || !options.cookie_file || !options.server) {
        usage();
    }
    return options;
}

// A blocking socket to the node, its handshake done; `self` becomes the pid that calls come from.
static int node_connect(const struct options *options, erlang_pid *self)
{
    char cookie[256] = "";
    FILE *file = fopen(options->cookie_file, "r");
    if (!file || !fgets(cookie, sizeof cookie, file)) {
        fail("cannot read a cookie from %s", options->cookie_file);
    }
    fclose(file);
    cookie[strcspn(cookie, "\r\n")] = '\0';

    char alive[32];
    char name[64];
    struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    snprintf(alive, sizeof alive, "raw%ld", (long)getpid());
    snprintf(name, sizeof name, "%s@127.0.0.1", alive);
    ei_cnode node;
    if (ei_init() != 0 || ei_connect_xinit(&node, "127.0.0.1", alive, name, &loopback, cookie, 1) != 0) {
        fail("cannot set up a node");
    }
    int descriptor = ei_connect(&node, (char *)options->node);
    if (descriptor < 0) {
        fail("cannot connect to %s: %s", options->node, strerror(erl_errno));
    }
    const int on = 1;
    const struct timeval silence = {.tv_sec = SILENCE_SECONDS};
    if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence) != 0) {
        fail("cannot set up the socket: %s", strerror(errno));
    }
    *self = *ei_self(&node);
    return descriptor;
}

// Begins a frame to the server: length, type, control tuple.
static void frame_open(ei_x_buff *frame, const erlang_pid *self, const char *server)
{
    static const char header[5] = {0, 0, 0, 0, PASS_THROUGH};
    if (ei_x_new(frame) || ei_x_append_buf(frame, header, sizeof header) || ei_x_encode_version(frame) ||
        ei_x_encode_tuple_header(frame, 4) || ei_x_encode_long(frame, REG_SEND) ||
        ei_x_encode_pid(frame, self) || ei_x_encode_atom(frame, "") || ei_x_encode_atom(frame, server) ||
        ei_x_encode_version(frame)) {
        fail("cannot encode a control message");
    }
}

static void frame_close(ei_x_buff *frame)
{
    uint32_t length = htonl((uint32_t)frame->index - 4);
    memcpy(frame->buff, &length, sizeof length);
}

// The frame of one `gen_server:call(Server, ping)`.
static ei_x_buff call_frame(const erlang_pid *self, const char *server)
{
    ei_x_buff frame;
    frame_open(&frame, self, server);
    if (ei_x_encode_tuple_header(&frame, 3) || ei_x_encode_atom(&frame, "$gen_call") ||
        ei_x_encode_tuple_header(&frame, 2) || ei_x_encode_pid(&frame, self) ||
        ei_x_encode_long(&frame, CALL_TAG) || ei_x_encode_atom(&frame, "ping")) {
        fail("cannot encode a call");
    }
    frame_close(&frame);
    return frame;
}

// The frame of one `gen_server:cast(Server, tick)`.
static ei_x_buff cast_frame(const erlang_pid *self, const char *server)
{
    ei_x_buff frame;
    frame_open(&frame, self, server);
    if (ei_x_encode_tuple_header(&frame, 2) || ei_x_encode_atom(&frame, "$gen_cast") ||
        ei_x_encode_atom(&frame, "tick")) {
        fail("cannot encode a cast");
    }
    frame_close(&frame);
    return frame;
}

// As many copies of the request as may be in flight, in one piece, so that any batch is one write.
static char *window_create(const ei_x_buff *frame, size_t copies)
{
    size_t bytes = (size_t)frame->index;
    char *window = malloc(bytes * copies);
    if (!window) {
        fail("out of memory");
    }
    for (size_t copy = 0; copy < copies; copy++) {
        memcpy(window + copy * bytes, frame->buff, bytes);
    }
    return window;
}

static void write_all(int descriptor, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, bytes, size);
        if (written < 0 && errno != EINTR) {
            fail("write: %s", strerror(errno));
        }
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
}

static size_t read_some(int descriptor, unsigned char *buffer, size_t size)
{
    for (;;) {
        ssize_t got = read(descriptor, buffer, size);
        if (got > 0) {
            return (size_t)got;
        }
        if (got == 0) {
            fail("the node closed the connection");
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            fail("no answer for %d s", SILENCE_SECONDS);
        }
        if (errno != EINTR) {
            fail("read: %s", strerror(errno));
        }
    }
}

// Counts the frames that end in these bytes; the state lives on from read to read.
static void frame_walk_over(struct frame_walk *walk, const unsigned char *bytes, size_t size)
{
    size_t position = 0;
    while (position < size) {
        if (walk->body_left > 0) {
            size_t step = size - position < walk->body_left ? size - position : walk->body_left;
            position += step;
            walk->body_left -= (uint32_t)step;
            walk->replies += walk->body_left == 0;
            continue;
        }
        walk->length = walk->length << 8 | bytes[position++];
        if (++walk->header_bytes == 4) {
            walk->ticks += walk->length == 0;
            walk->body_left = walk->length;
            walk->header_bytes = 0;
            walk->length = 0;
        }
    }
}

static void round_trips_add(struct round_trips *trips, uint64_t nanoseconds)
{
    if (trips->count < SAMPLES_MAXIMUM) {
        trips->nanoseconds[trips->count++] = nanoseconds < UINT32_MAX ? (uint32_t)nanoseconds : UINT32_MAX;
    }
}

// Keeps the window full until calls or time are used up, then waits for what is still in flight. Round trips
// are taken when `trips` is given, which is right for one call in flight only.
static struct result replay(int descriptor, const ei_x_buff *frame, const struct options *options,
                            struct round_trips *trips)
{
    static unsigned char buffer[READ_BYTES];
    size_t request_bytes = (size_t)frame->index;
    char *window = window_create(frame, options->in_flight);
    struct frame_walk walk = {0};
    uint64_t limit = options->calls > 0 ? options->calls : UINT64_MAX;
    double cpu_before = cpu_seconds();
    uint64_t start = now_nanoseconds();
    uint64_t deadline = options->calls > 0 ? UINT64_MAX : start + (uint64_t)(options->seconds * 1e9);

    uint64_t sent = options->in_flight < limit ? options->in_flight : limit;
    uint64_t received = 0;
    uint64_t now = start;
    write_all(descriptor, window, (size_t)sent * request_bytes);
    while (received < sent) {
        size_t size = read_some(descriptor, buffer, sizeof buffer);
        frame_walk_over(&walk, buffer, size);
        uint64_t before = now;
        now = now_nanoseconds();
        size_t replies = walk.replies;
        received += replies;
        if (trips && replies > 0) {
            round_trips_add(trips, now - before);
        }
        if (walk.ticks > 0) {
            write_all(descriptor, "\0\0\0\0", 4);
        }
        uint64_t next = now >= deadline ? 0 : replies < limit - sent ? replies : limit - sent;
        write_all(descriptor, window, (size_t)next * request_bytes);
        sent += next;
        walk.replies = 0;
        walk.ticks = 0;
    }
    free(window);
    return (struct result){.operations = received,
                           .seconds = (double)(now - start) / 1e9,
                           .cpu_seconds = cpu_seconds() - cpu_before};
}

// Reads until a reply has come; ticks are answered.
static void await_reply(int descriptor, unsigned char *buffer, size_t size)
{
    struct frame_walk walk = {0};
    while (walk.replies == 0) {
        frame_walk_over(&walk, buffer, read_some(descriptor, buffer, size));
        if (walk.ticks > 0) {
            write_all(descriptor, "\0\0\0\0", 4);
        }
        walk.ticks = 0;
    }
}

// Writes casts until the time is used up, then makes a call, which is answered when all were handled.
static struct result replay_casts(int descriptor, const ei_x_buff *cast, const ei_x_buff *call,
                                  const struct options *options)
{
    static unsigned char buffer[READ_BYTES];
    char *window = window_create(cast, options->in_flight);
    double cpu_before = cpu_seconds();
    uint64_t start = now_nanoseconds();
    uint64_t deadline = start + (uint64_t)(options->seconds * 1e9);
    uint64_t casts = 0;
    while (now_nanoseconds() < deadline) {
        write_all(descriptor, window, options->in_flight * (size_t)cast->index);
        casts += options->in_flight;
    }
    write_all(descriptor, call->buff, (size_t)call->index);
    await_reply(descriptor, buffer, sizeof buffer);
    free(window);
    return (struct result){.operations = casts,
                           .seconds = (double)(now_nanoseconds() - start) / 1e9,
                           .cpu_seconds = cpu_seconds() - cpu_before};
}

static int compare_samples(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void round_trips_print(struct round_trips *trips)
{
    double sum = 0;
    for (size_t index = 0; index < trips->count; index++) {
        sum += trips->nanoseconds[index];
    }
    qsort(trips->nanoseconds, trips->count, sizeof *trips->nanoseconds, compare_samples);
    double median =
        ((double)trips->nanoseconds[(trips->count - 1) / 2] + trips->nanoseconds[trips->count / 2]) / 2;
    printf(" median_us=%.1f mean_us=%.1f", median / 1e3, sum / (double)trips->count / 1e3);
}

static void result_print(const struct result *result, const char *operation)
{
    printf("%ss_per_s=%.1f cpu_us_per_%s=%.3f", operation, (double)result->operations / result->seconds,
           operation, result->cpu_seconds * 1e6 / (double)result->operations);
}

int main(int argument_count, char **arguments)
{
    struct options options = options_read(argument_count, arguments);
    struct round_trips trips = {.nanoseconds = NULL};
    if (options.in_flight == 1) {
        trips.nanoseconds = malloc(SAMPLES_MAXIMUM * sizeof *trips.nanoseconds);
        if (!trips.nanoseconds) {
            fail("out of memory");
        }
    }
    erlang_pid self;
    int descriptor = node_connect(&options, &self);
    ei_x_buff call = call_frame(&self, options.server);
    ei_x_buff cast = cast_frame(&self, options.server);
    struct result result = options.casts
                               ? replay_casts(descriptor, &cast, &call, &options)
                               : replay(descriptor, &call, &options, trips.nanoseconds ? &trips : NULL);
    result_print(&result, options.casts ? "cast" : "call");
    if (trips.count > 0) {
        round_trips_print(&trips);
    }
    putchar('\n');
    ei_x_free(&call);
    ei_x_free(&cast);
    free(trips.nanoseconds);
    close(descriptor);
    return 0;
}
