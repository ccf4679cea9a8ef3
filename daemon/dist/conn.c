#include "dist/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "conn_private.h"
#include "dist/flags.h"

/* What one pass writes to one peer at most, so that a long report leaves room for everybody else. */
#define WRITE_BYTES (256 * 1024)

/* After how much that was written it is looked whether that goes out: some thirty calls. */
#define LOOK_BYTES 2048

/* Ticks in a ticktime, as the kernel parameter net_tickintensity has it by default. */
#define TICKS 4

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
    return outbox_size(&conn->outbox) + conn->transport.owes;
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

bool conn_look_at_wire(const struct conn *conn, struct wire *wire)
{
    return conn->state == CONN_UP && transport_look_at_wire(&conn->transport, wire);
}

void conn_close_failed(struct conn *conn, const char *what, enum transport_end end, int error)
{
    const char *problem = transport_problem(&conn->transport, end, error);
    conn_close(conn, "%s%s", problem && end == TRANSPORT_ERROR && error != EPROTO ? what : "",
               problem ? problem : what);
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
    departure_release(conn->departure);
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

static ssize_t conn_write_bytes(struct conn *conn)
{
    const struct buffer *bytes = &conn->outbox.bytes;
    if (!bytes->size && !conn->transport.owes)
        return 0;
    const uint64_t before_ns = conn->departure ? clock_ns() : 0;
    ssize_t written = conn->transport.operations->write(&conn->transport, buffer_bytes(bytes), bytes->size);
    if (conn->departure)
        conn->departure->ns =
            written > 0 ? departure_between(&conn->writes, before_ns, clock_ns()) : before_ns;
    return written;
}

/* Whether the other side takes no more. To ask the kernel each time is two of a hundred parts of what a call
 * costs when few are under way. */
static bool conn_is_full(struct conn *conn)
{
    if (!conn->was_full && !conn->transport.owes && conn->unlooked_bytes < LOOK_BYTES)
        return false;
    conn->unlooked_bytes = 0;
    conn->was_full = conn->transport.operations->is_full(&conn->transport);
    return conn->was_full;
}

/* What was written has gone out, unless not all of it was taken here or there. */
static void conn_depart(struct conn *conn)
{
    struct departure *departure = conn->departure;
    if (!departure || !departure->ns)
        return;
    departure->was_full = outbox_size(&conn->outbox) > 0 || conn_is_full(conn);
    departure_release(departure);
    conn->departure = NULL;
}

/* What is left waits for the socket, or for something to be read. */
static void conn_wait_to_write(struct conn *conn, size_t left)
{
    bool waits_for_room = (left || conn->transport.owes) && !conn->transport.writes_later;
    conn->write_waits = left || conn->transport.owes;
    if (waits_for_room && !conn->waits_for_room)
        event_add(conn->writable, NULL);
    else if (!waits_for_room && conn->waits_for_room)
        event_del(conn->writable);
    conn->waits_for_room = waits_for_room;
}

/* Writes once. */
static void conn_write_once(struct conn *conn)
{
    struct buffer *bytes = &conn->outbox.bytes;
    outbox_fill(&conn->outbox, conn->flags, WRITE_BYTES);
    ssize_t written = conn_write_bytes(conn);
    if (written < 0 && errno != EAGAIN && errno != EINTR) {
        conn_close_failed(conn, "write: ", TRANSPORT_ERROR, errno);
        return;
    }
    if (written > 0) {
        buffer_consume(bytes, (size_t)written);
        conn->has_written = true;
        conn->unlooked_bytes += (size_t)written;
    }
    conn_depart(conn);
    size_t left = outbox_size(&conn->outbox);
    conn_wait_to_write(conn, left);
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

void conn_write_on(struct conn *conn)
{
    bool may = conn->transport.owes
                   ? !conn->waits_for_room
                   : conn->write_waits && !conn->waits_for_room && !conn->transport.writes_later;
    if (may && (conn->state == CONN_UP || conn->state == CONN_HANDSHAKING))
        conn_write_once(conn);
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

struct departure *conn_departure(struct conn *conn)
{
    if (conn->state != CONN_UP)
        return NULL;
    if (!conn->departure)
        conn->departure = departure_new(conn->settings->departures);
    return departure_hold(conn->departure);
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

static void conn_set_up_late(struct conn *conn)
{
    const char *problem =
        conn->state == CONN_PREPARING ? transport_problem(&conn->transport, TRANSPORT_SILENT, 0) : NULL;
    if (problem)
        conn_close(conn, "%s", problem);
    else if (conn->accepted)
        conn_close(conn, "handshake not done within %llu ms", CONN_SETUP_NS / CLOCK_NS_PER_MS);
    else
        conn_close(conn, "no progress for %llu ms", CONN_SETUP_NS / CLOCK_NS_PER_MS);
}

static void conn_timer_fired(void *owner)
{
    struct conn *conn = owner;
    if (conn->state == CONN_UP)
        conn_tick(conn);
    else
        conn_set_up_late(conn);
}

static void conn_handshake_done(struct conn *conn)
{
    conn->state = CONN_UP;
    conn->flags = conn->handshake.peer_flags & conn->settings->identity->flags;
    conn->reader.refers = conn->flags & FLAG_DIST_HDR_ATOM_CACHE;
    loop_timer_set(&conn->timer, conn->settings->ticktime_ns / TICKS);
    conn->settings->events->up(conn->settings->owner, conn);
}

void conn_take_handshake(struct conn *conn, const uint8_t *message, size_t size)
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

static enum handshake_verdict conn_judge(void *owner, const char *peer)
{
    struct conn *conn = owner;
    const char *doubt = transport_doubt(&conn->transport, peer);
    if (!doubt)
        return conn->settings->events->judge(conn->settings->owner, conn, peer);
    log_warning("peer is not believed to be the node that it says", log_string("peer", peer),
                log_string("reason", doubt));
    return HANDSHAKE_REFUSE;
}

/* The transport carries bytes: now who is dialled is told who this is, and who has dialled is to tell. */
static void conn_begin_handshake(struct conn *conn)
{
    const struct conn_settings *settings = conn->settings;
    const size_t length_bytes = conn->transport.operations->handshake_length_bytes;
    char peer[NODE_NAME_BYTES + 1];
    conn->state = CONN_HANDSHAKING;
    if (conn->accepted) {
        handshake_accept(&conn->handshake, settings->identity, length_bytes, conn_judge, conn);
        return;
    }
    loop_timer_set(&conn->timer, CONN_SETUP_NS);
    memcpy(peer, conn->handshake.peer, sizeof(peer));
    handshake_initiate(&conn->handshake, settings->identity, length_bytes, peer, &conn->outbox.bytes);
    conn->handshake.yields = settings->yields;
    loop_defer(settings->loop, &conn->flush);
}

void conn_prepare(struct conn *conn)
{
    enum transport_progress progress = conn->transport.operations->begin
                                           ? conn->transport.operations->begin(&conn->transport)
                                           : TRANSPORT_READY;
    if (progress == TRANSPORT_FAILED) {
        conn_close_failed(conn, "", TRANSPORT_ERROR, errno);
        return;
    }
    if (progress == TRANSPORT_READY)
        conn_begin_handshake(conn);
    conn_wait_to_write(conn, 0);
    if (conn->transport.holds)
        loop_defer_next(conn->settings->loop, &conn->read_on);
}

static void conn_dial_decided(struct conn *conn)
{
    int error = transport_connected(&conn->transport);
    if (error) {
        conn_close(conn, "%s", strerror(error));
        return;
    }
    conn->state = CONN_PREPARING;
    event_add(conn->readable, NULL);
    loop_timer_set(&conn->timer, CONN_SETUP_NS);
    conn_prepare(conn);
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
    } else if (conn->state == CONN_PREPARING) {
        conn_prepare(conn);
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
    kernel_clock_begin(settings->kernel_clock, &conn->line);
    conn->flush = (struct loop_task){.run = conn_flush, .owner = conn};
    conn->read_on = (struct loop_task){.run = conn_read_on, .owner = conn};
    conn->reap = (struct loop_task){.run = conn_reap, .owner = conn};
    snprintf(conn->address, sizeof(conn->address), "%s", address);
    message_reader_init(&conn->reader, settings->frame_bytes);
    conn->reader.spare = settings->spare;
    struct event_base *base = settings->loop->base;
    conn->readable = event_new(base, transport.descriptor, EV_READ | EV_PERSIST, conn_read_ready, conn);
    conn->writable = event_new(base, transport.descriptor, EV_WRITE | EV_PERSIST, conn_on_writable, conn);
    assert(conn->readable && conn->writable);
    loop_timer_init(&conn->timer, settings->loop, conn_timer_fired, conn);
    loop_timer_set(&conn->timer, CONN_SETUP_NS);
    return conn;
}

struct conn *conn_accept(const struct conn_settings *settings, int descriptor, const char *address)
{
    struct transport transport;
    transport_accept(settings->transports, &transport, descriptor);
    struct conn *conn = conn_new(settings, transport, address);
    conn->state = CONN_PREPARING;
    conn->accepted = true;
    event_add(conn->readable, NULL);
    if (!transport.operations->begin)
        conn_begin_handshake(conn);
    return conn;
}

struct conn *conn_dial(const struct conn_settings *settings, const struct resolve_address *address,
                       const char *peer)
{
    struct transport transport;
    if (transport_dial(settings->transports, &transport, (const struct sockaddr *)&address->address,
                       address->size, peer) < 0)
        return NULL;
    struct conn *conn = conn_new(settings, transport, "");
    conn->state = CONN_DIALLING;
    snprintf(conn->handshake.peer, sizeof(conn->handshake.peer), "%s", peer);
    event_add(conn->writable, NULL);
    return conn;
}
