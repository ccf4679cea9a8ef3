// A node whose one process answers each call after a time that is known, and keeps when it got each and when
// it answered: what harnessd measures can be held against that, without a capture.
//
//     reflector --node NAME@HOST --cookie-file FILE --delay fixed:US | exponential:MEAN_US |
//     bimodal:US:US:SHARE
//
// ei makes the connection; it then reads frames by itself. It answers as many clients as one connection has,
// and ends when that is closed. Prints `ready creation=C id=I serial=S port=P` when it can be connected to,
// and at the end one line:
//     calls=N p50_us=A p90_us=B p99_us=C p999_us=D late_p99_us=E
// of the times from when its kernel had got the call to right before the answer was written; `late` is by how
// much that was later than it should have been.

#include <ei.h>
#include <ei_connect.h>

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

enum {
    PASS_THROUGH = 112,
    READ_BYTES = 65536,
    FRAME_MOST = 1 << 20,
    SPIN_NS = 60000, // a wait ends so long before it is due: the rest is spent looking at the clock
    REPLY_BYTES = 256,
};

struct delay {
    enum { DELAY_FIXED, DELAY_EXPONENTIAL, DELAY_BIMODAL } kind;
    double us[2];
    double share; // of the second
};

struct waiting {
    uint64_t due_ns;
    uint64_t got_ns;
    uint32_t tag;
    uint8_t to[128]; // the caller's pid, a term
    size_t to_size;
};

