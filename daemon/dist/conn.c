#include "dist/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "dist/flags.h"
#include "input_private.h"
#include "outbox_private.h"
#include "term/term_text.h"

/* What one pass writes to one peer at most, so that a long report leaves room for everybody else. */
#define WRITE_BYTES (256 * 1024)

/* What the frames of one peer, or what is skipped of them, may take of a pass, and after how many, or how
 * much, it is looked. */
#define FRAMES_NS (500 * CLOCK_NS_PER_US)
#define FRAMES_A_LOOK 16
#define FRAMES_LOOK_BYTES (16 * 1024)

/* What one pass reads of a long message from one peer, and how often it looks at the clock. */
#define LONG_NS (250 * CLOCK_NS_PER_US)
#define LONG_VALUES 2000

/* Ticks in a ticktime, as the kernel parameter net_tickintensity has it by default. */
#define TICKS 4

struct conn {
    enum conn_state state;
    const struct conn_settings *settings;
    struct transport transport;
    struct event *readable;
    struct event *writable;
    struct loop_timer timer; /* the setup's deadline, then the ticks */
    struct loop_task flush;
    struct loop_task read_on; /* in a long message, while nothing else is read */
    struct loop_task reap;
    struct handshake handshake;
    uint64_t flags; /* negotiated */
    struct input input;
    struct message_reader reader;
    struct outbox outbox;
    uint64_t last_read_ns;
    bool accepted;
    bool is_busy; /* with a long message; what comes behind it waits */
    bool sent_since_tick;
    bool has_written; /* since conn_has_written() was called */
    bool write_waits; /* for the socket to take more */
    bool congested;
    bool overrun; /* more waits than the limit: it is closed at the end of the pass */
    enum conn_limit limit;
    char address[64];
    void *data;
};

enum conn_state conn_state(const struct conn *conn)
{
    return conn->state;
}

const char *conn_peer(const struct conn *conn)
{
    return conn->handshake.peer;
}

bool conn_was_accepted(const struct conn *conn)
{
    return conn->accepted;
}

uint64_t conn_flags(const struct conn *conn)
{
    return conn->flags;
}

bool conn_waits_for_peer(const struct conn *conn)
{
    return conn->handshake.wait_for_peer;
}

bool conn_found_namesake(const struct conn *conn)
{
    return conn->handshake.found_namesake;
}

bool conn_has_yielded(const struct conn *conn)
{
    return conn->handshake.yielded;
}

enum conn_limit conn_limit(const struct conn *conn)
{
    return conn->limit;
}

void conn_set_data(struct conn *conn, void *data)
{
    conn->data = data;
}

void *conn_data(const struct conn *conn)
{
    return conn->data;
}

size_t conn_queued_bytes(const struct conn *conn)
{
    return outbox_size(&conn->outbox);
}

bool conn_has_written(struct conn *conn)
{
    bool has_written = conn->has_written;
    conn->has_written = false;
    return has_written;
}

size_t conn_frame_bytes(const struct conn *conn)
{
    return conn->reader.limit;
}

bool conn_is_congested(const struct conn *conn)
{
    return conn->congested;
}

static size_t conn_congested_bytes(const struct conn *conn)
{
    size_t part = conn->settings->queued_bytes / 4;
    return part < CONN_CONGESTED_BYTES ? part : CONN_CONGESTED_BYTES;
}

static void conn_reap(void *owner)
{
    struct conn *conn = owner;
    event_free(conn->readable);
    event_free(conn->writable);
    loop_timer_free(&conn->timer);
    input_free(&conn->input);
    message_reader_free(&conn->reader);
    outbox_free(&conn->outbox);
    free(conn);
}

