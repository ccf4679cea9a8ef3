#include "tls_optfile_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char told[4000];

static void tell(const char *kind, const char *where, const char *text)
{
    size_t used = strlen(told);
    snprintf(told + used, sizeof(told) - used, "%s%s%s%s\n", kind, where, *where && *text ? ": " : "", text);
}

static void on_problem(void *owner, const char *where, const char *text)
{
    (void)owner;
    tell("", where, text);
}

static void on_ignored(void *owner, const char *where)
{
    (void)owner;
    tell("ignored ", where, "");
}

static void read_text(const char *text, struct tls_options *options)
{
    const struct tls_optfile_told to = {.problem = on_problem, .ignored = on_ignored};
    *options = (struct tls_options){.roles = {{.depth = -1}}};
    told[0] = '\0';
    tls_optfile_read(text, strlen(text), options, &to);
}

static void expect_told(const char *text, const char *wanted)
{
    struct tls_options options;
    read_text(text, &options);
    if (strcmp(told, wanted) != 0)
        fail_msg("%s: %s", text, told);
    tls_options_clear(&options);
}

static void test_all(void **state)
{
    (void)state;
    struct tls_options options;
    read_text(
        "%% of all nodes\n"
        "[{server, [{certfile, \"/s.pem\"}, {keyfile, <<\"/s.key\">>}, {password, \"secret\"},\n"
        "           {cacertfile, \"/ca.pem\"}, {verify, verify_peer}, {fail_if_no_peer_cert, true},\n"
        "           {honor_cipher_order, true}, {depth, 2}, {versions, ['tlsv1.2']},\n"
        "           {ciphers, [\"ECDHE-RSA-AES128-GCM-SHA256\", \"TLS_AES_128_GCM_SHA256\", \"ECDHE-A\"]},\n"
        "           {verify_fun, {fun inet_tls_dist:verify_client/3, []}}]},\n"
        " {client, [{certs_keys, [#{certfile => \"/1.pem\"}, #{certfile => \"/2.pem\", keyfile => "
        "\"/2\"}]},\n"
        "           {cacertfile, \"/ca.pem\"}, {versions, ['tlsv1.3']}, {ciphers, \"A:B\"},\n"
        "           {server_name_indication, \"host\"}, {customize_hostname_check,\n"
        "             [{match_fun, public_key:pkix_verify_hostname_match_fun(https)}]}]}].\n",
        &options);
    const struct tls_role_options *server = &options.roles[TLS_SERVER], *client = &options.roles[TLS_CLIENT];
    assert_string_equal(told, "");
    assert_int_equal(server->certificate_count, 1);
    assert_string_equal(server->certificates[0].file, "/s.pem");
    assert_string_equal(server->certificates[0].key, "/s.key");
    assert_string_equal(server->certificates[0].password, "secret");
    assert_string_equal(server->ca, "/ca.pem");
    assert_true(server->verifies && server->requires_certificate && server->prefers_own_ciphers);
    assert_true(server->verifies_name);
    assert_int_equal(server->depth, 2);
    assert_int_equal(server->most_version, TLS_VERSION_1_2);
    assert_string_equal(server->ciphers, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-A");
    assert_string_equal(server->suites, "TLS_AES_128_GCM_SHA256");
    assert_int_equal(client->certificate_count, 2);
    assert_string_equal(client->certificates[1].key, "/2");
    assert_null(client->certificates[0].key);
    assert_true(client->verifies && client->verifies_name && client->takes_wildcards);
    assert_string_equal(client->name, "host");
    assert_string_equal(client->ciphers, "A:B");
    assert_int_equal(client->least_version, TLS_VERSION_1_3);
    assert_int_equal(client->depth, -1);
    tls_options_clear(&options);
}

/* What a file does not say is as OTP has it. */
static void test_defaults(void **state)
{
    (void)state;
    struct tls_options options;
    read_text("[{server, [{certfile, \"/s.pem\"}, {cacertfile, \"/ca.pem\"}]}, {client, []}].", &options);
    assert_string_equal(told, "");
    assert_false(options.roles[TLS_SERVER].verifies);
    assert_false(options.roles[TLS_SERVER].requires_certificate);
    assert_false(options.roles[TLS_SERVER].verifies_name);
    assert_false(options.roles[TLS_CLIENT].verifies);
    assert_true(options.roles[TLS_CLIENT].verifies_name);
    assert_int_equal(options.roles[TLS_CLIENT].least_version, TLS_VERSION_1_2);
    assert_int_equal(options.roles[TLS_CLIENT].most_version, TLS_VERSION_1_3);
    tls_options_clear(&options);
    read_text("[{server, [{fail_if_no_peer_cert, true} | [{verify, verify_peer}]]} | [{client, []}]].",
              &options);
    assert_string_equal(told, "");
    assert_true(options.roles[TLS_SERVER].verifies);
    assert_true(options.roles[TLS_SERVER].requires_certificate);
    tls_options_clear(&options);
    read_text("[{client, [{server_name_indication, disable}, {verify, verify_none}]}].", &options);
    assert_string_equal(told, "");
    assert_false(options.roles[TLS_CLIENT].verifies || options.roles[TLS_CLIENT].verifies_name);
    tls_options_clear(&options);
}

#define REFUSED                                                                                              \
    "is an option that this node does not have: give it node.tls.certificate, node.tls.key and node.tls.ca " \
    "instead of this file, or a copy without it\n"

static void test_told(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"[{server, [{secure_renegotiate, true}, {ktls, true}]}].",
         "ignored server.secure_renegotiate\nignored server.ktls\n"},
        {"[{server, [{certfile, filename:join(\"/etc\", \"c.pem\")}]}].",
         "server.certfile: filename:join(\"/etc\",\"c.pem\") is to be evaluated by Erlang, which is not done "
         "here: "
         "the name of a file is wanted, as it is\nserver.certfile: is missing, and there is a key or its "
         "password\n"},
        {"[{client, [{verify_fun, {fun(_, _, S) -> {valid, S} end, []}}]}].",
         "client.verify_fun: only {fun inet_tls_dist:verify_client/3, []} of the server is known here\n"},
        {"[{client, [{customize_hostname_check, [{match_fun, fun(_, _) -> true end}]}]}].",
         "client.customize_hostname_check: only [{match_fun, "
         "public_key:pkix_verify_hostname_match_fun(https)}] is known here\n"},
        {"[{server, [{cacerts, public_key:cacerts_get()}, {crl_check, true}, {partial_chain, fun(_) -> x "
         "end}]}].",
         "server.cacerts: " REFUSED "server.crl_check: " REFUSED "server.partial_chain: " REFUSED},
        {"[{server, [{certfiel, \"x\"}, {nonsense_at_all, 1}]}].",
         "server.certfiel: unknown option (nearest: certfile)\nserver.nonsense_at_all: unknown option\n"},
        {"[{server, [inet6]}].", "server.?: an option is no pair such as {certfile, \"cert.pem\"}\n"},
        {"[{server, 1}].", "server.?: its options are no list\n"},
        {"[{server, [{ktls, true} | {verify, verify_peer}]}].", "server.?: its options are no list\n"},
        {"[{server, []} | {client, []}].", "it is not [{server, Options}, {client, Options}]\n"},
        {"[{client, [{versions, ['tlsv1.3' | 'tlsv1.2']}]}].",
         "client.versions: ['tlsv1.3'|'tlsv1.2'] is not a list such as ['tlsv1.3', 'tlsv1.2']\n"},
        {"[{sever, []}].", "something in it is neither {server, Options} nor {client, Options}\n"},
        {"{server, []}.", "it is not [{server, Options}, {client, Options}]\n"},
        {"[{server, []}]", "line 1: it ends where a full stop is expected\n"},
        {"F = 1, F.", "line 1: \",\" where a full stop is expected\n"},
        {"begin [] end.", "it is an expression, which is not evaluated here: write what comes of it\n"},
        {"[{client, [{verify, none}, {depth, -1}, {versions, ['tlsv1.1']}]}].",
         "client.verify: none is not verify_peer or verify_none\nclient.depth: -1 is not a number from 0 to "
         "100\n"
         "client.versions: has neither 'tlsv1.2' nor 'tlsv1.3', and nothing older is spoken here\n"},
        {"[{client, [{ciphers, [#{cipher => aes_128_gcm}]}]}].",
         "client.ciphers: #{cipher => aes_128_gcm} is not a list of OpenSSL's names as strings\n"},
        {"[{client, [{password, fun() -> \"x\" end}]}].", "client.password: is no string\n"},
        {"[{client, [{password, secret_of_mine}]}].", "client.password: is no string\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_told(rows[i][0], rows[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
