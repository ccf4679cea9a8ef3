/* TLS over a socket that is read and written here, not by OpenSSL: what comes is read in pieces with the
 * kernel's stamps, and a record has that of the piece with its last byte. What OpenSSL writes is taken in any
 * case and waits here for the socket (`owes`), so that a record is never half written when it has to answer a
 * renegotiation or an update of keys. */
#include "transport_tls_private.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "tls_line_private.h"
#include "tls_private.h"
#include "transport/pieces.h"
#include "transport_tcp_private.h"

/* Read of the socket at once at most. */
#define READ_BYTES (64 * 1024)

/* Encrypted at once at most, and what may be owed: who does not read and has itself be answered again and
 * again, as by updates of keys, would have it grow. */
#define WRITE_BYTES ((size_t)256 * 1024)
#define OWES_MOST ((size_t)1024 * 1024)

/* What nobody needs is decrypted into so much. */
#define SKIP_BYTES (16 * 1024)

/* --- What OpenSSL reads from and writes to: see BIO_meth_new(3) --- */

static int line_on_read(BIO *bio, char *data, int size)
{
    struct tls_line *line = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    line->wanted = (size_t)size;
    if (!line->in.size) {
        if (!line->has_ended)
            BIO_set_retry_read(bio);
        return line->has_ended ? 0 : -1;
    }
    size_t taken = line->in.size < (size_t)size ? line->in.size : (size_t)size;
    memcpy(data, buffer_bytes(&line->in), taken);
    buffer_consume(&line->in, taken);
    line->passed += taken;
    line->taken += taken;
    while (line->piece + 1 < line->got.count && line->passed > line->piece_end)
        line->piece_end += line->got.pieces[++line->piece].size;
    return (int)taken;
}

static int line_on_write(BIO *bio, const char *data, int size)
{
    struct tls_line *line = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buffer_append(&line->out, data, (size_t)size);
    return size;
}

static long line_on_control(BIO *bio, int command, long number, void *pointer)
{
    const struct tls_line *line = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return line->has_ended && !line->in.size;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static BIO_METHOD *line_method(void)
{
    static BIO_METHOD *method;
    if (method)
        return method;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "harnessd");
    if (!method)
        abort();
    BIO_meth_set_read(method, line_on_read);
    BIO_meth_set_write(method, line_on_write);
    BIO_meth_set_ctrl(method, line_on_control);
    return method;
}

/* --- The socket --- */

static struct transport_plan line_plan(const struct tls_line *line)
{
    if (!line->records.unit_bytes || !line->is_ready)
        return (struct transport_plan){.first = READ_BYTES, .count = 1};
    /* A record has begun when more is wanted than the head of one. */
    size_t missing = line->wanted > TLS_LINE_HEAD_BYTES ? line->wanted : line->records.unit_bytes;
    return pieces_plan(&line->records, missing, line->expected, READ_BYTES);
}

/* There is nothing left of what was read before. As read(). */
static ssize_t line_fill(struct transport *transport)
{
    struct tls_line *line = transport->tls;
    struct transport_plan plan = line_plan(line);
    buffer_consume(&line->in, line->in.size);
    uint8_t *room = buffer_reserve(&line->in, transport_plan_bytes(&plan));
    ssize_t got = transport_tcp_read(transport, room, &plan, &line->got);
    line->passed = line->piece = 0;
    line->piece_end = line->got.pieces[0].size;
    if (got == 0)
        line->has_ended = true;
    if (got <= 0)
        return got;
    buffer_grow(&line->in, (size_t)got);
    line->expected = line->got.queued ? line->got.queued : (size_t)got;
    return got;
}

/* False with errno when the socket takes nothing any more; that it does not take all is `owes`. */
static bool line_send(struct transport *transport)
{
    struct tls_line *line = transport->tls;
    ssize_t sent = 0;
    if (line->out.size)
        sent = send(transport->descriptor, buffer_bytes(&line->out), line->out.size, MSG_NOSIGNAL);
    if (sent > 0)
        buffer_consume(&line->out, (size_t)sent);
    transport->owes = line->out.size;
    return sent >= 0 || errno == EAGAIN || errno == EINTR;
}

static void line_look(struct transport *transport)
{
    const struct tls_line *line = transport->tls;
    transport->holds = line->is_ready && (line->in.size || SSL_pending(line->ssl) || line->has_ended);
    transport->writes_later = line->is_ready && SSL_in_init(line->ssl);
}

/* --- Beginning --- */

static enum transport_progress line_shake(struct transport *transport)
{
    struct tls_line *line = transport->tls;
    for (;;) {
        ERR_clear_error();
        int done = SSL_do_handshake(line->ssl);
        int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(line->ssl, done);
        bool has_sent = line_send(transport);
        if (done == 1) {
            line->is_ready = true;
            line->record_end = line->taken;
            line_look(transport);
            return TRANSPORT_READY;
        }
        if (error != SSL_ERROR_WANT_READ) {
            tls_line_note_failure(line);
            errno = EPROTO;
            return TRANSPORT_FAILED;
        }
        if (!has_sent)
            return TRANSPORT_FAILED;
        if (line_fill(transport) < 0)
            return errno == EAGAIN || errno == EINTR ? TRANSPORT_WAITS : TRANSPORT_FAILED;
    }
}

static enum transport_progress transport_tls_begin(struct transport *transport)
{
    struct tls_line *line = transport->tls;
    if (!line->begun_ns)
        line->begun_ns = clock_ns();
    if (!line_send(transport))
        return TRANSPORT_FAILED;
    return line_shake(transport);
}

/* --- Reading and writing --- */

/* A record of so many bytes of plain text, or a part of one, was decrypted: pieces that arrived together are
 * one, and so is what is beyond their number. */
