/* TLS from inside: contexts, what their certificates are, and problems as sentences. tls.c reads files,
 * tls_certificate.c looks at certificates, tls_problem.c makes sentences, transport_tls.c speaks. */
#ifndef HARNESSD_TRANSPORT_TLS_PRIVATE_H
#define HARNESSD_TRANSPORT_TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <sys/stat.h>

#include "base/log_repeat.h"
#include "transport/tls.h"

#define TLS_FILES_MOST (TLS_ROLES * (2 * TLS_CERTIFICATES_MOST + 1))

/* What tells that a file is another one than it was. */
struct tls_file {
    const char *name;
    dev_t device;
    ino_t number;
    off_t size;
    struct timespec changed;
};

struct tls {
    const struct tls_options *options;
    char *host;
    SSL_CTX *contexts[TLS_ROLES];
    struct tls_file files[TLS_FILES_MOST]; /* as they were looked at last */
    size_t file_count;
    int64_t begins_s; /* of the certificate that ends first */
    int64_t ends_s;
    struct log_repeat unfit; /* files that have changed and do not belong together */
    int64_t warned_s;        /* when it was warned that one ends soon; 0: not */
    uint64_t reads;          /* times that the files were read */
};

/* The context of a role, of files as they are now where these belong together. */
SSL_CTX *tls_context(struct tls *tls, enum tls_role role);

/* --- tls_certificate.c --- */

/* "CN=app (DNS:app.example, IP:192.0.2.1)", cut to `size` bytes. */
const char *tls_certificate_text(const X509 *certificate, char *text, size_t size);

/* Its names alone. */
const char *tls_certificate_names(const X509 *certificate, char *text, size_t size);

/* Whether it is one for this host: a name or an address, in any form that some release of OTP takes. */
MUST_CHECK bool tls_certificate_is_for(X509 *certificate, const char *host, bool takes_wildcards);

int64_t tls_certificate_begins_s(const X509 *certificate);
int64_t tls_certificate_ends_s(const X509 *certificate);

/* Calls back for each thing that others will dislike in a certificate of this host. */
void tls_certificate_look(SSL_CTX *context, X509 *certificate, const char *host,
                          void (*dislike)(void *owner, const char *what), void *owner);

/* --- tls_problem.c --- */

/* The last error of OpenSSL on this thread, which forgets it. */
const char *tls_problem_last(char *text, size_t size);

/* The alert that the other side has refused this one with, by the last error; -1 when it is none. */
int tls_problem_alert(void);

/* What an alert of the other side means to who has to do something about it. */
const char *tls_problem_alert_text(int alert);

#endif
