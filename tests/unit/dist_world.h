/* A world for connections: a clock of the test, and nodes at the other end that the test plays, over real
 * sockets. It waits for what happens, never for a time. */
#ifndef HARNESSD_TESTS_DIST_WORLD_H
#define HARNESSD_TESTS_DIST_WORLD_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "term_from_text.h"
#include "world_clock.h"

#include "base/bytes.h"
#include "dist/conn.h"
#include "dist/flags.h"
#include "message_private.h"

#define MS CLOCK_NS_PER_MS
#define APP "app@target" /* the node of $p */
#define COOKIE "secret"

struct world {
    struct loop loop;
    struct handshake_identity identity; /* of the node that is tested */
};

/* A node at the other end of one connection. */
struct far {
    struct world *world;
    int descriptor;
    struct event *readable;
    struct buffer input;
    bool ended; /* nothing more comes */
    struct handshake_identity identity;
    struct handshake handshake;
    enum handshake_verdict verdict; /* when it is the acceptor */
    struct message_reader reader;
    struct buffer frame; /* that was read last */
    struct atom_writer atoms;
    size_t ticks;
};

static inline void world_start(struct world *world)
{
    *world = (struct world){.identity = {OWN, COOKIE, FLAGS_OFFERED, 7}};
    loop_init(&world->loop);
}

static inline void world_end(struct world *world)
{
    loop_finish(&world->loop);
    loop_free(&world->loop);
    assert_int_equal(world_clock.count, 0);
}

static inline void world_stuck(evutil_socket_t descriptor, short events, void *argument)
{
    (void)descriptor;
    (void)events;
    (void)argument;
    fail_msg("nothing happens any more");
}

/* One pass; a test that waits for what will not come fails. */
static inline void world_pass(struct world *world)
{
    struct timeval patience = {.tv_sec = 60};
    struct event *guard = evtimer_new(world->loop.base, world_stuck, NULL);
    evtimer_add(guard, &patience);
    loop_run_pass(&world->loop);
    event_free(guard);
}

#define WORLD_UNTIL(world, condition)                                                                        \
    while (!(condition))                                                                                     \
    world_pass(world)

/* --- Sockets --- */

/* Two ends of one connection, both non-blocking. */
static inline void world_pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

/* A socket of 127.0.0.1 on a port that is free, which takes connections when `listening`. */
static inline int world_listen(struct resolve_address *address, bool listening)
{
    struct sockaddr_in *inet = (struct sockaddr_in *)&address->address;
    *address = (struct resolve_address){.size = sizeof(*inet)};
    *inet = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)inet, address->size), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)inet, &address->size), 0);
    if (listening)
        assert_int_equal(listen(descriptor, 8), 0);
    return descriptor;
}

static inline int world_accept(int listener)
{
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(descriptor >= 0);
    return descriptor;
}

/* The same over TCP: the first of them was accepted. */
static inline void world_tcp_pair(int ends[2])
{
    struct resolve_address address;
    int listener = world_listen(&address, true);
    ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ends[1], (struct sockaddr *)&address.address, address.size), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    ends[0] = world_accept(listener);
    close(listener);
}

/* --- Nodes at the other end --- */

static inline void far_on_readable(evutil_socket_t descriptor, short events, void *argument)
{
    (void)events;
    struct far *far = argument;
    ssize_t got = read(descriptor, buffer_reserve(&far->input, 65536), 65536);
    if (got > 0) {
        buffer_grow(&far->input, (size_t)got);
    } else {
        far->ended = true;
        event_del(far->readable);
    }
}

static inline void far_open(struct far *far, struct world *world, int descriptor, const char *name)
{
    *far = (struct far){.world = world, .descriptor = descriptor};
    far->identity = (struct handshake_identity){
        .node = name, .cookie = COOKIE, .flags = FLAGS_OFFERED & ~FLAG_DIST_HDR_ATOM_CACHE, .creation = 3};
    message_reader_init(&far->reader, SIZE_MAX);
    far->readable = event_new(world->loop.base, descriptor, EV_READ | EV_PERSIST, far_on_readable, far);
    event_add(far->readable, NULL);
}

