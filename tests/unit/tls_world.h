/* Certificates made by the test, in a folder of its own, and another side that speaks TLS by OpenSSL alone.
 */
#ifndef HARNESSD_TESTS_TLS_WORLD_H
#define HARNESSD_TESTS_TLS_WORLD_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cmocka.h>

#include "base/memory.h"
#include "remove_tree.h"
#include "transport_tcp_private.h"
#include "transport_tls_private.h"

/* What a certificate is to be like. */
struct made {
    const char *name;   /* of its files: NAME.pem, NAME.key */
    const char *issuer; /* likewise; NULL: itself */
    const char *names;  /* subjectAltName, or NULL */
    const char *usages; /* extendedKeyUsage, or NULL */
    long from_s, to_s;  /* of now */
    bool is_ca;
    bool with_issuer; /* behind it in its file */
};

#define DAY_S (24L * 60 * 60)
#define NODE "app@near.test"

struct tls_world {
    char folder[64];
};

static inline char *world_file(const struct tls_world *world, const char *name, const char *suffix)
{
    return memory_format("%s/%s%s", world->folder, name, suffix);
}

static inline void world_add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static inline EVP_PKEY *world_read_key(const struct tls_world *world, const char *name)
{
    char *file = world_file(world, name, ".key");
    FILE *stream = fopen(file, "r");
    EVP_PKEY *key = PEM_read_PrivateKey(stream, NULL, NULL, NULL);
    fclose(stream);
    free(file);
    return key;
}

static inline X509 *world_read_certificate(const struct tls_world *world, const char *name)
{
    char *file = world_file(world, name, ".pem");
    FILE *stream = fopen(file, "r");
    X509 *certificate = PEM_read_X509(stream, NULL, NULL, NULL);
    fclose(stream);
    free(file);
    return certificate;
}

static inline void world_write(const struct tls_world *world, const struct made *made, X509 *certificate,
                               EVP_PKEY *key)
{
    char *file = world_file(world, made->name, ".pem"), *key_file = world_file(world, made->name, ".key");
    FILE *stream = fopen(file, "w");
    PEM_write_X509(stream, certificate);
    if (made->with_issuer) {
        X509 *issuer = world_read_certificate(world, made->issuer);
        PEM_write_X509(stream, issuer);
        X509_free(issuer);
    }
    fclose(stream);
    stream = fopen(key_file, "w");
    PEM_write_PrivateKey(stream, key, NULL, NULL, 0, NULL, NULL);
    fclose(stream);
    free(file);
    free(key_file);
}

static inline void world_make(const struct tls_world *world, const struct made *made)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *issuer = made->issuer ? world_read_certificate(world, made->issuer) : NULL;
    EVP_PKEY *signer = made->issuer ? world_read_key(world, made->issuer) : key;
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), made->from_s ? made->from_s : -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), made->to_s ? made->to_s : 100 * DAY_S);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)made->name, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject);
    if (made->is_ca)
        world_add_extension(certificate, issuer ? issuer : certificate, NID_basic_constraints,
                            "critical,CA:TRUE");
    if (made->names)
        world_add_extension(certificate, issuer ? issuer : certificate, NID_subject_alt_name, made->names);
    if (made->usages)
        world_add_extension(certificate, issuer ? issuer : certificate, NID_ext_key_usage, made->usages);
    assert_true(X509_sign(certificate, signer, EVP_sha256()) > 0);
    world_write(world, made, certificate, key);
    X509_free(certificate);
    X509_free(issuer);
    if (made->issuer)
        EVP_PKEY_free(signer);
    EVP_PKEY_free(key);
}