void conn_close(struct conn *conn, const char *format, ...)
{
    if (conn->state == CONN_CLOSING)
        return;
    char reason[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    enum conn_state was = conn->state;
    conn->state = CONN_CLOSING;
    if (was == CONN_UP)
        log_info("connection closed", log_string("peer", conn_peer(conn)), log_string("reason", reason));
    else
        log_warning(was == CONN_DIALLING ? "connection failed" : "handshake failed",
                    log_string("peer", conn_peer(conn)), log_string("address", conn->address),
                    log_string("reason", reason));
    event_del(conn->readable);
    event_del(conn->writable);
    loop_timer_stop(&conn->timer);
    loop_cancel(conn->settings->loop, &conn->flush);
    loop_cancel(conn->settings->loop, &conn->read_on);
    conn->transport.operations->close(&conn->transport);
    loop_defer(conn->settings->loop, &conn->reap);
    conn->settings->events->down(conn->settings->owner, conn, was, reason);
}

/* Writes once; what is left waits for the socket. */
static void conn_write_once(struct conn *conn)
{
    struct buffer *bytes = &conn->outbox.bytes;
    outbox_fill(&conn->outbox, conn->flags, WRITE_BYTES);
    ssize_t written = 0;
    if (bytes->size)
        written = conn->transport.operations->write(&conn->transport, buffer_bytes(bytes), bytes->size);
    if (written < 0 && errno != EAGAIN && errno != EINTR) {
        conn_close(conn, "write: %s", strerror(errno));
        return;
    }
    if (written > 0) {
        buffer_consume(bytes, (size_t)written);
        conn->has_written = true;
    }
    size_t left = outbox_size(&conn->outbox);
    bool waits = left > 0;
    if (waits && !conn->write_waits)
        event_add(conn->writable, NULL);
    else if (!waits && conn->write_waits)
        event_del(conn->writable);
    conn->write_waits = waits;
    if (conn->congested && left < conn_congested_bytes(conn) / 4) {
        conn->congested = false;
        conn->settings->events->drained(conn->settings->owner, conn);
    }
}

static void conn_flush(void *owner)
{
    struct conn *conn = owner;
    if (conn->overrun) {
        conn->limit = CONN_LIMIT_QUEUED;
        conn_close(conn, "peer does not read: %zu bytes queued", outbox_size(&conn->outbox));
    } else if ((conn->state == CONN_UP || conn->state == CONN_HANDSHAKING) && !conn->write_waits) {
        conn_write_once(conn);
    }
}

bool conn_send(struct conn *conn, uint64_t sender, struct term control, struct term payload,
               struct blob *held)
{
    if (conn->state != CONN_UP || conn->overrun)
        return false;
    size_t waiting = outbox_size(&conn->outbox);
    if (waiting > conn->settings->queued_bytes) {
        conn->overrun = true; /* closed at the end of the pass, not inside whoever sends */
        loop_defer(conn->settings->loop, &conn->flush);
        return false;
    }
    outbox_add(&conn->outbox, conn->flags, sender, control, payload, held);
    conn->sent_since_tick = true;
    conn->congested = conn->congested || outbox_size(&conn->outbox) > conn_congested_bytes(conn);
    loop_defer(conn->settings->loop, &conn->flush);
    return true;
}

static void conn_tick(struct conn *conn)
{
    uint64_t silent = clock_ns() - conn->last_read_ns;
    if (conn->is_busy)
        silent = 0;
    if (silent > conn->settings->ticktime_ns) {
        conn_close(conn, "peer silent for %llu ms", (unsigned long long)(silent / CLOCK_NS_PER_MS));
        return;
    }
    static const uint8_t empty_frame[4];
    if (!conn->sent_since_tick && !outbox_size(&conn->outbox)) {
        buffer_append(&conn->outbox.bytes, empty_frame, sizeof(empty_frame));
        loop_defer(conn->settings->loop, &conn->flush);
    }
    conn->sent_since_tick = false;
    loop_timer_set(&conn->timer, conn->settings->ticktime_ns / TICKS);
}

static void conn_timer_fired(void *owner)
{
    struct conn *conn = owner;
    if (conn->state == CONN_UP)
        conn_tick(conn);
    else if (conn->accepted)
        conn_close(conn, "handshake not done within %llu ms", CONN_SETUP_NS / CLOCK_NS_PER_MS);
    else
        conn_close(conn, "no progress for %llu ms", CONN_SETUP_NS / CLOCK_NS_PER_MS);
}

static void conn_handshake_done(struct conn *conn)
{
    conn->state = CONN_UP;
    conn->flags = conn->handshake.peer_flags & conn->settings->identity->flags;
    conn->reader.refers = conn->flags & FLAG_DIST_HDR_ATOM_CACHE;
    loop_timer_set(&conn->timer, conn->settings->ticktime_ns / TICKS);
    conn->settings->events->up(conn->settings->owner, conn);
}

static void conn_take_handshake(struct conn *conn, const uint8_t *message, size_t size)
{
    handshake_input(&conn->handshake, message, size, &conn->outbox.bytes);
    if (conn->handshake.state == HANDSHAKE_FAILED) {
        conn_write_once(conn); /* a refusal is told as far as the socket takes it at once */
        conn_close(conn, "%s", conn->handshake.problem);
        return;
    }
    if (conn->state == CONN_CLOSING)
        return;
    if (!conn->accepted) /* who has connected has that long for all of it */
        loop_timer_set(&conn->timer, CONN_SETUP_NS);
    loop_defer(conn->settings->loop, &conn->flush);
    if (conn->handshake.state == HANDSHAKE_DONE)
        conn_handshake_done(conn);
}

/* It would be so again: who looks for the reason must find it. */
static void conn_close_invalid(struct conn *conn, const char *problem)
{
    log_warning("invalid message", log_string("peer", conn_peer(conn)), log_string("problem", problem));
    conn_close(conn, "invalid message: %s", problem);
}

/* Whom it was for is told as far as it is known: in the log, and to them. */
static void conn_take_head(struct conn *conn, struct term tuple, struct term payload)
{
    struct control control = {.operation = CONTROL_OPERATION_COUNT};
    enum control_problem wrong =
        control_decode_head(tuple, payload, term_of(&conn->reader.too_large), &control);
    char to[200] = "", of[24] = "";
    if (conn->reader.exceeded < conn->reader.limit) /* a share of it */
        snprintf(of, sizeof(of), "%zu", conn->reader.limit);
    if (wrong == CONTROL_OK && control.to.data)
        term_text(control.to, to, sizeof(to));
    log_warning("message too large", log_string("peer", conn_peer(conn)),
                log_string("operation", wrong == CONTROL_OK ? control_operation_text(control.operation) : ""),
                log_string("to", to), log_string("limit", CONN_FRAME_BYTES_KEY),
                log_integer("value", (int64_t)conn->reader.exceeded), log_string("of", *of ? of : NULL));
    if (wrong == CONTROL_OK)
        conn->settings->events->message(conn->settings->owner, conn, &control, payload);
}

/* What there is is for a later pass. */
static void conn_pause_reading(struct conn *conn)
{
    conn->is_busy = true;
    event_del(conn->readable);
    loop_defer_next(conn->settings->loop, &conn->read_on);
}

static ALWAYS_INLINE void conn_deliver(struct conn *conn, enum message_result result, struct term tuple,
                                       struct term payload, struct blob *held, const char *problem)
{
    switch (result) {
    case MESSAGE_PARTIAL:
        return;
    case MESSAGE_LONG:
        conn_pause_reading(conn);
        return;
    case MESSAGE_HEAD:
        conn_take_head(conn, tuple, payload);
        return;
    case MESSAGE_BAD:
        conn_close_invalid(conn, problem);
        return;
    case MESSAGE_READY:
        break;
    }
    struct control control;
    enum control_problem wrong = control_decode(tuple, payload, &control);
    if (held)
        control.held = held;
    if (wrong != CONTROL_OK)
        conn_close_invalid(conn, control_problem_text(wrong));
    else
        conn->settings->events->message(conn->settings->owner, conn, &control, payload);
}

static ALWAYS_INLINE void conn_take_message(struct conn *conn, const uint8_t *frame, size_t size, bool is_cut)
{
    struct term tuple, payload;
    const char *problem;
    bool is_whole = !is_cut && size <= conn->reader.limit;
    enum message_result result =
        (is_whole ? message_read : message_read_cut)(&conn->reader, frame, size, &tuple, &payload, &problem);
    conn_deliver(conn, result, tuple, payload, NULL, problem);
}

/* Takes what there is of a frame that is long; it stays there while it is being read. */
static bool conn_take_large_frame(struct conn *conn)
{
    struct large_frame *large = &conn->input.large;
    if (!large_frame_take(large, &conn->input.bytes))
        return false;
    conn_take_message(conn, buffer_bytes(&large->bytes), large->kept, large->kept < large->size);
    if (!conn->is_busy)
        large_frame_end(large);
    return conn->state != CONN_CLOSING && !conn->is_busy;
}

/* Of a frame that is long, or not needed to its end, what there is is taken at once. */
static bool conn_begin_large_frame(struct conn *conn, size_t header, size_t size)
{
    struct buffer *input = &conn->input.bytes;
    size_t needs = message_needs(&conn->reader, buffer_bytes(input) + header, input->size - header, size);
    if (size < LARGE_FRAME_BYTES && needs == size)
        return false;
    buffer_consume(input, header);
    large_frame_begin(&conn->input.large, size, needs);
    return true;
}

/* Takes the next frame out of the input. False when it is not all there, or the connection was closed. */
static bool conn_take_frame(struct conn *conn)
{
    bool up = conn->state == CONN_UP;
    size_t header = up ? 4 : conn->transport.operations->handshake_length_bytes;
    struct buffer *input = &conn->input.bytes;
    if (large_frame_is_on(&conn->input.large))
        return conn_take_large_frame(conn);
    if (input->size < header)
        return false;
    const uint8_t *bytes = buffer_bytes(input);
    size_t size = header == 4 ? bytes_get32(bytes) : bytes_get16(bytes);
    if (!up && size > HANDSHAKE_MESSAGE_BYTES) {
        conn_close(conn, "frame of %zu bytes is beyond the limit of %d", size, HANDSHAKE_MESSAGE_BYTES);
        return false;
    }
    if (size > input->size - header)
        return up && conn_begin_large_frame(conn, header, size);
    if (!up)
        conn_take_handshake(conn, bytes + header, size);
    else if (size)
        conn_take_message(conn, bytes + header, size, false);
    if (conn->state == CONN_CLOSING)
        return false;
    buffer_consume(input, header + size); /* its bytes stay where they are until more is read */
    return !conn->is_busy;
}

/* Takes what frames there are, but for what would keep everybody else waiting. */
static void conn_take_frames(struct conn *conn)
{
    const uint64_t until_ns = conn->last_read_ns + FRAMES_NS;
    size_t left = conn->input.bytes.size;
    for (unsigned taken = 1; conn_take_frame(conn); taken++) {
        if (taken < FRAMES_A_LOOK && left - conn->input.bytes.size < FRAMES_LOOK_BYTES)
            continue;
        if (clock_ns() > until_ns) {
            conn_pause_reading(conn);
            return;
        }
        taken = 0;
        left = conn->input.bytes.size;
    }
}

/* A payload that is long is not copied by who keeps it. */
static struct blob *conn_take_payload(struct conn *conn, struct term payload)
{
    struct blob *held = message_take_payload(&conn->reader, payload, conn->settings->loop);
    if (!held && payload.data && buffer_has(&conn->input.large.bytes, payload.data))
        held = blob_take(&conn->input.large.bytes, conn->settings->loop);
    return held;
}

/* False when a long message is not at its end yet. */
static bool conn_go_on(struct conn *conn)
{
    struct term tuple, payload;
    const char *problem;
    enum message_result result;
    uint64_t until_ns = clock_ns() + LONG_NS;
    do
        result = message_go_on(&conn->reader, LONG_VALUES, &tuple, &payload, &problem);
    while (result == MESSAGE_LONG && clock_ns() < until_ns);
    if (result == MESSAGE_LONG)
        return false;
    struct blob *held = result == MESSAGE_READY ? conn_take_payload(conn, payload) : NULL;
    conn_deliver(conn, result, tuple, payload, held, problem);
    message_release_payload(&conn->reader, held);
    message_end_long(&conn->reader);
    large_frame_end(&conn->input.large);
    return true;
}

static void conn_read_on(void *owner)
{
    struct conn *conn = owner;
    if (message_is_long(&conn->reader) && !conn_go_on(conn)) {
        loop_defer_next(conn->settings->loop, &conn->read_on);
        return;
    }
    conn->is_busy = false;
    conn->last_read_ns = clock_ns();
    if (conn->state == CONN_CLOSING)
        return;
    event_add(conn->readable, NULL);
    conn_take_frames(conn);
}

static const char *conn_end_reason(const struct conn *conn)
{
    /* A node whose cookie differs closes without a word. */
    if (conn->state == CONN_HANDSHAKING && conn->handshake.state == HANDSHAKE_EXPECT_ACK)
        return "closed by the peer: cookie mismatch?";
    return "closed by the peer";
}

static void conn_on_readable(evutil_socket_t descriptor, short events, void *argument)
{
    (void)descriptor;
    (void)events;
    struct conn *conn = argument;
    loop_enter(conn->settings->loop);
    uint64_t until_ns = 0;
    do {
        if (conn->state != CONN_UP && conn->state != CONN_HANDSHAKING)
            return;
        ssize_t got = input_read(&conn->input, &conn->transport);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            conn_close(conn, "%s", got == 0 ? conn_end_reason(conn) : strerror(errno));
            return;
        }
        conn->last_read_ns = clock_ns();
        if (!until_ns)
            until_ns = conn->last_read_ns + FRAMES_NS;
        conn_take_frames(conn);
    } while (input_goes_on(&conn->input) && !conn->is_busy && conn->last_read_ns < until_ns);
}