struct reflector {
    int descriptor;
    erlang_pid self;
    struct delay delay;
    uint64_t random;
    struct waiting *heap; // the one that is due first is the first
    size_t count;
    size_t room;
    uint8_t input[READ_BYTES + FRAME_MOST];
    size_t input_size;
    double *times_us;
    double *late_us;
    size_t answered;
    size_t answered_room;
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("reflector: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void *grow(void *memory, size_t bytes)
{
    memory = realloc(memory, bytes);
    if (!memory)
        fail("out of memory");
    return memory;
}

static uint64_t clock_of(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// --- Delays ---

// From 0 to 1 (xorshift64*).
static double random_unit(struct reflector *reflector)
{
    reflector->random ^= reflector->random >> 12;
    reflector->random ^= reflector->random << 25;
    reflector->random ^= reflector->random >> 27;
    return (double)(reflector->random * 0x2545F4914F6CDD1Dull >> 11) / 9007199254740992.0;
}

static uint64_t delay_draw_ns(struct reflector *reflector)
{
    const struct delay *delay = &reflector->delay;
    double us = delay->us[0];
    if (delay->kind == DELAY_EXPONENTIAL)
        us *= -log(1 - random_unit(reflector));
    else if (delay->kind == DELAY_BIMODAL && random_unit(reflector) < delay->share)
        us = delay->us[1];
    return (uint64_t)(us * 1e3);
}

static struct delay delay_read(const char *text)
{
    struct delay delay = {.kind = DELAY_FIXED};
    if (sscanf(text, "fixed:%lf", &delay.us[0]) == 1)
        return delay;
    delay.kind = DELAY_EXPONENTIAL;
    if (sscanf(text, "exponential:%lf", &delay.us[0]) == 1)
        return delay;
    delay.kind = DELAY_BIMODAL;
    if (sscanf(text, "bimodal:%lf:%lf:%lf", &delay.us[0], &delay.us[1], &delay.share) == 3)
        return delay;
    fail("no such delay: %s", text);
}

// --- What waits for its answer ---

static void heap_swap(struct waiting *a, struct waiting *b)
{
    struct waiting kept = *a;
    *a = *b;
    *b = kept;
}

static void heap_add(struct reflector *reflector, struct waiting waiting)
{
    if (reflector->count == reflector->room) {
        reflector->room = reflector->room ? 2 * reflector->room : 256;
        reflector->heap = grow(reflector->heap, reflector->room * sizeof(waiting));
    }
    size_t at = reflector->count++;
    reflector->heap[at] = waiting;
    for (; at && reflector->heap[(at - 1) / 2].due_ns > reflector->heap[at].due_ns; at = (at - 1) / 2)
        heap_swap(&reflector->heap[(at - 1) / 2], &reflector->heap[at]);
}

static struct waiting heap_take(struct reflector *reflector)
{
    struct waiting first = reflector->heap[0];
    struct waiting *heap = reflector->heap;
    heap[0] = heap[--reflector->count];
    for (size_t at = 0, child; (child = 2 * at + 1) < reflector->count; at = child) {
        child += child + 1 < reflector->count && heap[child + 1].due_ns < heap[child].due_ns;
        if (heap[at].due_ns <= heap[child].due_ns)
            break;
        heap_swap(&heap[at], &heap[child]);
    }
    return first;
}

// --- Answers ---

static void write_all(int descriptor, const uint8_t *bytes, size_t size)
{
    while (size) {
        ssize_t written = write(descriptor, bytes, size);
        if (written < 0 && errno != EINTR)
            fail("write: %s", strerror(errno));
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
}

static void note(struct reflector *reflector, double took_us, double late_us)
{
    if (reflector->answered == reflector->answered_room) {
        reflector->answered_room = reflector->answered_room ? 2 * reflector->answered_room : 65536;
        reflector->times_us = grow(reflector->times_us, reflector->answered_room * sizeof(double));
        reflector->late_us = grow(reflector->late_us, reflector->answered_room * sizeof(double));
    }
    reflector->times_us[reflector->answered] = took_us;
    reflector->late_us[reflector->answered++] = late_us;
}

// {2, '', To} and {Tag, pong}
static void answer(struct reflector *reflector, const struct waiting *waiting)
{
    static const uint8_t control[] = {PASS_THROUGH, 131, 'h', 3, 'a', 2, 'w', 0};
    static const uint8_t pong[] = {'w', 4, 'p', 'o', 'n', 'g'};
    uint8_t frame[REPLY_BYTES] = {0};
    size_t size = 4;
    memcpy(frame + size, control, sizeof(control));
    size += sizeof(control);
    memcpy(frame + size, waiting->to, waiting->to_size);
    size += waiting->to_size;
    const uint8_t tag[] = {131,
                           'h',
                           2,
                           'b',
                           (uint8_t)(waiting->tag >> 24),
                           (uint8_t)(waiting->tag >> 16),
                           (uint8_t)(waiting->tag >> 8),
                           (uint8_t)waiting->tag};
    memcpy(frame + size, tag, sizeof(tag));
    size += sizeof(tag);
    memcpy(frame + size, pong, sizeof(pong));
    size += sizeof(pong);
    frame[3] = (uint8_t)(size - 4);
    uint64_t now_ns = clock_of(CLOCK_MONOTONIC);
    write_all(reflector->descriptor, frame, size);
    note(reflector, (double)(now_ns - waiting->got_ns) / 1e3, (double)(now_ns - waiting->due_ns) / 1e3);
}

static void take_frame(struct reflector *reflector, const uint8_t *frame, size_t size, uint64_t got_ns)
{
    static const uint8_t tick[4];
    struct waiting waiting = {.got_ns = got_ns};
    struct wire_reader from;
    if (!size)
        write_all(reflector->descriptor, tick, sizeof(tick));
    if (!size || wire_frame(frame, size, &waiting.tag, &from) != WIRE_CALL)
        return;
    if (from.left > sizeof(waiting.to))
        fail("a pid of %zu bytes", from.left);
    memcpy(waiting.to, from.at, from.left);
    waiting.to_size = from.left;
    waiting.due_ns = got_ns + delay_draw_ns(reflector);
    heap_add(reflector, waiting);
}

// When what was read has come, by the kernel's stamp, on the monotonic clock; now, where there is none.
static uint64_t arrival_ns(struct msghdr *message)
{
    uint64_t now_ns = clock_of(CLOCK_MONOTONIC), wall_ns = clock_of(CLOCK_REALTIME);
    for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each; each = CMSG_NXTHDR(message, each)) {
        struct scm_timestamping stamps;
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_TIMESTAMPING)
            continue;
        memcpy(&stamps, CMSG_DATA(each), sizeof(stamps));
        uint64_t stamp_ns = (uint64_t)stamps.ts[0].tv_sec * 1000000000u + (uint64_t)stamps.ts[0].tv_nsec;
        if (stamp_ns && stamp_ns <= wall_ns)
            return now_ns - (wall_ns - stamp_ns);
    }
    return now_ns;
}

// False at the end of the connection.
static bool read_some(struct reflector *reflector)
{
    char told[CMSG_SPACE(sizeof(struct scm_timestamping))];
    struct iovec room = {.iov_base = reflector->input + reflector->input_size, .iov_len = READ_BYTES};
    struct msghdr message = {
        .msg_iov = &room, .msg_iovlen = 1, .msg_control = told, .msg_controllen = sizeof(told)};
    ssize_t got = recvmsg(reflector->descriptor, &message, 0);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    uint64_t got_ns = arrival_ns(&message);
    reflector->input_size += (size_t)got;
    size_t taken = 0;
    while (reflector->input_size - taken >= 4) {
        const uint8_t *frame = reflector->input + taken;
        size_t size = (size_t)frame[0] << 24 | (size_t)frame[1] << 16 | (size_t)frame[2] << 8 | frame[3];
        if (size > FRAME_MOST)
            fail("a frame of %zu bytes", size);
        if (reflector->input_size - taken - 4 < size)
            break;
        take_frame(reflector, frame + 4, size, got_ns);
        taken += 4 + size;
    }
    reflector->input_size -= taken;
    memmove(reflector->input, reflector->input + taken, reflector->input_size);
    return true;
}

static void reflect(struct reflector *reflector)
{
    for (;;) {
        uint64_t now_ns = clock_of(CLOCK_MONOTONIC);
        while (reflector->count && reflector->heap[0].due_ns <= now_ns) {
            struct waiting waiting = heap_take(reflector);
            answer(reflector, &waiting);
            now_ns = clock_of(CLOCK_MONOTONIC);
        }
        uint64_t wait_ns = reflector->count ? reflector->heap[0].due_ns - now_ns : 1000000000u;
        wait_ns = wait_ns > SPIN_NS ? wait_ns - SPIN_NS : 0;
        struct timespec timeout = {.tv_sec = (time_t)(wait_ns / 1000000000u),
                                   .tv_nsec = (long)(wait_ns % 1000000000u)};
        struct pollfd poll = {.fd = reflector->descriptor, .events = POLLIN};
        if (ppoll(&poll, 1, &timeout, NULL) > 0 && !read_some(reflector))
            return;
    }
}

// --- Beginning and end ---

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile(const double *sorted, size_t count, double part)
{
    size_t index = (size_t)(part * (double)count);
    return sorted[index < count ? index : count - 1];
}

static void print_times(struct reflector *reflector)
{
    size_t count = reflector->answered;
    if (!count)
        fail("nobody has called");
    qsort(reflector->times_us, count, sizeof(double), compare);
    qsort(reflector->late_us, count, sizeof(double), compare);
    printf("calls=%zu p50_us=%.2f p90_us=%.2f p99_us=%.2f p999_us=%.2f late_p99_us=%.2f\n", count,
           quantile(reflector->times_us, count, 0.5), quantile(reflector->times_us, count, 0.9),
           quantile(reflector->times_us, count, 0.99), quantile(reflector->times_us, count, 0.999),
           quantile(reflector->late_us, count, 0.99));
}

static void listen_and_accept(struct reflector *reflector, const char *name, const char *cookie)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    char alive[64];
    ei_cnode node;
    ErlConnect peer;
    snprintf(alive, sizeof(alive), "%.*s", (int)strcspn(name, "@"), name);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        fail("cannot listen: %s", strerror(errno));
    if (ei_init() != 0 ||
        ei_connect_xinit(&node, "127.0.0.1", alive, name, &address.sin_addr, cookie, (short)getpid()) != 0)
        fail("cannot set up a node");
    int epmd = ei_publish(&node, ntohs(address.sin_port));
    if (epmd < 0)
        fail("epmd does not take the name");
    reflector->self = *ei_self(&node);
    printf("ready creation=%u id=%u serial=%u port=%u\n", reflector->self.creation, reflector->self.num,
           reflector->self.serial, ntohs(address.sin_port));
    fflush(stdout);
    reflector->descriptor = ei_accept(&node, listener, &peer);
    if (reflector->descriptor < 0)
        fail("cannot accept: %s", strerror(erl_errno));
    close(listener);
}

static void set_up_socket(int descriptor)
{
    const int on = 1, stamps = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        setsockopt(descriptor, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)) != 0)
        fail("cannot set up the socket: %s", strerror(errno));
}

