/* What a connection over TLS has beside its socket: transport_tls.c has it speak, tls_line.c begins and ends
 * it, checks who is at the other side, and says what went wrong. */
#ifndef HARNESSD_TRANSPORT_TLS_LINE_PRIVATE_H
#define HARNESSD_TRANSPORT_TLS_LINE_PRIVATE_H

#include <openssl/ssl.h>

#include "base/buffer.h"
#include "transport/pieces.h"
#include "transport/tls.h"

/* In front of each record: type, version, length. */
#define TLS_LINE_HEAD_BYTES 5

struct tls_line {
    SSL *ssl;
    struct tls *tls;
    enum tls_role role;
    char *name; /* that the other side has to have, or NULL */
    bool is_ready;
    bool has_ended; /* the other side: nothing more comes behind `in` */
    bool has_failed;
    uint64_t begun_ns;

    struct buffer in; /* was read and not decrypted; its pieces are those of `got` */
    struct transport_got got;
    size_t passed;    /* bytes of these that OpenSSL has taken */
    size_t piece;     /* that which the last of them is of */
    size_t piece_end; /* where that ends */
    size_t wanted;    /* bytes that OpenSSL asked for last */
    size_t expected;  /* to be read the next time */
    struct pieces records;
    uint64_t taken;      /* bytes that OpenSSL has taken, of all */
    uint64_t record_end; /* of them up to the end of the last record of the other side */
    uint64_t stamp_ns;   /* of the record that was decrypted last */

    struct buffer out; /* is to be sent */
    char problem[900];
};

struct tls_line *tls_line_new(struct tls *tls, enum tls_role role, const char *node);
void tls_line_free(struct tls_line *line);

/* OpenSSL has failed: keeps why. */
void tls_line_note_failure(struct tls_line *line);

/* The other side does not read what it is answered. */
void tls_line_note_unread(struct tls_line *line);

/* See transport_doubt(). */
const char *tls_line_doubt(struct tls_line *line, const char *node);

/* See transport_problem(). */
const char *tls_line_problem(struct tls_line *line, enum transport_end end);

#endif