static void line_note(struct tls_line *line, size_t size, bool is_new, struct transport_got *got)
{
    if (is_new) {
        line->stamp_ns = line->got.count ? line->got.pieces[line->piece].stamp_ns : 0;
        pieces_note(&line->records, (size_t)(line->taken - line->record_end));
        line->record_end = line->taken;
    }
    size_t last = got->count - 1;
    if (got->count && (got->pieces[last].stamp_ns == line->stamp_ns || got->count == TRANSPORT_PIECES)) {
        got->pieces[last].size += size;
        got->pieces[last].stamp_ns = line->stamp_ns;
        return;
    }
    got->pieces[got->count].size = size;
    got->pieces[got->count++].stamp_ns = line->stamp_ns;
}

/* One record or what is left of it: 1, 0 when there is no more now, -1 with errno when it has failed or
 * ended, which is ENODATA. */
static int line_decrypt(struct tls_line *line, uint8_t *data, size_t room, size_t *size)
{
    ERR_clear_error();
    if (SSL_read_ex(line->ssl, data, room, size) == 1)
        return 1;
    switch (SSL_get_error(line->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        errno = ENODATA;
        return -1;
    default:
        tls_line_note_failure(line);
        errno = EPROTO;
        return -1;
    }
}

static ssize_t line_read(struct transport *transport, uint8_t *data, size_t room, struct transport_got *got)
{
    struct tls_line *line = transport->tls;
    size_t size = 0;
    int result = 0;
    got->count = got->queued = 0;
    if (!line->in.size && !SSL_pending(line->ssl) && !line->has_ended && line_fill(transport) < 0)
        return -1;
    while (size < room) {
        size_t came = 0;
        bool is_new = !SSL_pending(line->ssl);
        result = line_decrypt(line, data + size, room - size, &came);
        if (result <= 0)
            break;
        line_note(line, came, is_new, got);
        size += came;
    }
    int error = errno;
    got->queued = line->in.size + (size_t)SSL_pending(line->ssl) + line->got.queued;
    (void)line_send(transport); /* what was answered; who writes is told if it cannot be sent */
    line_look(transport);
    if (transport->owes > OWES_MOST) {
        tls_line_note_unread(line);
        errno = EPROTO;
        return -1;
    }
    if (size)
        return (ssize_t)size;
    errno = result < 0 ? error : EAGAIN;
    return result < 0 && error == ENODATA ? 0 : -1;
}

static ssize_t transport_tls_read(struct transport *transport, uint8_t *data,
                                  const struct transport_plan *plan, struct transport_got *got)
{
    return line_read(transport, data, transport_plan_bytes(plan), got);
}

static ssize_t transport_tls_skip(struct transport *transport, size_t size)
{
    uint8_t scratch[SKIP_BYTES];
    struct transport_got got;
    return line_read(transport, scratch, size < sizeof(scratch) ? size : sizeof(scratch), &got);
}

/* While both sides renegotiate, whoever writes has OpenSSL take what comes for a part of that, and fail when
 * it is not: so it is written when the rest was read. */
static ssize_t transport_tls_write(struct transport *transport, const void *data, size_t size)
{
    struct tls_line *line = transport->tls;
    size_t written = 0;
    if (!line_send(transport))
        return -1;
    transport->writes_later = SSL_in_init(line->ssl) || SSL_renegotiate_pending(line->ssl);
    if (!size)
        return 0;
    if (transport->owes || transport->writes_later) {
        errno = EAGAIN;
        return -1;
    }
    ERR_clear_error();
    if (SSL_write_ex(line->ssl, data, size < WRITE_BYTES ? size : WRITE_BYTES, &written) != 1) {
        tls_line_note_failure(line);
        errno = EPROTO;
        return -1;
    }
    return line_send(transport) ? (ssize_t)written : -1;
}

static bool transport_tls_is_full(const struct transport *transport)
{
    return transport->owes || transport_tcp_is_full(transport);
}

/* The other side is told as far as the socket takes it at once. */
static void transport_tls_close(struct transport *transport)
{
    struct tls_line *line = transport->tls;
    if (line->is_ready && !line->has_failed && !SSL_in_init(line->ssl))
        (void)SSL_shutdown(line->ssl);
    (void)line_send(transport);
    ERR_clear_error();
    tls_line_free(line);
    transport->tls = NULL;
    transport->owes = 0;
    transport_tcp_close(transport);
}

static const char *transport_tls_problem(const struct transport *transport, enum transport_end end)
{
    return tls_line_problem(transport->tls, end);
}

static const char *transport_tls_doubt(const struct transport *transport, const char *node)
{
    return tls_line_doubt(transport->tls, node);
}

static const struct transport_operations operations = {
    .name = "tls",
    .handshake_length_bytes = 4,
    .begin = transport_tls_begin,
    .problem = transport_tls_problem,
    .doubt = transport_tls_doubt,
    .read = transport_tls_read,
    .write = transport_tls_write,
    .is_full = transport_tls_is_full,
    .skip = transport_tls_skip,
    .close = transport_tls_close,
};

static void line_start(struct transport *transport, struct tls *tls, enum tls_role role, const char *node)
{
    struct tls_line *line = tls_line_new(tls, role, node);
    BIO *bio = BIO_new(line_method());
    if (!bio)
        abort();
    BIO_set_data(bio, line);
    BIO_set_init(bio, 1);
    SSL_set_bio(line->ssl, bio, bio);
    transport->tls = line;
    transport->operations = &operations;
    transport->has_pieces = true;
}

void transport_tls_become(struct transport *transport, struct tls *tls)
{
    line_start(transport, tls, TLS_SERVER, NULL);
}

void transport_tls_become_client(struct transport *transport, struct tls *tls, const char *node)
{
    line_start(transport, tls, TLS_CLIENT, node);
}
