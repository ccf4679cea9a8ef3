#include "tls_optfile_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "term/term_parse.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define WHERE_BYTES 100
#define TEXT_BYTES 300

#define HTTPS_MATCH_FUN "public_key:pkix_verify_hostname_match_fun(https)"
#define VERIFY_CLIENT_FUN "fun inet_tls_dist:verify_client/3"

/* One role while it is read. */
struct optfile {
    struct tls_role_options *role;
    enum tls_role which;
    const struct tls_optfile_told *told;
    const char *section;
    const char *option; /* that is read */
    bool has_verify;
};

static const char *const sections[TLS_ROLES] = {[TLS_SERVER] = "server", [TLS_CLIENT] = "client"};

static void optfile_problem(const struct optfile *file, const char *format, ...) PRINTF_LIKE(2, 3);

static void optfile_problem(const struct optfile *file, const char *format, ...)
{
    char where[WHERE_BYTES], text[TEXT_BYTES + 100];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    snprintf(where, sizeof(where), "%s.%s", file->section, file->option);
    file->told->problem(file->told->owner, where, text);
}

static void optfile_wants(const struct optfile *file, struct term value, const char *wanted)
{
    char text[TEXT_BYTES];
    const uint8_t *source;
    size_t size;
    if (term_parse_is_evaluated(value, &source, &size))
        optfile_problem(file,
                        "%.*s is to be evaluated by Erlang, which is not done here: %s is wanted, as it is",
                        (int)size, (const char *)source, wanted);
    else
        optfile_problem(file, "%s is not %s", term_text(value, text, sizeof(text)), wanted);
}

/* --- Values: what may be secret is not shown --- */

/* Begins a list; false when it is none, or has a tail, which nobody would read. */
static bool optfile_list_start(struct term_list *list, struct term value)
{
    struct term element;
    if (!term_list_start(list, value))
        return false;
    while (term_list_next(list, &element))
        continue;
    return term_list_proper(list) && term_list_start(list, value);
}

/* A string or binary without NUL as UTF-8; NULL when it is none. */
static char *optfile_string(struct term value)
{
    struct buffer text = {0};
    struct term_list list;
    struct term element;
    const uint8_t *data;
    size_t size;
    bool is_string = true;
    if (term_read_binary(value, &data, &size)) {
        buffer_append(&text, data, size);
    } else if (!optfile_list_start(&list, value)) {
        is_string = false;
    } else {
        while (is_string && term_list_next(&list, &element)) {
            int64_t character;
            uint8_t bytes[4];
            is_string = term_read_integer(element, &character) && character > 0 && character <= 0x10ffff &&
                        (character < 0xd800 || character >= 0xe000);
            if (is_string)
                buffer_append(&text, bytes, utf8_encode((uint32_t)character, bytes));
        }
    }
    is_string = is_string && text.size && !memchr(buffer_bytes(&text), 0, text.size);
    buffer_append(&text, "", 1);
    char *string = is_string ? memory_string((const char *)buffer_bytes(&text)) : NULL;
    buffer_free(&text);
    return string;
}

static void optfile_set(char **target, char *value)
{
    free(*target);
    *target = value;
}

static void optfile_read_string(const struct optfile *file, struct term value, const char *wanted,
                                char **target)
{
    char *string = optfile_string(value);
    if (string)
        optfile_set(target, string);
    else
        optfile_wants(file, value, wanted);
}

static void optfile_read_boolean(const struct optfile *file, struct term value, bool *target)
{
    if (!term_read_boolean(value, target))
        optfile_wants(file, value, "true or false");
}

/* --- Options --- */

static struct tls_certificate *optfile_certificate(struct optfile *file)
{
    if (!file->role->certificate_count)
        file->role->certificate_count = 1;
    return &file->role->certificates[0];
}

static void optfile_certfile(struct optfile *file, struct term value)
{
    optfile_read_string(file, value, "the name of a file", &optfile_certificate(file)->file);
}

static void optfile_keyfile(struct optfile *file, struct term value)
{
    optfile_read_string(file, value, "the name of a file", &optfile_certificate(file)->key);
}

