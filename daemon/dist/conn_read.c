/* What a connection reads: its frames and the messages in them. */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "conn_private.h"
#include "term/term_text.h"

/* What the frames of one peer, or what is skipped of them, may take of a pass, and after how many, or how
 * much, it is looked. */
#define FRAMES_NS (150 * CLOCK_NS_PER_US)
#define FRAMES_A_LOOK 4
#define FRAMES_LOOK_BYTES (16 * 1024)

/* What one pass reads of a long message from one peer, and how often it looks at the clock. */
#define LONG_NS (150 * CLOCK_NS_PER_US)
#define LONG_VALUES 2000

/* It would be so again: who looks for the reason must find it. */
static void conn_read_invalid(struct conn *conn, const char *problem)
{
    log_warning("invalid message", log_string("peer", conn_peer(conn)), log_string("problem", problem));
    conn_close(conn, "invalid message: %s", problem);
}

/* Whom it was for is told as far as it is known: in the log, and to them. */
static void conn_read_head(struct conn *conn, struct term tuple, struct term payload)
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
    control.arrived = conn->arrived;
    if (wrong == CONTROL_OK)
        conn->settings->events->message(conn->settings->owner, conn, &control, payload);
}

/* What there is is for a later pass. Until then nothing more is read, see conn_read_ready(). */
static void conn_read_pause(struct conn *conn)
{
    conn->is_busy = true;
    loop_defer_next(conn->settings->loop, &conn->read_on);
}

static ALWAYS_INLINE void conn_read_deliver(struct conn *conn, enum message_result result, struct term tuple,
                                            struct term payload, struct blob *held, const char *problem)
{
    switch (result) {
    case MESSAGE_PARTIAL:
        return;
    case MESSAGE_LONG:
        conn_read_pause(conn);
        return;
    case MESSAGE_HEAD:
        conn_read_head(conn, tuple, payload);
        return;
    case MESSAGE_BAD:
        conn_read_invalid(conn, problem);
        return;
    case MESSAGE_READY:
        break;
    }
    struct control control;
    enum control_problem wrong = control_decode(tuple, payload, &control);
    control.arrived = conn->arrived;
    if (held)
        control.held = held;
    if (wrong != CONTROL_OK)
        conn_read_invalid(conn, control_problem_text(wrong));
    else
        conn->settings->events->message(conn->settings->owner, conn, &control, payload);
}

static ALWAYS_INLINE void conn_read_message(struct conn *conn, const uint8_t *frame, size_t size, bool is_cut)
{
    struct term tuple, payload;
    const char *problem;
    bool is_whole = !is_cut && size <= conn->reader.limit;
    enum message_result result =
        (is_whole ? message_read : message_read_cut)(&conn->reader, frame, size, &tuple, &payload, &problem);
    conn_read_deliver(conn, result, tuple, payload, NULL, problem);
}

/* Takes what there is of a frame that is long; it stays there while it is being read. */
static bool conn_read_large(struct conn *conn)
{
    struct large_frame *large = &conn->input.large;
    const size_t before = conn->input.bytes.size;
    bool is_whole = large_frame_take(large, &conn->input.bytes);
    conn->arrived = input_pass(&conn->input, before - conn->input.bytes.size);
    if (!is_whole)
        return false;
    conn_read_message(conn, buffer_bytes(&large->bytes), large->kept, large->kept < large->size);
    if (!conn->is_busy)
        large_frame_end(large);
    return conn->state != CONN_CLOSING && !conn->is_busy;
}

/* Of a frame that is long, or not needed to its end, what there is is taken at once. */
static bool conn_read_begin_large(struct conn *conn, size_t header, size_t size)
{
    struct buffer *input = &conn->input.bytes;
    size_t needs = message_needs(&conn->reader, buffer_bytes(input) + header, input->size - header, size);
    if (size < LARGE_FRAME_BYTES && needs == size)
        return false;
    buffer_consume(input, header);
    (void)input_pass(&conn->input, header);
    large_frame_begin(&conn->input.large, size, needs);
    return true;
}

/* What is no message of a handshake is something else's beginning. */
static void conn_read_strange(struct conn *conn, size_t size)
{
    const char *what = transport_recognise(buffer_bytes(&conn->input.bytes), conn->input.bytes.size);
    if (what)
        conn_close(conn, "%s", what);
    else
        conn_close(conn, "frame of %zu bytes is beyond the limit of %d", size, HANDSHAKE_MESSAGE_BYTES);
}

/* Takes the next frame out of the input. False when it is not all there, or the connection was closed. */
static bool conn_read_frame(struct conn *conn)
{
    bool up = conn->state == CONN_UP;
    size_t header = up ? 4 : conn->transport.operations->handshake_length_bytes;
    struct buffer *input = &conn->input.bytes;
    if (large_frame_is_on(&conn->input.large))
        return conn_read_large(conn);
    if (input->size < header)
        return false;
    const uint8_t *bytes = buffer_bytes(input);
    size_t size = header == 4 ? bytes_get32(bytes) : bytes_get16(bytes);
    if (!up && size > HANDSHAKE_MESSAGE_BYTES) {
        conn_read_strange(conn, size);
        return false;
    }
    if (size > input->size - header)
        return up && conn_read_begin_large(conn, header, size);
    conn->arrived = input_pass(&conn->input, header + size);
    if (!up)
        conn_take_handshake(conn, bytes + header, size);
    else if (size)
        conn_read_message(conn, bytes + header, size, false);
    if (conn->state == CONN_CLOSING)
        return false;
    if (up && size)
        input_note_frame(&conn->input, header + size);
    buffer_consume(input, header + size); /* its bytes stay where they are until more is read */
    return !conn->is_busy;
}

