// How long calls took on the wire, by a capture of it: from the packet that has the last byte of a call to
// the one that has the last byte of its reply.
//
//     wire_times CAPTURE PORT      a capture of tcpdump with stamps in nanoseconds, and the port of the
//     server's node
//
// Prints one line:   calls=N p50_us=A p90_us=B p99_us=C p999_us=D max_us=E unanswered=U
// What was captured has to be whole: a gap in what one side has sent ends it with status 1. Connections that
// were there before it began are taken to be between two frames then.

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

enum {
    PCAP_MAGIC_NS = 0xa1b23c4d,
    PCAP_HEADER_BYTES = 24,
    PCAP_PACKET_BYTES = 16,
    ETHERNET_BYTES = 14,
    ETHERNET_IPV4 = 0x0800,
    PROTOCOL_TCP = 6,
    FLAG_SYN = 2,
    TAGS = 1 << 21, // slots of harnessd's calls; the bits above are a generation
    CONNECTIONS = 64,
    WAITING = 64,
};

// What a packet has.
struct segment {
    uint32_t sequence;
    uint8_t *bytes;
    size_t size;
    uint64_t at_ns;
};

// What one side of a connection has sent and is not a whole frame yet.
struct stream {
    uint8_t *bytes;
    size_t size;
    size_t room;
    uint32_t next; // sequence number
    bool has_begun;
    struct segment waiting[WAITING]; // for what is before them
    size_t waiting_count;
};

struct call {
    uint64_t sent_ns; // 0: it is not under way
    uint32_t tag;
};

struct connection {
    uint32_t client_address;
    uint16_t client_port;
    struct stream calls;
    struct stream replies;
    struct call *under_way; // by slot
};

