/* The keys of TLS: what goes together, and what the files are. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "config/config_parts.h"
#include "remove_tree.h"
#include "transport/transport.h"

static char folder[64];

static char *path_of(const char *name)
{
    return memory_format("%s/%s", folder, name);
}

static void write_file(const char *name, const char *text)
{
    char *path = path_of(name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
    free(path);
}

/* Certificates are made as the tests of clusters have them. */
static int on_start(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/harnessd-config-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("HARNESSD_COOKIE", "secret", 1), 0);
    char *command = memory_format("sh %s %s near.test 127.0.0.1", CERTIFICATES, folder);
    int status = system(command);
    free(command);
    return status;
}

static int on_end(void **state)
{
    (void)state;
    remove_tree(folder);
    return 0;
}

/* `$` in the text of keys and in what is expected is the folder. */
static char *in_folder(const char *text)
{
    char *whole = memory_string("");
    for (; *text; text++) {
        char *longer =
            *text == '$' ? memory_format("%s%s", whole, folder) : memory_format("%s%c", whole, *text);
        free(whole);
        whole = longer;
    }
    return whole;
}

/* Loads `node` with these keys besides its name; what is wrong is in `*problems`, to be freed. */
static enum config_action load(struct config *config, const char *keys, char **problems,
                               const char *const *flags)
{
    char *with_folder = in_folder(keys);
    char *text = memory_format("{\"node\": {\"name\": \"a@near.test\"%s}}", with_folder);
    char *file = path_of("harnessd.json");
    char *arguments[10] = {(char *)"harnessd", (char *)"--config", file};
    int count = 3;
    size_t size = 0;
    write_file("harnessd.json", text);
    for (; flags && *flags; flags++)
        arguments[count++] = (char *)*flags;
    FILE *output = open_memstream(problems, &size);
    enum config_action action = config_load(count, arguments, config, output);
    fclose(output);
    free(file);
    free(text);
    free(with_folder);
    return action;
}

#define FILES "\"certificate\": \"$/node.pem\", \"key\": \"$/node.key\", \"ca\": \"$/ca.pem\""

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *problem; /* NULL: it is good */
    } rows[] = {
        {"", NULL},
        {", \"tls\": {" FILES "}", NULL},
        {", \"tls\": {" FILES
         ", \"min_version\": \"1.3\", \"dial\": [\"old@*\"], \"accept\": [\"tls\", \"plain\"]}",
         NULL},
        {", \"tls\": {" FILES ", \"ciphers\": \"ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256\"}",
         NULL},
        {", \"tls\": {\"optfile\": \"$/optfile\"}", NULL},
        {", \"proto_dist\": \"inet_tls\"",
         "node.tls.certificate: required for TLS (or node.tls.optfile, --ssl-dist-optfile)\n"
         "node.tls.ca: required while node.tls.verify is true\n"},
        {", \"tls\": {\"certificate\": \"$/node.pem\", \"key\": \"$/node.key\"}",
         "node.tls.ca: required while node.tls.verify is true\n"},
        {", \"tls\": {\"certificate\": \"$/node.pem\", \"key\": \"$/node.key\", \"verify\": false}", NULL},
        {", \"tls\": {\"certificate\": \"$/node.pem\", \"key\": \"$/ca.key\", \"ca\": \"$/ca.pem\"}",
         "node.tls.certificate: the key in $/ca.key is not that of the certificate in $/node.pem\n"},
        {", \"tls\": {\"optfile\": \"$/optfile\", \"verify\": false, \"ca\": \"$/ca.pem\"}",
         "node.tls.ca: cannot be given together with node.tls.optfile\n"
         "node.tls.verify: cannot be given together with node.tls.optfile\n"},
        {", \"tls\": {\"optfile\": \"$/none\"}",
         "node.tls.optfile: cannot open $/none: No such file or directory\n"},
        {", \"tls\": {\"optfile\": \"$\"}", "node.tls.optfile: $ is not a regular file\n"},
        {", \"tls\": {\"optfile\": \"$/broken\"}",
         "node.tls.optfile: $/broken: line 2: it ends where a term is expected\n"},
        {", \"tls\": {\"optfile\": \"$/funny\"}", "node.tls.optfile: $/funny: server.verify_fun: only {fun "
                                                  "inet_tls_dist:verify_client/3, []} of the server "
                                                  "is known here\n"},
        {", \"tls\": {\"optfile\": \"$/dials\"}",
         "node.tls.optfile: $/dials: server: has no certfile, which who dials this node wants\n"},
        {", \"tls\": {" FILES ", \"dial\": \"plain\"}",
         "node.tls.dial: is neither \"tls\" nor a list of patterns\n"},
        {", \"tls\": {" FILES ", \"accept\": []}", "node.tls.accept: is empty\n"},
        {", \"tls\": {" FILES ", \"accept\": [\"plian\"]}",
         "node.tls.accept[0]: plian is not one of tls, plain (nearest: plain)\nnode.tls.accept: is empty\n"},
        {", \"tls\": {" FILES ", \"ciphers\": \"NO-SUCH\"}",
         "node.tls.certificate: OpenSSL has no such ciphers: NO-SUCH\n"},
        {", \"proto_dist\": \"inet_tcp\", \"tls\": {\"certificate\": \"$/none\"}", NULL},
    };
    write_file("broken", "[{server, [\n");
    write_file("funny", "[{server, [{verify_fun, {fun(_, _, S) -> {valid, S} end, []}}]}].");
    write_file("dials", "[{client, []}].");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config config;
        char *problems = NULL, *wanted = in_folder(rows[i].problem ? rows[i].problem : "");
        enum config_action action = load(&config, rows[i].keys, &problems, NULL);
        if (strcmp(problems, wanted) != 0)
            fail_msg("row %zu: %s", i, problems);
        assert_int_equal(action, rows[i].problem ? CONFIG_INVALID : CONFIG_RUN);
        config_free(&config);
        free(problems);
        free(wanted);
    }
}