static void optfile_password(struct optfile *file, struct term value)
{
    char *string = optfile_string(value);
    if (string)
        optfile_set(&optfile_certificate(file)->password, string);
    else
        optfile_problem(file, "is no string");
}

static void optfile_cacertfile(struct optfile *file, struct term value)
{
    optfile_read_string(file, value, "the name of a file", &file->role->ca);
}

/* A map of certfile, keyfile and password. */
static void optfile_certificate_and_key(struct optfile *file, struct term value)
{
    struct tls_role_options *role = file->role;
    struct term part;
    if (role->certificate_count == TLS_CERTIFICATES_MOST || !term_pairs_get(value, "certfile", &part)) {
        optfile_problem(file, "is not a list of up to %d maps with certfile and keyfile",
                        TLS_CERTIFICATES_MOST);
        return;
    }
    struct tls_certificate *certificate = &role->certificates[role->certificate_count++];
    optfile_read_string(file, part, "the name of a file", &certificate->file);
    if (term_pairs_get(value, "keyfile", &part))
        optfile_read_string(file, part, "the name of a file", &certificate->key);
    if (term_pairs_get(value, "password", &part))
        optfile_read_string(file, part, "a string", &certificate->password);
}

static void optfile_certs_keys(struct optfile *file, struct term value)
{
    struct term_list list;
    struct term element;
    if (!optfile_list_start(&list, value) || list.string) {
        optfile_wants(file, value, "a list of maps");
        return;
    }
    while (term_list_next(&list, &element))
        optfile_certificate_and_key(file, element);
}

static void optfile_verify(struct optfile *file, struct term value)
{
    file->has_verify = true;
    if (term_is_atom(value, "verify_peer"))
        file->role->verifies = true;
    else if (term_is_atom(value, "verify_none"))
        file->role->verifies = false;
    else
        optfile_wants(file, value, "verify_peer or verify_none");
}

static void optfile_fail_if_no_peer_cert(struct optfile *file, struct term value)
{
    optfile_read_boolean(file, value, &file->role->requires_certificate);
}

static void optfile_depth(struct optfile *file, struct term value)
{
    int64_t depth;
    if (term_read_integer(value, &depth) && depth >= 0 && depth <= 100)
        file->role->depth = (int)depth;
    else
        optfile_wants(file, value, "a number from 0 to 100");
}

/* What is older than 1.2 is not spoken, whatever it says. */
static void optfile_versions(struct optfile *file, struct term value)
{
    struct term_list list;
    struct term element;
    bool has_1_2 = false, has_1_3 = false;
    if (!optfile_list_start(&list, value)) {
        optfile_wants(file, value, "a list such as ['tlsv1.3', 'tlsv1.2']");
        return;
    }
    while (term_list_next(&list, &element)) {
        has_1_2 |= term_is_atom(element, "tlsv1.2");
        has_1_3 |= term_is_atom(element, "tlsv1.3");
    }
    if (!has_1_2 && !has_1_3) {
        optfile_problem(file, "has neither 'tlsv1.2' nor 'tlsv1.3', and nothing older is spoken here");
        return;
    }
    file->role->least_version = has_1_2 ? TLS_VERSION_1_2 : TLS_VERSION_1_3;
    file->role->most_version = has_1_3 ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
}

/* Those of TLS 1.3 are another list for OpenSSL. */
static void optfile_add_cipher(struct optfile *file, const char *name)
{
    char **list = strncmp(name, "TLS_", 4) == 0 ? &file->role->suites : &file->role->ciphers;
    optfile_set(list, *list ? memory_format("%s:%s", *list, name) : memory_string(name));
}

static void optfile_ciphers(struct optfile *file, struct term value)
{
    static const char wanted[] = "a list of OpenSSL's names as strings";
    struct term_list list;
    struct term element;
    char *all = optfile_string(value);
    char *rest = all;
    for (const char *name; (name = strsep(&rest, ":"));)
        optfile_add_cipher(file, name);
    free(all);
    if (all || !optfile_list_start(&list, value)) {
        if (!all)
            optfile_wants(file, value, wanted);
        return;
    }
    while (term_list_next(&list, &element)) {
        char *name = optfile_string(element);
        if (name)
            optfile_add_cipher(file, name);
        else
            optfile_wants(file, element, wanted);
        free(name);
    }
}