static void conn_dial_decided(struct conn *conn)
{
    int error = transport_connected(&conn->transport);
    if (error) {
        conn_close(conn, "%s", strerror(error));
        return;
    }
    conn->state = CONN_HANDSHAKING;
    conn->write_waits = false;
    event_add(conn->readable, NULL);
    loop_timer_set(&conn->timer, CONN_SETUP_NS);
    char peer[NODE_NAME_BYTES + 1];
    memcpy(peer, conn->handshake.peer, sizeof(peer));
    handshake_initiate(&conn->handshake, conn->settings->identity,
                       conn->transport.operations->handshake_length_bytes, peer, &conn->outbox.bytes);
    conn->handshake.yields = conn->settings->yields;
    loop_defer(conn->settings->loop, &conn->flush);
}

static void conn_on_writable(evutil_socket_t descriptor, short events, void *argument)
{
    (void)descriptor;
    (void)events;
    struct conn *conn = argument;
    loop_enter(conn->settings->loop);
    if (conn->state == CONN_DIALLING) {
        event_del(conn->writable);
        conn_dial_decided(conn);
    } else if (conn->state != CONN_CLOSING) {
        conn_write_once(conn);
    }
}

static struct conn *conn_new(const struct conn_settings *settings, struct transport transport,
                             const char *address)
{
    struct conn *conn = memory_zalloc(1, sizeof(*conn));
    conn->settings = settings;
    conn->transport = transport;
    conn->last_read_ns = clock_ns();
    conn->flush = (struct loop_task){.run = conn_flush, .owner = conn};
    conn->read_on = (struct loop_task){.run = conn_read_on, .owner = conn};
    conn->reap = (struct loop_task){.run = conn_reap, .owner = conn};
    snprintf(conn->address, sizeof(conn->address), "%s", address);
    message_reader_init(&conn->reader, settings->frame_bytes);
    conn->reader.spare = settings->spare;
    struct event_base *base = settings->loop->base;
    conn->readable = event_new(base, transport.descriptor, EV_READ | EV_PERSIST, conn_on_readable, conn);
    conn->writable = event_new(base, transport.descriptor, EV_WRITE | EV_PERSIST, conn_on_writable, conn);
    assert(conn->readable && conn->writable);
    loop_timer_init(&conn->timer, settings->loop, conn_timer_fired, conn);
    loop_timer_set(&conn->timer, CONN_SETUP_NS);
    return conn;
}

static enum handshake_verdict conn_judge(void *owner, const char *peer)
{
    struct conn *conn = owner;
    return conn->settings->events->judge(conn->settings->owner, conn, peer);
}

struct conn *conn_accept(const struct conn_settings *settings, int descriptor, const char *address)
{
    struct transport transport;
    transport_accept_tcp(&transport, descriptor);
    struct conn *conn = conn_new(settings, transport, address);
    conn->state = CONN_HANDSHAKING;
    conn->accepted = true;
    handshake_accept(&conn->handshake, settings->identity, transport.operations->handshake_length_bytes,
                     conn_judge, conn);
    event_add(conn->readable, NULL);
    return conn;
}

struct conn *conn_dial(const struct conn_settings *settings, const struct resolve_address *address,
                       const char *peer)
{
    struct transport transport;
    if (transport_dial_tcp(&transport, (const struct sockaddr *)&address->address, address->size) < 0)
        return NULL;
    struct conn *conn = conn_new(settings, transport, "");
    conn->state = CONN_DIALLING;
    snprintf(conn->handshake.peer, sizeof(conn->handshake.peer), "%s", peer);
    event_add(conn->writable, NULL);
    return conn;
}
