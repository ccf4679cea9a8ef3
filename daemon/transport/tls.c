/* Files become contexts, at the start and whenever they have changed. */
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "tls_private.h"

/* A certificate is near its end when so many seconds are left, and no more than a third of its time, so that
 * those that live for a day are not told of all their life. It is told of again after a day. */
#define NEAR_END_S (14 * 24 * 60 * 60)
#define WARN_AGAIN_S (24 * 60 * 60)

#define TEXT_BYTES 600

struct tls_role_options tls_role_options_default(void)
{
    return (struct tls_role_options){.verifies = true,
                                     .verifies_name = true,
                                     .requires_certificate = true,
                                     .prefers_own_ciphers = true,
                                     .depth = -1,
                                     .least_version = TLS_VERSION_1_2,
                                     .most_version = TLS_VERSION_1_3};
}

static void tls_clear_certificate(struct tls_certificate *certificate)
{
    if (certificate->password)
        explicit_bzero(certificate->password, strlen(certificate->password));
    free(certificate->file);
    free(certificate->key);
    free(certificate->password);
}

void tls_options_clear(struct tls_options *options)
{
    for (size_t i = 0; i < TLS_ROLES; i++) {
        struct tls_role_options *role = &options->roles[i];
        for (size_t k = 0; k < role->certificate_count; k++)
            tls_clear_certificate(&role->certificates[k]);
        free(role->ca);
        free(role->name);
        free(role->ciphers);
        free(role->suites);
        *role = (struct tls_role_options){.depth = -1};
    }
}

/* --- A context --- */

static char *tls_file_problem(const char *what, const char *file)
{
    char text[TEXT_BYTES];
    bool is_readable = access(file, R_OK) == 0;
    const char *reason = is_readable ? NULL : strerror(errno);
    const char *last = tls_problem_last(text, sizeof(text));
    return memory_format("%s %s: %s", what, file, reason ? reason : last);
}

static int tls_on_password(char *buffer, int size, int writes, void *owner)
{
    const char *password = owner;
    (void)writes;
    if (!password || size <= 0 || strlen(password) > (size_t)size)
        return 0;
    memcpy(buffer, password, strlen(password));
    return (int)strlen(password);
}

static char *tls_use_certificate(SSL_CTX *context, const struct tls_certificate *certificate)
{
    const char *key = certificate->key ? certificate->key : certificate->file;
    SSL_CTX_set_default_passwd_cb(context, tls_on_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, certificate->password);
    if (SSL_CTX_use_certificate_chain_file(context, certificate->file) != 1)
        return tls_file_problem("cannot use the certificate in", certificate->file);
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_check_private_key(context) == 1)
        return NULL;
    if (ERR_GET_LIB(ERR_peek_last_error()) != ERR_LIB_X509)
        return tls_file_problem("cannot use the key in", key);
    ERR_clear_error();
    return memory_format("the key in %s is not that of the certificate in %s", key, certificate->file);
}

static char *tls_use_ca(SSL_CTX *context, const struct tls_role_options *options, enum tls_role role)
{
    if (!options->ca)
        return options->verifies ? memory_string("there is no CA to check the certificates of others with")
                                 : NULL;
    if (SSL_CTX_load_verify_locations(context, options->ca, NULL) != 1)
        return tls_file_problem("cannot use the CA in", options->ca);
    if (role == TLS_SERVER)
        SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options->ca));
    return NULL;
}

static char *tls_use_ciphers(SSL_CTX *context, const struct tls_role_options *options)
{
    const char *refused = NULL;
    if (options->ciphers && SSL_CTX_set_cipher_list(context, options->ciphers) != 1)
        refused = options->ciphers;
    else if (options->suites && SSL_CTX_set_ciphersuites(context, options->suites) != 1)
        refused = options->suites;
    ERR_clear_error();
    return refused ? memory_format("OpenSSL has no such ciphers: %s", refused) : NULL;
}