static inline void tls_world_start(struct tls_world *world)
{
    static const struct made all[] = {
        {.name = "ca", .is_ca = true},
        {.name = "middle", .issuer = "ca", .is_ca = true},
        {.name = "foreign-ca", .is_ca = true},
        {.name = "near", .issuer = "ca", .names = "DNS:near.test,DNS:127.0.0.1,IP:127.0.0.1"},
        {.name = "far", .issuer = "ca", .names = "DNS:near.test"},
    };
    strcpy(world->folder, "/tmp/harnessd-tls-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        world_make(world, &all[i]);
}

static inline void tls_world_end(struct tls_world *world)
{
    remove_tree(world->folder);
}

/* As a node with this certificate, of this authority, is in both roles. */
static inline void world_options(const struct tls_world *world, const char *name, const char *ca,
                                 struct tls_options *options)
{
    for (size_t i = 0; i < TLS_ROLES; i++) {
        struct tls_role_options *role = &options->roles[i];
        *role = tls_role_options_default();
        role->verifies_name = i == TLS_CLIENT;
        role->certificate_count = name ? 1 : 0;
        role->certificates[0] =
            (struct tls_certificate){.file = name ? world_file(world, name, ".pem") : NULL,
                                     .key = name ? world_file(world, name, ".key") : NULL};
        role->ca = world_file(world, ca, ".pem");
    }
}

static inline struct tls *world_tls(const struct tls_options *options)
{
    char *problem = NULL;
    struct tls *tls = tls_new(options, "near.test", &problem);
    if (problem)
        fail_msg("%s", problem);
    return tls;
}

/* --- The other side --- */

struct far_options {
    const char *certificate; /* by the name of its files, or NULL */
    const char *ca;          /* that it verifies by, or NULL */
    int version;             /* TLS1_2_VERSION or TLS1_3_VERSION; 0: both */
    bool demands;            /* a certificate, as a server */
};

struct pair {
    struct transport transport;
    SSL_CTX *context;
    SSL *far; /* NULL once it has ended */
    int descriptor;
    enum transport_progress progress;
    bool far_failed;
};

static inline SSL_CTX *far_context(const struct tls_world *world, const struct far_options *options,
                                   bool is_server)
{
    SSL_CTX *context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (options->certificate) {
        char *file = world_file(world, options->certificate, ".pem");
        char *key = world_file(world, options->certificate, ".key");
        assert_int_equal(SSL_CTX_use_certificate_chain_file(context, file), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM), 1);
        free(file);
        free(key);
    }
    if (options->ca) {
        char *file = world_file(world, options->ca, ".pem");
        assert_int_equal(SSL_CTX_load_verify_locations(context, file, NULL), 1);
        SSL_CTX_set_verify(context,
                           SSL_VERIFY_PEER | (options->demands ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
        free(file);
    }
    if (options->version) {
        SSL_CTX_set_min_proto_version(context, options->version);
        SSL_CTX_set_max_proto_version(context, options->version);
    }
    SSL_CTX_set_options(context, SSL_OP_ALLOW_CLIENT_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

/* The transport is a node in `role`, which nothing has been said to. */
static inline void pair_start(const struct tls_world *world, struct pair *pair, struct tls *tls,
                              enum tls_role role, const struct far_options *options)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    *pair = (struct pair){.descriptor = ends[1], .progress = TRANSPORT_WAITS};
    transport_tcp_accept(&pair->transport, ends[0]);
    if (role == TLS_SERVER)
        transport_tls_become(&pair->transport, tls);
    else
        transport_tls_become_client(&pair->transport, tls, NODE);
    pair->context = far_context(world, options, role == TLS_CLIENT);
    pair->far = SSL_new(pair->context);
    SSL_set_fd(pair->far, pair->descriptor);
    if (role == TLS_CLIENT)
        SSL_set_accept_state(pair->far);
    else
        SSL_set_connect_state(pair->far);
}

static inline void pair_end(struct pair *pair)
{
    pair->transport.operations->close(&pair->transport);
    SSL_free(pair->far);
    SSL_CTX_free(pair->context);
    if (pair->descriptor >= 0)
        close(pair->descriptor);
    ERR_clear_error();
}

/* Has both go on until the transport is decided. */
static inline void pair_shake(struct pair *pair)
{
    for (int i = 0; i < 100 && pair->progress == TRANSPORT_WAITS; i++) {
        pair->progress = pair->transport.operations->begin(&pair->transport);
        if (pair->far_failed || SSL_is_init_finished(pair->far))
            continue;
        ERR_clear_error();
        int done = SSL_do_handshake(pair->far);
        int error = SSL_get_error(pair->far, done);
        pair->far_failed = done != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
    }
    if (!pair->far_failed && !SSL_is_init_finished(pair->far))
        (void)SSL_do_handshake(pair->far);
    ERR_clear_error();
}

static inline const char *pair_problem(const struct pair *pair)
{
    const char *problem = transport_problem(&pair->transport, TRANSPORT_ERROR, EPROTO);
    return problem ? problem : "";
}

/* Reads what there is, `size` bytes at most: as the operation. */
static inline ssize_t pair_read(struct pair *pair, void *data, size_t size)
{
    struct transport_got got;
    const struct transport_plan plan = {.first = size, .count = 1};
    ssize_t result = pair->transport.operations->read(&pair->transport, data, &plan, &got);
    size_t sum = 0;
    for (size_t i = 0; i < got.count; i++)
        sum += got.pieces[i].size;
    if (result > 0)
        assert_int_equal(result, sum);
    return result;
}

/* --- Of all tests of a program --- */

static struct tls_world world;

static inline int world_set_up(void **state)
{
    (void)state;
    tls_world_start(&world);
    return 0;
}

static inline int world_tear_down(void **state)
{
    (void)state;
    tls_world_end(&world);
    return 0;
}

#endif