/* Takes what frames there are, but for what would keep everybody else waiting. */
static void conn_read_frames(struct conn *conn)
{
    const uint64_t until_ns = conn->last_read_ns + FRAMES_NS;
    size_t left = conn->input.bytes.size;
    for (unsigned taken = 1; conn_read_frame(conn); taken++) {
        if (taken < FRAMES_A_LOOK && left - conn->input.bytes.size < FRAMES_LOOK_BYTES)
            continue;
        if (clock_ns() > until_ns) {
            conn_read_pause(conn);
            return;
        }
        taken = 0;
        left = conn->input.bytes.size;
    }
}

/* A payload that is long is not copied by who keeps it. */
static struct blob *conn_read_payload(struct conn *conn, struct term payload)
{
    struct blob *held = message_take_payload(&conn->reader, payload, conn->settings->loop);
    if (!held && payload.data && buffer_has(&conn->input.large.bytes, payload.data))
        held = blob_take(&conn->input.large.bytes, conn->settings->loop);
    return held;
}

/* False when a long message is not at its end yet. */
static bool conn_read_long(struct conn *conn)
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
    struct blob *held = result == MESSAGE_READY ? conn_read_payload(conn, payload) : NULL;
    conn_read_deliver(conn, result, tuple, payload, held, problem);
    message_release_payload(&conn->reader, held);
    message_end_long(&conn->reader);
    large_frame_end(&conn->input.large);
    return true;
}

static const char *conn_read_end_reason(const struct conn *conn)
{
    /* A node whose cookie differs closes without a word. */
    if (conn->state == CONN_HANDSHAKING && conn->handshake.state == HANDSHAKE_EXPECT_ACK)
        return "closed by the peer: cookie mismatch?";
    return "closed by the peer";
}

static void conn_read_arrived(struct conn *conn, const struct transport_got *got)
{
    struct kernel_clock *clock = conn->settings->kernel_clock;
    conn->last_read_ns = clock_ns();
    if (conn->transport.has_stamps)
        kernel_clock_look(clock, conn->last_read_ns);
    for (size_t i = 0; i < got->count; i++)
        input_arrive(&conn->input, got->pieces[i].size,
                     conn->transport.has_stamps
                         ? kernel_clock_place(clock, &conn->line, got->pieces[i].stamp_ns)
                         : (struct arrived){.ns = conn->last_read_ns});
    if (!got->count) /* it was skipped */
        input_arrive(&conn->input, 0, (struct arrived){.ns = conn->last_read_ns});
    if (conn->transport.has_stamps && got->count && !got->queued)
        kernel_clock_emptied(clock, &conn->line);
}

/* What the transport has read and the descriptor tells nothing of any more is for the next pass. */
static void conn_read_look(struct conn *conn)
{
    if (conn->state == CONN_CLOSING)
        return;
    if (conn->transport.owes || conn->write_waits)
        conn_write_on(conn);
    if (conn->transport.holds && !conn->is_busy && conn->state != CONN_CLOSING)
        loop_defer_next(conn->settings->loop, &conn->read_on);
}

static void conn_read_some(struct conn *conn)
{
    struct transport_got read;
    uint64_t until_ns = 0;
    input_start(&conn->input);
    do {
        if (conn->state != CONN_UP && conn->state != CONN_HANDSHAKING)
            return;
        ssize_t got = input_read(&conn->input, &conn->transport, &read);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got < 0) {
            conn_close_failed(conn, "", TRANSPORT_ERROR, errno);
            return;
        }
        if (got == 0) {
            conn_close_failed(conn, conn_read_end_reason(conn), TRANSPORT_CLOSED, 0);
            return;
        }
        conn_read_arrived(conn, &read);
        if (!until_ns)
            until_ns = conn->last_read_ns + FRAMES_NS;
        conn_read_frames(conn);
    } while (input_goes_on(&conn->input) && !conn->is_busy && conn->last_read_ns < until_ns);
}

void conn_read_on(void *owner)
{
    struct conn *conn = owner;
    if (message_is_long(&conn->reader) && !conn_read_long(conn)) {
        loop_defer_next(conn->settings->loop, &conn->read_on);
        return;
    }
    conn->is_busy = false;
    conn->last_read_ns = clock_ns();
    if (conn->state == CONN_CLOSING)
        return;
    conn_read_frames(conn);
    if (!conn->transport.holds || conn->is_busy)
        return;
    conn_read_some(conn);
    conn_read_look(conn);
}

void conn_read_ready(evutil_socket_t descriptor, short events, void *argument)
{
    (void)descriptor;
    (void)events;
    struct conn *conn = argument;
    loop_enter(conn->settings->loop);
    if (conn->is_busy) /* conn_read_on() is due, which no event brings */
        return;
    if (conn->state == CONN_PREPARING) {
        conn_prepare(conn);
        return;
    }
    conn_read_some(conn);
    conn_read_look(conn);
}
