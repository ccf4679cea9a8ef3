/* What is in a certificate, for people and for who looks for a name. */
#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/buffer.h"
#include "tls_private.h"

#define NAMES_BYTES 400

/* --- As text --- */

static void certificate_append_address(struct buffer *text, const ASN1_OCTET_STRING *address)
{
    char shown[INET6_ADDRSTRLEN] = "?";
    int size = ASN1_STRING_length(address);
    if (size == 4 || size == 16)
        (void)inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), shown, sizeof(shown));
    buffer_print(text, "IP:%s", shown);
}

/* A name is the other side's: what is no plain text in it is not shown as it is. */
static void certificate_append_bytes(struct buffer *text, const ASN1_STRING *string)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(string);
    for (int i = 0; i < ASN1_STRING_length(string); i++)
        buffer_print(text, "%c", bytes[i] > ' ' && bytes[i] < 0x7f ? bytes[i] : '?');
}

static void certificate_append_names(struct buffer *text, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t before = text->size;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && text->size < before + NAMES_BYTES; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS && name->type != GEN_IPADD)
            continue;
        buffer_print(text, "%s", text->size > before ? ", " : "");
        if (name->type == GEN_IPADD) {
            certificate_append_address(text, name->d.iPAddress);
        } else {
            buffer_print(text, "DNS:");
            certificate_append_bytes(text, name->d.dNSName);
        }
    }
    if (text->size == before)
        buffer_print(text, "no subjectAltName");
    GENERAL_NAMES_free(names);
}

static const char *certificate_cut(struct buffer *text, char *shown, size_t size)
{
    size_t used = text->size < size - 1 ? text->size : size - 1;
    memcpy(shown, buffer_bytes(text), used);
    shown[used] = '\0';
    buffer_free(text);
    return shown;
}

const char *tls_certificate_names(const X509 *certificate, char *text, size_t size)
{
    struct buffer names = {0};
    certificate_append_names(&names, certificate);
    return certificate_cut(&names, text, size);
}

const char *tls_certificate_text(const X509 *certificate, char *text, size_t size)
{
    struct buffer all = {0};
    char subject[200] = "";
    if (!certificate)
        return "none";
    X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
    buffer_print(&all, "%s (", *subject ? subject : "no subject");
    certificate_append_names(&all, certificate);
    buffer_print(&all, ")");
    return certificate_cut(&all, text, size);
}

/* --- Names --- */

/* The text of an address as a name of DNS is what OTP 25 looks for, the address itself what later ones do. */
bool tls_certificate_is_for(X509 *certificate, const char *host, bool takes_wildcards)
{
    unsigned flags = takes_wildcards ? 0 : X509_CHECK_FLAG_NO_WILDCARDS;
    return X509_check_ip_asc(certificate, host, 0) == 1 ||
           X509_check_host(certificate, host, strlen(host), flags, NULL) == 1;
}

static bool certificate_has_dns(X509 *certificate, const char *host)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        found = name->type == GEN_DNS && (size_t)ASN1_STRING_length(name->d.dNSName) == strlen(host) &&
                strncasecmp((const char *)ASN1_STRING_get0_data(name->d.dNSName), host, strlen(host)) == 0;
    }
    GENERAL_NAMES_free(names);
    return found;
}

/* --- Time --- */

static int64_t certificate_seconds(const ASN1_TIME *time)
{
    struct tm tm;
    return time && ASN1_TIME_to_tm(time, &tm) ? (int64_t)timegm(&tm) : 0;
}

int64_t tls_certificate_begins_s(const X509 *certificate)
{
    return certificate_seconds(X509_get0_notBefore(certificate));
}

int64_t tls_certificate_ends_s(const X509 *certificate)
{
    return certificate_seconds(X509_get0_notAfter(certificate));
}

/* --- What others will dislike --- */

struct certificate_look {
    X509 *certificate;
    const char *host;
    void (*dislike)(void *owner, const char *what);
    void *owner;
};

static void certificate_look_at_names(const struct certificate_look *look)
{
    unsigned char address[sizeof(struct in6_addr)];
    char what[400];
    bool is_address =
        inet_pton(AF_INET, look->host, address) == 1 || inet_pton(AF_INET6, look->host, address) == 1;
    if (!certificate_has_dns(look->certificate, look->host)) {
        snprintf(what, sizeof(what), "it has no DNS:%s%s", look->host,
                 is_address ? ", which nodes of OTP 25 look for when they dial an address" : "");
        look->dislike(look->owner, what);
    }
    if (is_address && X509_check_ip_asc(look->certificate, look->host, 0) != 1) {
        snprintf(what, sizeof(what), "it has no IP:%s, which nodes of OTP 26 and later look for", look->host);
        look->dislike(look->owner, what);
    }
}

static void certificate_look_at_usages(const struct certificate_look *look)
{
    uint32_t flags = X509_get_extension_flags(look->certificate);
    uint32_t usages = X509_get_extended_key_usage(look->certificate);
    if ((flags & EXFLAG_XKUSAGE) && !(usages & XKU_SSL_SERVER))
        look->dislike(look->owner, "its extendedKeyUsage has no serverAuth: who dials this node refuses it");
    if ((flags & EXFLAG_XKUSAGE) && !(usages & XKU_SSL_CLIENT))
        look->dislike(look->owner, "its extendedKeyUsage has no clientAuth: nodes that it dials refuse it");
    if ((flags & EXFLAG_KUSAGE) && !(X509_get_key_usage(look->certificate) & KU_DIGITAL_SIGNATURE))
        look->dislike(look->owner, "its keyUsage has no digitalSignature");
}

/* By those whom this node trusts itself: others mostly trust the same. */
static void certificate_look_at_chain(const struct certificate_look *look, SSL_CTX *context)
{
    X509_STORE_CTX *verifying = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = NULL;
    char what[300];
    SSL_CTX_select_current_cert(context, look->certificate);
    SSL_CTX_get0_chain_certs(context, &chain);
    if (verifying &&
        X509_STORE_CTX_init(verifying, SSL_CTX_get_cert_store(context), look->certificate, chain) &&
        X509_verify_cert(verifying) != 1) {
        snprintf(what, sizeof(what), "the CA that this node trusts does not vouch for it: %s",
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(verifying)));
        look->dislike(look->owner, what);
    }
    X509_STORE_CTX_free(verifying);
}

void tls_certificate_look(SSL_CTX *context, X509 *certificate, const char *host,
                          void (*dislike)(void *owner, const char *what), void *owner)
{
    struct certificate_look look = {
        .certificate = certificate, .host = host, .dislike = dislike, .owner = owner};
    certificate_look_at_names(&look);
    certificate_look_at_usages(&look);
    certificate_look_at_chain(&look, context);
}
