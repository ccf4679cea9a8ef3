/* What this node shows and demands over TLS, out of files that may change while it runs. TLS 1.2 and 1.3 by
 * OpenSSL, as the distribution of OTP speaks it: both sides show certificates where that is asked for. */
#ifndef HARNESSD_TRANSPORT_TLS_H
#define HARNESSD_TRANSPORT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* A certificate file has the certificates that go with it behind the first one. It may have the key. */
struct tls_certificate {
    char *file;
    char *key;      /* NULL: in the same file */
    char *password; /* of the key, or NULL */
};

/* One for each kind of key. */
#define TLS_CERTIFICATES_MOST 4

enum tls_role {
    TLS_SERVER, /* is dialled */
    TLS_CLIENT, /* dials */
    TLS_ROLES
};

#define TLS_VERSION_1_2 12
#define TLS_VERSION_1_3 13

/* What it is as one of both. Strings are the owner's of the options. */
struct tls_role_options {
    struct tls_certificate certificates[TLS_CERTIFICATES_MOST];
    size_t certificate_count;
    char *ca;                  /* file with who is trusted, or NULL */
    bool verifies;             /* the certificate of the other side */
    bool verifies_name;        /* of a node that is dialled: it has the host of the node's name */
    bool takes_wildcards;      /* names such as *.example */
    bool requires_certificate; /* of who dials */
    bool prefers_own_ciphers;  /* to what who dials prefers */
    char *name;        /* is asked for, and has to be in the certificate, instead of the host; or NULL */
    int depth;         /* certificates between the other side's and one that is trusted; -1: not said */
    int least_version; /* TLS_VERSION_1_2 or TLS_VERSION_1_3, as the next one */
    int most_version;
    char *ciphers; /* OpenSSL's names with colons between them, of TLS 1.2; NULL: its own choice */
    char *suites;  /* likewise, of TLS 1.3 */
};

/* With which nothing is shown and everything is demanded. */
struct tls_role_options tls_role_options_default(void);

struct tls_options {
    struct tls_role_options roles[TLS_ROLES];
};

/* Frees the strings. */
void tls_options_clear(struct tls_options *options);

struct tls;

/* Reads the files; the options are the caller's and outlive it. `host` is that of this node's name, which
 * others look for in its certificates. NULL when something is wrong; `*problem` then names the file and says
 * what, and is to be freed. */
MUST_CHECK struct tls *tls_new(const struct tls_options *options, const char *host, char **problem);

/* When its connections are closed. */
void tls_free(struct tls *tls);

/* Logs what is checked of others, and what these will dislike in the certificates of this node: names that
 * are missing, usages, time. */
void tls_tell(const struct tls *tls);

/* To be called now and then: reads files that have changed, if they belong together, and warns of a
 * certificate that is near its end. So does each new connection with the former. */
void tls_watch(struct tls *tls);

/* What speaks TLS over a stream of another library, as who was dialled, by files as they are now: an SSL of
 * OpenSSL that is the caller's. */
struct ssl_st;
MUST_CHECK struct ssl_st *tls_new_stream(struct tls *tls);

/* An error that OpenSSL has told such a library of, in its words. */
const char *tls_error_text(unsigned long error);

/* When the first of its certificates ends, in seconds since 1970; 0: it has none. */
int64_t tls_ends_s(const struct tls *tls);

#endif
