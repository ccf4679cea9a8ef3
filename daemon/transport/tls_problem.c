/* Errors of OpenSSL and alerts of the other side, as sentences. */
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "tls_private.h"

/* Reasons of alerts that have come begin here: see SSL_AD_REASON_OFFSET of ssl.h. */
#define ALERT_REASONS SSL_AD_REASON_OFFSET

const char *tls_error_text(unsigned long error)
{
    const char *reason = ERR_reason_error_string(error);
    return reason ? reason : "unknown error";
}

const char *tls_problem_last(char *text, size_t size)
{
    const char *data = NULL, *more = NULL;
    int flags = 0;
    unsigned long error = ERR_peek_last_error_all(NULL, NULL, NULL, &data, &flags);
    if (data && *data && (flags & ERR_TXT_STRING))
        more = data;
    snprintf(text, size, "%s%s%s", tls_error_text(error), more ? ": " : "", more ? more : "");
    ERR_clear_error();
    return text;
}

int tls_problem_alert(void)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    bool is_alert =
        ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= ALERT_REASONS && reason < ALERT_REASONS + 256;
    return is_alert ? reason - ALERT_REASONS : -1;
}

static const struct {
    int alert;
    const char *text;
} alerts[] = {
    {SSL_AD_BAD_CERTIFICATE, "it refuses this node's certificate: bad certificate"},
    {SSL_AD_UNSUPPORTED_CERTIFICATE, "it refuses this node's certificate: unsupported certificate, as its "
                                     "usages (extendedKeyUsage) may not fit"},
    {SSL_AD_CERTIFICATE_REVOKED, "it refuses this node's certificate: revoked"},
    {SSL_AD_CERTIFICATE_EXPIRED,
     "it refuses this node's certificate: expired, or not yet valid by its clock"},
    {SSL_AD_CERTIFICATE_UNKNOWN, "it refuses this node's certificate: its log says why"},
    {SSL_AD_UNKNOWN_CA, "it refuses this node's certificate: unknown CA, as it trusts another one, or an "
                        "intermediate certificate is "
                        "missing"},
    {SSL_AD_HANDSHAKE_FAILURE, "it refuses the handshake: the name or the usages in this node's certificate, "
                               "or no version or cipher that both have"},
    {SSL_AD_PROTOCOL_VERSION, "it has no version of TLS that this node has"},
    {SSL_AD_INSUFFICIENT_SECURITY, "it wants stronger ciphers, or has none for its own certificate, whose "
                                   "keyUsage may lack digitalSignature"},
    {TLS13_AD_CERTIFICATE_REQUIRED, "it demands a certificate and got none of this node"},
    {SSL_AD_UNRECOGNIZED_NAME, "it does not know the name that it was dialled by"},
    {SSL_AD_INTERNAL_ERROR, "it has failed: its own TLS options are probably broken, see its log"},
    {SSL_AD_UNEXPECTED_MESSAGE, "it has got what it did not expect: unexpected message"},
};

const char *tls_problem_alert_text(int alert)
{
    for (size_t i = 0; i < ARRAY_LENGTH(alerts); i++)
        if (alerts[i].alert == alert)
            return alerts[i].text;
    return SSL_alert_desc_string_long(alert);
}