static int tls_version(int version)
{
    return version == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

/* The same with all versions of OpenSSL, of which later ones begin with larger ones; OTP 25 needs P-256. */
#define GROUPS "X25519:P-256:X448:P-521:P-384"

/* BEAM nodes renegotiate TLS 1.2 after so many records, and a node that ends says nothing first. Sessions are
 * never resumed: a connection lasts. */
static void tls_configure(SSL_CTX *context, const struct tls_role_options *options, enum tls_role role)
{
    int mode = SSL_VERIFY_NONE;
    if (options->verifies)
        mode = SSL_VERIFY_PEER;
    if (options->verifies && role == TLS_SERVER && options->requires_certificate)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ALLOW_CLIENT_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    SSL_CTX_clear_options(context, SSL_OP_NO_RENEGOTIATION);
    if (options->prefers_own_ciphers)
        SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_verify(context, mode, NULL);
    (void)SSL_CTX_set1_groups_list(context, GROUPS);
    if (options->depth >= 0)
        SSL_CTX_set_verify_depth(context, options->depth);
    SSL_CTX_set_min_proto_version(context, tls_version(options->least_version));
    SSL_CTX_set_max_proto_version(context, tls_version(options->most_version));
}

/* NULL with a problem. */
static SSL_CTX *tls_make_context(const struct tls_role_options *options, enum tls_role role, char **problem)
{
    SSL_CTX *context = SSL_CTX_new(role == TLS_SERVER ? TLS_server_method() : TLS_client_method());
    if (!context) {
        *problem = memory_string("cannot use OpenSSL");
        return NULL;
    }
    ERR_clear_error();
    tls_configure(context, options, role);
    *problem = tls_use_ca(context, options, role);
    for (size_t i = 0; i < options->certificate_count && !*problem; i++)
        *problem = tls_use_certificate(context, &options->certificates[i]);
    if (!*problem)
        *problem = tls_use_ciphers(context, options);
    /* What it pointed to may go before it does. */
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    if (!*problem)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

/* --- Warnings --- */

struct tls_dislikes {
    const X509 *certificate;
    const char *file;
};

static void tls_on_dislike(void *owner, const char *what)
{
    const struct tls_dislikes *dislikes = owner;
    char text[TEXT_BYTES];
    log_each(LOG_LEVEL_WARNING, "others may refuse this node's certificate",
             log_string("file", dislikes->file), log_string("reason", what),
             log_string("certificate", tls_certificate_text(dislikes->certificate, text, sizeof(text))));
}

static void tls_warn(const struct tls *tls)
{
    const struct tls_certificate *last = NULL;
    for (size_t i = 0; i < TLS_ROLES; i++) {
        const struct tls_role_options *role = &tls->options->roles[i];
        X509 *certificate = SSL_CTX_get0_certificate(tls->contexts[i]);
        if (!certificate || !role->certificate_count)
            continue;
        const struct tls_certificate *shown = &role->certificates[role->certificate_count - 1];
        if (last && strcmp(last->file, shown->file) == 0)
            continue;
        last = shown;
        struct tls_dislikes dislikes = {.certificate = certificate, .file = shown->file};
        tls_certificate_look(tls->contexts[i], certificate, tls->host, tls_on_dislike, &dislikes);
    }
}

/* --- Files --- */

static void tls_look_at_file(struct tls_file *file)
{
    struct stat status;
    if (stat(file->name, &status) != 0)
        status = (struct stat){.st_size = -1};
    file->device = status.st_dev;
    file->number = status.st_ino;
    file->size = status.st_size;
    file->changed = status.st_mtim;
}

static void tls_add_file(struct tls *tls, const char *name)
{
    if (!name)
        return;
    tls->files[tls->file_count] = (struct tls_file){.name = name};
    tls_look_at_file(&tls->files[tls->file_count++]);
}

static void tls_find_files(struct tls *tls)
{
    for (size_t i = 0; i < TLS_ROLES; i++) {
        const struct tls_role_options *role = &tls->options->roles[i];
        tls_add_file(tls, role->ca);
        for (size_t k = 0; k < role->certificate_count; k++) {
            tls_add_file(tls, role->certificates[k].file);
            tls_add_file(tls, role->certificates[k].key);
        }
    }
}

/* Whether any of them is another one than when this was asked before. */
static bool tls_has_changed(struct tls *tls)
{
    bool has_changed = false;
    for (size_t i = 0; i < tls->file_count; i++) {
        struct tls_file before = tls->files[i];
        tls_look_at_file(&tls->files[i]);
        const struct tls_file *now = &tls->files[i];
        has_changed |= before.device != now->device || before.number != now->number ||
                       before.size != now->size || before.changed.tv_sec != now->changed.tv_sec ||
                       before.changed.tv_nsec != now->changed.tv_nsec;
    }
    return has_changed;
}

static void tls_note_end(struct tls *tls)
{
    tls->begins_s = tls->ends_s = tls->warned_s = 0;
    for (size_t i = 0; i < TLS_ROLES; i++) {
        const X509 *certificate = SSL_CTX_get0_certificate(tls->contexts[i]);
        if (!certificate || (tls->ends_s && tls_certificate_ends_s(certificate) >= tls->ends_s))
            continue;
        tls->begins_s = tls_certificate_begins_s(certificate);
        tls->ends_s = tls_certificate_ends_s(certificate);
    }
}

/* All of them, or none: what was there before stays then. */
static bool tls_read(struct tls *tls, char **problem)
{
    SSL_CTX *contexts[TLS_ROLES] = {NULL};
    for (size_t i = 0; i < TLS_ROLES; i++) {
        contexts[i] = tls_make_context(&tls->options->roles[i], (enum tls_role)i, problem);
        if (contexts[i])
            continue;
        while (i--)
            SSL_CTX_free(contexts[i]);
        return false;
    }
    for (size_t i = 0; i < TLS_ROLES; i++) {
        SSL_CTX_free(tls->contexts[i]);
        tls->contexts[i] = contexts[i];
    }
    tls->reads++;
    tls_note_end(tls);
    return true;
}

/* Who replaces a certificate and its key does one after the other: what is there in between does not belong
 * together, and is not used. */
static void tls_read_if_changed(struct tls *tls)
{
    char *problem = NULL;
    if (!tls_has_changed(tls))
        return;
    if (tls_read(tls, &problem)) {
        log_info("certificates read again", log_integer("ends_s", tls->ends_s));
        (void)log_repeat_is_over(&tls->unfit);
        tls_warn(tls);
    } else if (log_repeat_is_due(&tls->unfit)) {
        log_warning("certificates have changed and cannot be used; those before stay",
                    log_string("problem", problem), log_times(&tls->unfit));
    }
    free(problem);
}

SSL_CTX *tls_context(struct tls *tls, enum tls_role role)
{
    tls_read_if_changed(tls);
    return tls->contexts[role];
}

struct tls *tls_new(const struct tls_options *options, const char *host, char **problem)
{
    struct tls *tls = memory_zalloc(1, sizeof(*tls));
    *problem = NULL;
    tls->options = options;
    tls->host = memory_string(host);
    tls_find_files(tls);
    if (tls_read(tls, problem))
        return tls;
    tls_free(tls);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    for (size_t i = 0; i < TLS_ROLES; i++)
        SSL_CTX_free(tls->contexts[i]);
    free(tls->host);
    free(tls);
}

/* It lasts no longer than a few requests: there is nothing to renegotiate. */
SSL *tls_new_stream(struct tls *tls)
{
    SSL *ssl = SSL_new(tls_context(tls, TLS_SERVER));
    if (!ssl)
        abort();
    SSL_clear_options(ssl, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    SSL_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
    return ssl;
}

/* --- What is told --- */

static const char *tls_checked(const struct tls_role_options *role)
{
    if (!role->verifies)
        return "no";
    return role->verifies_name ? "with their names" : "without their names";
}

void tls_tell(const struct tls *tls)
{
    const struct tls_role_options *roles = tls->options->roles;
    log_each(LOG_LEVEL_INFO, "certificates of other nodes are checked",
             log_string("when_dialled", tls_checked(&roles[TLS_CLIENT])),
             log_string("when_dialling", tls_checked(&roles[TLS_SERVER])),
             log_string("revocation", "not looked at"));
    tls_warn(tls);
}

void tls_watch(struct tls *tls)
{
    tls_read_if_changed(tls);
    const int64_t now_s = (int64_t)time(NULL), left_s = tls->ends_s - now_s;
    bool is_near = tls->ends_s && left_s < NEAR_END_S && left_s < (tls->ends_s - tls->begins_s) / 3;
    if (!is_near || (tls->warned_s && now_s - tls->warned_s < WARN_AGAIN_S))
        return;
    tls->warned_s = now_s;
    if (left_s > 0)
        log_warning("a certificate of this node ends soon", log_integer("left_s", left_s));
    else
        log_error("a certificate of this node has ended: others refuse it", log_integer("since_s", -left_s));
}

int64_t tls_ends_s(const struct tls *tls)
{
    return tls->ends_s;
}
