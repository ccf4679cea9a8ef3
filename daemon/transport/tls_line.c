#include "tls_line_private.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tls_private.h"

#define TEXT_BYTES 400

/* A plain node waits for so long, 7 s as a rule, for the rest of what it takes for a long message. */
#define PLAIN_PATIENCE_NS (4 * CLOCK_NS_PER_S)

static const struct tls_role_options *line_options(const struct tls_line *line)
{
    return &line->tls->options->roles[line->role];
}

static bool line_is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* The name that is asked for as well, which is no address. */
static void line_set_name(struct tls_line *line, const char *node)
{
    const struct tls_role_options *options = line_options(line);
    const char *at = node ? strchr(node, '@') : NULL;
    const char *name = options->name ? options->name : at ? at + 1 : NULL;
    if (!name)
        return;
    if (!line_is_address(name))
        SSL_set_tlsext_host_name(line->ssl, name);
    if (options->verifies && options->verifies_name)
        line->name = memory_string(name);
}

/* --- Who is at the other side --- */

static void line_refuse(struct tls_line *line, X509 *certificate, int error)
{
    char text[TEXT_BYTES];
    tls_certificate_text(certificate, text, sizeof(text));
    if (error == X509_V_ERR_HOSTNAME_MISMATCH)
        snprintf(line->problem, sizeof(line->problem),
                 "the peer's certificate is for another host: %s is wanted, and it is %s", line->name, text);
    else
        snprintf(line->problem, sizeof(line->problem),
                 "this node refuses the peer's certificate: %s; it is %s",
                 X509_verify_cert_error_string(error), text);
}

/* OpenSSL's callback about each certificate of the other side. */
static int line_on_verify(int is_good, X509_STORE_CTX *verifying)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(verifying, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_line *line = SSL_get_app_data(ssl);
    X509 *certificate = X509_STORE_CTX_get_current_cert(verifying);
    if (is_good && X509_STORE_CTX_get_error_depth(verifying) == 0 && line->name &&
        !tls_certificate_is_for(certificate, line->name, line_options(line)->takes_wildcards)) {
        X509_STORE_CTX_set_error(verifying, X509_V_ERR_HOSTNAME_MISMATCH);
        is_good = 0;
    }
    if (!is_good)
        line_refuse(line, certificate, X509_STORE_CTX_get_error(verifying));
    return is_good;
}

/* Who dials has its name checked only where that is asked for: OTP does not, unless told to. */
const char *tls_line_doubt(struct tls_line *line, const char *node)
{
    const struct tls_role_options *options = line_options(line);
    X509 *certificate = SSL_get0_peer_certificate(line->ssl);
    const char *host = strchr(node, '@') + 1;
    char text[TEXT_BYTES];
    if (line->role != TLS_SERVER || !options->verifies || !options->verifies_name || !certificate ||
        tls_certificate_is_for(certificate, host, options->takes_wildcards))
        return NULL;
    snprintf(line->problem, sizeof(line->problem), "its certificate is for another host than %s: it is %s",
             host, tls_certificate_text(certificate, text, sizeof(text)));
    return line->problem;
}

/* --- Beginning and end --- */

struct tls_line *tls_line_new(struct tls *tls, enum tls_role role, const char *node)
{
    struct tls_line *line = memory_zalloc(1, sizeof(*line));
    line->tls = tls;
    line->role = role;
    line->ssl = SSL_new(tls_context(tls, role));
    if (!line->ssl)
        abort();
    SSL_set_app_data(line->ssl, line);
    SSL_set_verify(line->ssl, SSL_get_verify_mode(line->ssl), line_on_verify);
    if (role == TLS_CLIENT) {
        SSL_set_connect_state(line->ssl);
        line_set_name(line, node);
    } else {
        SSL_set_accept_state(line->ssl);
    }
    return line;
}

void tls_line_free(struct tls_line *line)
{
    SSL_free(line->ssl);
    buffer_free(&line->in);
    buffer_free(&line->out);
    free(line->name);
    free(line);
}