static void read_cookie(const char *name, char *cookie, size_t size)
{
    FILE *file = fopen(name, "r");
    if (!file || !fgets(cookie, (int)size, file))
        fail("cannot read a cookie from %s", name);
    fclose(file);
    cookie[strcspn(cookie, "\r\n")] = '\0';
}

int main(int count, char **arguments)
{
    static const struct option known[] = {{"node", required_argument, NULL, 'n'},
                                          {"cookie-file", required_argument, NULL, 'k'},
                                          {"delay", required_argument, NULL, 'd'},
                                          {NULL, 0, NULL, 0}};
    static struct reflector reflector = {.random = 88172645463325252ull};
    const char *name = NULL, *cookie_file = NULL, *delay = NULL;
    char cookie[256] = "";
    for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;) {
        if (option == 'n')
            name = optarg;
        else if (option == 'k')
            cookie_file = optarg;
        else if (option == 'd')
            delay = optarg;
        else
            return 2;
    }
    if (!name || !cookie_file || !delay) {
        fputs("usage: reflector --node NAME@HOST --cookie-file FILE --delay DELAY\n", stderr);
        return 2;
    }
    reflector.delay = delay_read(delay);
    read_cookie(cookie_file, cookie, sizeof(cookie));
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    listen_and_accept(&reflector, name, cookie);
    set_up_socket(reflector.descriptor);
    reflect(&reflector);
    print_times(&reflector);
    return 0;
}