/* What connections are made over comes of them. */
static void test_ways(void **state)
{
    (void)state;
    static const char *const flags[] = {"--proto-dist", "inet6_tls", NULL};
    struct config config;
    char *problems = NULL, *problem = NULL;
    struct tls *tls;
    assert_int_equal(load(&config, "", &problems, NULL), CONFIG_RUN);
    assert_null(config.tls);
    assert_null(config_transports(&config, &tls, &problem));
    assert_null(tls);
    assert_null(problem);
    config_free(&config);
    free(problems);
    assert_int_equal(load(&config, ", \"tls\": {" FILES ", \"verify_name\": false}", &problems, flags),
                     CONFIG_RUN);
    assert_int_equal(config.proto_dist, CONFIG_INET6_TLS);
    assert_false(config.tls->roles[TLS_CLIENT].verifies_name);
    assert_false(config.tls->roles[TLS_SERVER].verifies_name);
    assert_true(config.tls->roles[TLS_SERVER].requires_certificate);
    struct transports *transports = config_transports(&config, &tls, &problem);
    assert_non_null(transports);
    assert_true(tls_ends_s(tls) > 0);
    transports_free(transports);
    tls_free(tls);
    config_free(&config);
    free(problems);
}

/* A name that is checked only where there is a certificate would be checked of honest nodes alone. */
static void test_names_of_clients(void **state)
{
    (void)state;
    static const char *const flags[] = {"--proto-dist", "inet_tls", NULL};
    struct config config;
    char *problems = NULL;
    assert_int_equal(load(&config, ", \"tls\": {" FILES ", \"verify_client_name\": true}", &problems, flags),
                     CONFIG_RUN);
    assert_true(config.tls->roles[TLS_SERVER].verifies_name);
    config_free(&config);
    free(problems);
    problems = NULL;
    assert_int_not_equal(load(&config,
                              ", \"tls\": {" FILES
                              ", \"verify_client_name\": true, \"require_peer_certificate\": false}",
                              &problems, flags),
                         CONFIG_RUN);
    assert_non_null(strstr(problems, "node.tls.verify_client_name: needs node.tls.verify and "
                                     "node.tls.require_peer_certificate"));
    config_free(&config);
    free(problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys), cmocka_unit_test(test_ways),
                                       cmocka_unit_test(test_names_of_clients)};
    return cmocka_run_group_tests(tests, on_start, on_end);
}