static inline void far_close(struct far *far)
{
    event_free(far->readable);
    close(far->descriptor);
    buffer_free(&far->input);
    buffer_free(&far->frame);
    message_reader_free(&far->reader);
    atom_writer_free(&far->atoms);
    *far = (struct far){.descriptor = -1};
}

static inline void far_write(struct far *far, const void *data, size_t size)
{
    assert_int_equal(write(far->descriptor, data, size), size);
}

static inline enum handshake_verdict far_judge(void *owner, const char *peer)
{
    const struct far *far = owner;
    assert_string_equal(peer, far->world->identity.node);
    return far->verdict;
}

static inline void far_accept(struct far *far)
{
    handshake_accept(&far->handshake, &far->identity, 2, far_judge, far);
}

static inline void far_flush(struct far *far, struct buffer *output)
{
    far_write(far, buffer_bytes(output), output->size);
    buffer_free(output);
}

static inline void far_initiate(struct far *far)
{
    struct buffer output = {0};
    handshake_initiate(&far->handshake, &far->identity, 2, far->world->identity.node, &output);
    far_flush(far, &output);
}

/* Waits for the next message of a handshake. */
static inline size_t far_take(struct far *far, uint8_t message[HANDSHAKE_MESSAGE_BYTES])
{
    WORLD_UNTIL(far->world,
                far->input.size >= 2 && far->input.size - 2 >= bytes_get16(buffer_bytes(&far->input)))
        ;
    size_t size = bytes_get16(buffer_bytes(&far->input));
    memcpy(message, buffer_bytes(&far->input) + 2, size);
    buffer_consume(&far->input, 2 + size);
    return size;
}

/* Takes a message and answers it. */
static inline void far_step(struct far *far)
{
    uint8_t message[HANDSHAKE_MESSAGE_BYTES];
    struct buffer output = {0};
    size_t size = far_take(far, message);
    handshake_input(&far->handshake, message, size, &output);
    if (output.size)
        far_flush(far, &output);
}

static inline void far_shake(struct far *far)
{
    while (far->handshake.state != HANDSHAKE_DONE && far->handshake.state != HANDSHAKE_FAILED)
        far_step(far);
}

static inline void far_expect_status(struct far *far, const char *status)
{
    uint8_t message[HANDSHAKE_MESSAGE_BYTES];
    size_t size = far_take(far, message);
    assert_int_equal(message[0], 's');
    assert_int_equal(size, 1 + strlen(status));
    assert_memory_equal(message + 1, status, size - 1);
}

static inline uint64_t far_flags(const struct far *far)
{
    return far->identity.flags & far->world->identity.flags;
}

static inline void far_send_term(struct far *far, struct term control, struct term payload)
{
    struct buffer output = {0};
    message_append(&output, far_flags(far), &far->atoms, control, payload);
    far_flush(far, &output);
}

/* `payload` NULL is none. */
static inline void far_send(struct far *far, const char *control, const char *payload)
{
    struct term_builder parts[2] = {0};
    struct term none = {0};
    far_send_term(far, term_from_text(&parts[0], control),
                  payload ? term_from_text(&parts[1], payload) : none);
    term_build_free(&parts[0]);
    term_build_free(&parts[1]);
}

/* Waits for the next message, whole; what is handed out is good until the next call. */
static inline void far_receive(struct far *far, struct term *control, struct term *payload)
{
    const char *problem;
    enum message_result result = MESSAGE_PARTIAL;
    far->reader.refers = far_flags(far) & FLAG_DIST_HDR_ATOM_CACHE;
    while (result == MESSAGE_PARTIAL) {
        WORLD_UNTIL(far->world,
                    far->input.size >= 4 && far->input.size - 4 >= bytes_get32(buffer_bytes(&far->input)))
            ;
        size_t size = bytes_get32(buffer_bytes(&far->input));
        buffer_free(&far->frame);
        buffer_append(&far->frame, buffer_bytes(&far->input) + 4, size);
        buffer_consume(&far->input, 4 + size);
        far->ticks += !size;
        if (size)
            result = message_read(&far->reader, buffer_bytes(&far->frame), size, control, payload, &problem);
        while (result == MESSAGE_LONG)
            result = message_go_on(&far->reader, 1000, control, payload, &problem);
    }
    assert_int_equal(result, MESSAGE_READY);
}

#endif