static void optfile_honor_cipher_order(struct optfile *file, struct term value)
{
    optfile_read_boolean(file, value, &file->role->prefers_own_ciphers);
}

static void optfile_server_name_indication(struct optfile *file, struct term value)
{
    if (term_is_atom(value, "disable"))
        file->role->verifies_name = false;
    else
        optfile_read_string(file, value, "the name of a host, or disable", &file->role->name);
}

static bool optfile_is_source(struct term value, const char *wanted)
{
    const uint8_t *source;
    size_t size;
    return term_parse_is_evaluated(value, &source, &size) && size == strlen(wanted) &&
           memcmp(source, wanted, size) == 0;
}

static void optfile_customize_hostname_check(struct optfile *file, struct term value)
{
    struct term fun;
    if (term_pairs_get(value, "match_fun", &fun) && optfile_is_source(fun, HTTPS_MATCH_FUN))
        file->role->takes_wildcards = true;
    else
        optfile_problem(file, "only [{match_fun, " HTTPS_MATCH_FUN "}] is known here");
}

static void optfile_verify_fun(struct optfile *file, struct term value)
{
    struct term parts[2];
    if (file->which == TLS_SERVER && term_read_tuple_of(value, 2, parts) &&
        optfile_is_source(parts[0], VERIFY_CLIENT_FUN))
        file->role->verifies_name = true;
    else
        optfile_problem(file, "only {" VERIFY_CLIENT_FUN ", []} of the server is known here");
}

static void optfile_ignore(struct optfile *file, struct term value)
{
    char where[WHERE_BYTES];
    (void)value;
    snprintf(where, sizeof(where), "%s.%s", file->section, file->option);
    file->told->ignored(file->told->owner, where);
}

static void optfile_refuse(struct optfile *file, struct term value)
{
    (void)value;
    optfile_problem(file,
                    "is an option that this node does not have: give it node.tls.certificate, node.tls.key "
                    "and node.tls.ca instead of this file, or a copy without it");
}

static const struct {
    const char *name;
    void (*read)(struct optfile *file, struct term value);
} known[] = {
    {"certfile", optfile_certfile},
    {"keyfile", optfile_keyfile},
    {"password", optfile_password},
    {"cacertfile", optfile_cacertfile},
    {"certs_keys", optfile_certs_keys},
    {"verify", optfile_verify},
    {"fail_if_no_peer_cert", optfile_fail_if_no_peer_cert},
    {"depth", optfile_depth},
    {"versions", optfile_versions},
    {"ciphers", optfile_ciphers},
    {"honor_cipher_order", optfile_honor_cipher_order},
    {"server_name_indication", optfile_server_name_indication},
    {"customize_hostname_check", optfile_customize_hostname_check},
    {"verify_fun", optfile_verify_fun},
    {"secure_renegotiate", optfile_ignore},
    {"client_renegotiation", optfile_ignore},
    {"reuse_sessions", optfile_ignore},
    {"reuse_session", optfile_ignore},
    {"ktls", optfile_ignore},
    {"log_level", optfile_ignore},
    {"log_alert", optfile_ignore},
    {"renegotiate_at", optfile_ignore},
    {"key_update_at", optfile_ignore},
    {"hibernate_after", optfile_ignore},
    {"handshake_timeout", optfile_ignore},
    {"max_handshake_size", optfile_ignore},
    {"eccs", optfile_ignore},
    {"supported_groups", optfile_ignore},
    {"signature_algs", optfile_ignore},
    {"signature_algs_cert", optfile_ignore},
    {"dh", optfile_ignore},
    {"dhfile", optfile_ignore},
    {"padding_check", optfile_ignore},
    {"beast_mitigation", optfile_ignore},
    {"middlebox_comp_mode", optfile_ignore},
    {"cacerts", optfile_refuse},
    {"cert", optfile_refuse},
    {"key", optfile_refuse},
    {"partial_chain", optfile_refuse},
    {"crl_check", optfile_refuse},
    {"crl_cache", optfile_refuse},
    {"session_tickets", optfile_refuse},
    {"early_data", optfile_refuse},
    {"sni_fun", optfile_refuse},
    {"sni_hosts", optfile_refuse},
    {"psk_identity", optfile_refuse},
    {"user_lookup_fun", optfile_refuse},
};