struct capture {
    uint16_t port;
    struct connection connections[CONNECTIONS];
    size_t count;
    uint64_t *times_ns;
    size_t time_count;
    size_t time_room;
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("wire_times: ", stderr);
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

static uint32_t big(const uint8_t *bytes, size_t count)
{
    uint32_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

static void times_add(struct capture *capture, uint64_t ns)
{
    if (capture->time_count == capture->time_room) {
        capture->time_room = capture->time_room ? 2 * capture->time_room : 4096;
        capture->times_ns = grow(capture->times_ns, capture->time_room * sizeof(*capture->times_ns));
    }
    capture->times_ns[capture->time_count++] = ns;
}

static struct connection *connection_of(struct capture *capture, uint32_t address, uint16_t port)
{
    for (size_t i = 0; i < capture->count; i++)
        if (capture->connections[i].client_address == address && capture->connections[i].client_port == port)
            return &capture->connections[i];
    if (capture->count == CONNECTIONS)
        fail("too many connections");
    struct connection *connection = &capture->connections[capture->count++];
    connection->client_address = address;
    connection->client_port = port;
    connection->under_way = calloc(TAGS, sizeof(*connection->under_way));
    if (!connection->under_way)
        fail("out of memory");
    return connection;
}

static void frame_take(struct capture *capture, struct connection *connection, bool is_reply,
                       const uint8_t *frame, size_t size, uint64_t at_ns)
{
    uint32_t tag;
    enum wire_kind kind = wire_frame(frame, size, &tag, NULL);
    if (kind == WIRE_CALL && !is_reply) {
        connection->under_way[tag % TAGS] = (struct call){.sent_ns = at_ns, .tag = tag};
    } else if (kind == WIRE_REPLY && is_reply) {
        struct call *call = &connection->under_way[tag % TAGS];
        if (call->sent_ns && call->tag == tag)
            times_add(capture, at_ns - call->sent_ns);
        call->sent_ns = 0;
    }
}

// The frames that end in what there is.
static void stream_take_frames(struct capture *capture, struct connection *connection, bool is_reply,
                               uint64_t at_ns)
{
    struct stream *stream = is_reply ? &connection->replies : &connection->calls;
    size_t taken = 0;
    while (stream->size - taken >= 4) {
        size_t length = big(stream->bytes + taken, 4);
        if (stream->size - taken - 4 < length)
            break;
        frame_take(capture, connection, is_reply, stream->bytes + taken + 4, length, at_ns);
        taken += 4 + length;
    }
    stream->size -= taken;
    memmove(stream->bytes, stream->bytes + taken, stream->size);
}

// False when something before it is missing still.
static bool stream_take(struct capture *capture, struct connection *connection, bool is_reply,
                        const struct segment *segment)
{
    struct stream *stream = is_reply ? &connection->replies : &connection->calls;
    if (!stream->has_begun) {
        stream->has_begun = true;
        stream->next = segment->sequence;
    }
    int32_t ahead = (int32_t)(segment->sequence - stream->next);
    if (ahead > 0)
        return false;
    size_t known = (size_t)-(int64_t)ahead;
    if (known >= segment->size)
        return true; // it was sent again
    size_t size = segment->size - known;
    stream->next += (uint32_t)size;
    if (stream->size + size > stream->room) {
        stream->room = 2 * (stream->size + size);
        stream->bytes = grow(stream->bytes, stream->room);
    }
    memcpy(stream->bytes + stream->size, segment->bytes + known, size);
    stream->size += size;
    stream_take_frames(capture, connection, is_reply, segment->at_ns);
    return true;
}

// Two processors may put packets into a capture the other way round.
static void stream_take_waiting(struct capture *capture, struct connection *connection, bool is_reply)
{
    struct stream *stream = is_reply ? &connection->replies : &connection->calls;
    for (size_t i = 0; i < stream->waiting_count;) {
        if (!stream_take(capture, connection, is_reply, &stream->waiting[i])) {
            i++;
            continue;
        }
        free(stream->waiting[i].bytes);
        stream->waiting[i] = stream->waiting[--stream->waiting_count];
        i = 0;
    }
}

static void segment_take(struct capture *capture, struct connection *connection, bool is_reply,
                         struct segment segment)
{
    struct stream *stream = is_reply ? &connection->replies : &connection->calls;
    if (stream_take(capture, connection, is_reply, &segment)) {
        stream_take_waiting(capture, connection, is_reply);
        return;
    }
    if (stream->waiting_count == WAITING)
        fail("bytes are missing");
    uint8_t *kept = grow(NULL, segment.size);
    memcpy(kept, segment.bytes, segment.size);
    segment.bytes = kept;
    stream->waiting[stream->waiting_count++] = segment;
}

static void packet_take(struct capture *capture, uint8_t *packet, size_t size, size_t length, uint64_t at_ns)
{
    if (size < ETHERNET_BYTES + 20 || big(packet + 12, 2) != ETHERNET_IPV4)
        return;
    const uint8_t *ip = packet + ETHERNET_BYTES;
    size_t ip_header = 4u * (ip[0] & 15), ip_length = big(ip + 2, 2);
    // The length of a packet that the kernel has not cut yet does not fit: it is 0, and the packet goes to
    // its end.
    if (!ip_length)
        ip_length = length - ETHERNET_BYTES;
    if (ip[9] != PROTOCOL_TCP || size < ETHERNET_BYTES + ip_header + 20)
        return;
    if (size < ETHERNET_BYTES + ip_length)
        fail("packets were cut off: capture them whole");
    const uint8_t *tcp = ip + ip_header;
    size_t tcp_header = 4u * (tcp[12] >> 4), data = ip_length - ip_header - tcp_header;
    bool is_reply = big(tcp, 2) == capture->port;
    if ((!is_reply && big(tcp + 2, 2) != capture->port) || tcp[13] & FLAG_SYN || !data)
        return;
    struct connection *connection = is_reply
                                        ? connection_of(capture, big(ip + 16, 4), (uint16_t)big(tcp + 2, 2))
                                        : connection_of(capture, big(ip + 12, 4), (uint16_t)big(tcp, 2));
    segment_take(capture, connection, is_reply,
                 (struct segment){.sequence = big(tcp + 4, 4),
                                  .bytes = packet + (tcp - packet) + tcp_header,
                                  .size = data,
                                  .at_ns = at_ns});
}

static uint32_t little(const uint8_t *bytes)
{
    uint32_t number;
    memcpy(&number, bytes, sizeof(number));
    return number;
}

static void file_read(struct capture *capture, FILE *file)
{
    static uint8_t packet[1 << 20];
    uint8_t header[PCAP_HEADER_BYTES];
    if (fread(header, 1, PCAP_HEADER_BYTES, file) != PCAP_HEADER_BYTES || little(header) != PCAP_MAGIC_NS)
        fail("no capture with stamps in nanoseconds, of this machine");
    while (fread(header, 1, PCAP_PACKET_BYTES, file) == PCAP_PACKET_BYTES) {
        size_t size = little(header + 8), length = little(header + 12);
        uint64_t at_ns = little(header) * 1000000000ull + little(header + 4);
        if (size > sizeof(packet) || fread(packet, 1, size, file) != size)
            fail("the capture ends in a packet");
        packet_take(capture, packet, size, length, at_ns);
    }
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

// As harnessd has quantiles: the least time that so many are not longer than.
static double quantile_us(const struct capture *capture, double part)
{
    double place = part * (double)capture->time_count;
    size_t index = (size_t)place;
    index -= index && (double)index == place;
    return (double)capture->times_ns[index < capture->time_count ? index : capture->time_count - 1] / 1e3;
}

int main(int count, char **arguments)
{
    static struct capture capture;
    size_t unanswered = 0;
    if (count != 3) {
        fputs("usage: wire_times CAPTURE PORT\n", stderr);
        return 2;
    }
    FILE *file = fopen(arguments[1], "rb");
    if (!file)
        fail("cannot read %s", arguments[1]);
    capture.port = (uint16_t)atoi(arguments[2]);
    file_read(&capture, file);
    fclose(file);
    for (size_t i = 0; i < capture.count; i++)
        if (capture.connections[i].calls.waiting_count || capture.connections[i].replies.waiting_count)
            fail("bytes are missing");
    for (size_t i = 0; i < capture.count; i++)
        for (size_t slot = 0; slot < TAGS; slot++)
            unanswered += capture.connections[i].under_way[slot].sent_ns > 0;
    if (!capture.time_count)
        fail("no calls in %s", arguments[1]);
    qsort(capture.times_ns, capture.time_count, sizeof(*capture.times_ns), compare);
    printf("calls=%zu p50_us=%.2f p90_us=%.2f p99_us=%.2f p999_us=%.2f max_us=%.2f unanswered=%zu\n",
           capture.time_count, quantile_us(&capture, 0.5), quantile_us(&capture, 0.9),
           quantile_us(&capture, 0.99), quantile_us(&capture, 0.999), quantile_us(&capture, 1), unanswered);
    return 0;
}