/* --- What went wrong --- */

/* What this node has shown is what it is about. */
static void line_note_alert(struct tls_line *line, int alert)
{
    char text[TEXT_BYTES];
    const X509 *own = SSL_get_certificate(line->ssl);
    snprintf(line->problem, sizeof(line->problem),
             "the peer ends it (alert \"%s\"): %s; this node has shown %s", SSL_alert_desc_string_long(alert),
             tls_problem_alert_text(alert),
             own ? tls_certificate_text(own, text, sizeof(text)) : "no certificate");
    ERR_clear_error();
}

#define NO_TLS "the peer does not speak TLS: it may be a plain node (node.tls.dial)"

static const struct {
    int reason;
    const char *text;
} reasons[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the peer has shown no certificate, as nodes with verify_none "
                                              "and none in their client's options do, and "
                                              "node.tls.require_peer_certificate wants one"},
    {SSL_R_WRONG_VERSION_NUMBER, NO_TLS},
    {SSL_R_PACKET_LENGTH_TOO_LONG, NO_TLS},
    {SSL_R_DATA_LENGTH_TOO_LONG, NO_TLS}, /* the same, as of OpenSSL 3.5 */
    {SSL_R_BAD_RECORD_TYPE, NO_TLS},
    {SSL_R_NO_SHARED_CIPHER, "no cipher that both sides have, or that suits this node's certificate"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "no version of TLS that both sides have (node.tls.min_version)"},
};

static void line_note_reason(struct tls_line *line)
{
    unsigned long error = ERR_peek_error();
    char text[TEXT_BYTES];
    for (size_t i = 0; i < ARRAY_LENGTH(reasons); i++) {
        if (ERR_GET_LIB(error) != ERR_LIB_SSL || ERR_GET_REASON(error) != reasons[i].reason)
            continue;
        snprintf(line->problem, sizeof(line->problem), "%s", reasons[i].text);
        ERR_clear_error();
        return;
    }
    snprintf(line->problem, sizeof(line->problem), "TLS: %s", tls_problem_last(text, sizeof(text)));
}

static void line_note_early_end(struct tls_line *line)
{
    const char *problem = "closed by the peer in the TLS handshake, without a word: its log may say why";
    bool was_answered = line->role == TLS_SERVER || SSL_get_state(line->ssl) != TLS_ST_CW_CLNT_HELLO;
    if (!was_answered && clock_ns() - line->begun_ns >= PLAIN_PATIENCE_NS)
        problem = "no answer to TLS until the peer closed it: it may be a plain node (node.tls.dial)";
    else if (!was_answered)
        problem =
            "closed by the peer before it has answered in TLS: its own TLS options are probably broken, see "
            "its log";
    snprintf(line->problem, sizeof(line->problem), "%s", problem);
}

void tls_line_note_failure(struct tls_line *line)
{
    int alert = tls_problem_alert();
    line->has_failed = true;
    if (*line->problem) /* the certificate of the other side */
        ERR_clear_error();
    else if (alert >= 0)
        line_note_alert(line, alert);
    else if (line->has_ended && !line->is_ready)
        line_note_early_end(line);
    else
        line_note_reason(line);
}

void tls_line_note_unread(struct tls_line *line)
{
    line->has_failed = true;
    snprintf(line->problem, sizeof(line->problem),
             "the peer has TLS answer it again and again, and does not read the answers");
}

const char *tls_line_problem(struct tls_line *line, enum transport_end end)
{
    if (end == TRANSPORT_ERROR && line->has_failed)
        return line->problem;
    if (end == TRANSPORT_ERROR && !line->is_ready && line->role == TLS_CLIENT) /* errno says what */
        return "reset by the peer in the TLS handshake: its own TLS options are probably broken, see its log";
    if (end == TRANSPORT_SILENT && !line->is_ready)
        return line->role == TLS_CLIENT
                   ? "no answer to TLS in time: the peer may be a plain node (node.tls.dial), or hang"
                   : "the TLS handshake was not done in time";
    return NULL;
}