static void optfile_report_unknown(const struct optfile *file)
{
    const char *names[ARRAY_LENGTH(known)];
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        names[i] = known[i].name;
    const char *nearest = nearest_word(file->option, strlen(file->option), names, ARRAY_LENGTH(names));
    if (nearest)
        optfile_problem(file, "unknown option (nearest: %s)", nearest);
    else
        optfile_problem(file, "unknown option");
}

static void optfile_read_option(struct optfile *file, struct term option)
{
    struct term parts[2];
    char name[TERM_ATOM_BYTES + 1];
    file->option = "";
    if (!term_read_tuple_of(option, 2, parts) || !term_read_atom(parts[0], name)) {
        file->option = "?";
        optfile_problem(file, "an option is no pair such as {certfile, \"cert.pem\"}");
        return;
    }
    file->option = name;
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (strcmp(known[i].name, name) == 0) {
            known[i].read(file, parts[1]);
            return;
        }
    }
    optfile_report_unknown(file);
}

/* As OTP has it: who dials is checked where that is said. Who is dialled is checked from OTP 26 on; a node
 * that knows no CA cannot. */
static void optfile_finish_role(struct optfile *file)
{
    struct tls_role_options *role = file->role;
    if (!file->has_verify)
        role->verifies = file->which == TLS_CLIENT && role->ca;
    file->option = "certfile";
    for (size_t i = 0; i < role->certificate_count; i++)
        if (!role->certificates[i].file)
            optfile_problem(file, "is missing, and there is a key or its password");
}

static void optfile_read_role(struct optfile *file, struct term options)
{
    struct term_list list;
    struct term element;
    file->option = "";
    if (!optfile_list_start(&list, options)) {
        file->option = "?";
        optfile_problem(file, "its options are no list");
        return;
    }
    while (term_list_next(&list, &element))
        optfile_read_option(file, element);
    optfile_finish_role(file);
}

static void optfile_read_section(struct tls_options *options, const struct tls_optfile_told *told,
                                 struct term section)
{
    struct term parts[2];
    for (size_t i = 0; i < TLS_ROLES; i++) {
        struct optfile file = {
            .role = &options->roles[i], .which = (enum tls_role)i, .told = told, .section = sections[i]};
        if (!term_read_tuple_of(section, 2, parts) || !term_is_atom(parts[0], sections[i]))
            continue;
        optfile_read_role(&file, parts[1]);
        return;
    }
    told->problem(told->owner, "", "something in it is neither {server, Options} nor {client, Options}");
}

static void optfile_read_sections(struct tls_options *options, const struct tls_optfile_told *told,
                                  struct term all)
{
    struct term_list list;
    struct term element;
    const uint8_t *source;
    size_t size;
    if (term_parse_is_evaluated(all, &source, &size))
        told->problem(told->owner, "",
                      "it is an expression, which is not evaluated here: write what comes of it");
    else if (!optfile_list_start(&list, all) || list.string)
        told->problem(told->owner, "", "it is not [{server, Options}, {client, Options}]");
    else
        while (term_list_next(&list, &element))
            optfile_read_section(options, told, element);
}

void tls_optfile_read(const char *text, size_t size, struct tls_options *options,
                      const struct tls_optfile_told *told)
{
    struct term_builder builder = {0};
    struct term_parse_problem problem;
    char where[WHERE_BYTES];
    for (size_t i = 0; i < TLS_ROLES; i++) {
        options->roles[i] = tls_role_options_default();
        options->roles[i].verifies = false;
        options->roles[i].requires_certificate = false;
        options->roles[i].verifies_name = i == TLS_CLIENT;
        options->roles[i].prefers_own_ciphers = false;
    }
    if (term_parse(text, size, &builder, &problem)) {
        optfile_read_sections(options, told, term_built(&builder));
    } else {
        snprintf(where, sizeof(where), "line %zu", problem.line);
        told->problem(told->owner, where, problem.text);
    }
    term_build_free(&builder);
}
