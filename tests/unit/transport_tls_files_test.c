/* Certificates as files: what is wrong with them, and what becomes of them while a node runs. */
#include "tls_world.h"

#include <sys/stat.h>

#include "tls_private.h"

/* What tls_new() says of these files. */
static void expect_problem(const char *certificate, const char *key, const char *ca, const char *problem)
{
    struct tls_options options;
    char *told = NULL;
    world_options(&world, "near", "ca", &options);
    for (size_t i = 0; i < TLS_ROLES; i++) {
        struct tls_role_options *role = &options.roles[i];
        free(role->certificates[0].file);
        free(role->certificates[0].key);
        free(role->ca);
        role->certificates[0].file = world_file(&world, certificate, "");
        role->certificates[0].key = key ? world_file(&world, key, "") : NULL;
        role->ca = ca ? world_file(&world, ca, "") : NULL;
    }
    struct tls *tls = tls_new(&options, "near.test", &told);
    if (problem ? !told || !strstr(told, problem) : !tls)
        fail_msg("%s instead of %s", told, problem);
    tls_free(tls);
    free(told);
    tls_options_clear(&options);
}

static void test_problems(void **state)
{
    (void)state;
    char *file = world_file(&world, "empty.pem", "");
    fclose(fopen(file, "w"));
    free(file);
    expect_problem("near.pem", "near.key", "ca.pem", NULL);
    expect_problem("near.pem", "far.key", "ca.pem", "far.key is not that of the certificate in");
    expect_problem("near.pem", NULL, "ca.pem", "cannot use the key in");
    expect_problem("none.pem", "near.key", "ca.pem", "none.pem: No such file or directory");
    expect_problem("near.pem", "none.key", "ca.pem", "none.key");
    expect_problem("empty.pem", "near.key", "ca.pem", "cannot use the certificate in");
    expect_problem("near.pem", "near.key", "none.pem", "cannot use the CA in");
    expect_problem("near.pem", "near.key", NULL, "no CA");
}

/* A key may have a password. */
static void test_password(void **state)
{
    (void)state;
    static const struct {
        const char *password;
        bool is_good;
    } rows[] = {{"secret", true}, {"wrong one", false}, {NULL, false}};
    EVP_PKEY *key = world_read_key(&world, "near");
    char *file = world_file(&world, "locked", ".key");
    FILE *stream = fopen(file, "w");
    assert_int_equal(
        PEM_write_PrivateKey(stream, key, EVP_aes_256_cbc(), (const unsigned char *)"secret", 6, NULL, NULL),
        1);
    fclose(stream);
    EVP_PKEY_free(key);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tls_options options;
        char *problem = NULL;
        world_options(&world, "near", "ca", &options);
        for (size_t k = 0; k < TLS_ROLES; k++) {
            struct tls_certificate *certificate = &options.roles[k].certificates[0];
            free(certificate->key);
            certificate->key = memory_string(file);
            certificate->password = rows[i].password ? memory_string(rows[i].password) : NULL;
        }
        struct tls *tls = tls_new(&options, "near.test", &problem);
        assert_int_equal(tls != NULL, rows[i].is_good);
        assert_int_equal(problem == NULL, rows[i].is_good);
        tls_free(tls);
        free(problem);
        tls_options_clear(&options);
    }
    free(file);
}

static void copy(const char *from, const char *to)
{
    char *source = world_file(&world, from, ""), *target = world_file(&world, to, "");
    char *temporary = world_file(&world, to, ".new");
    char bytes[10000];
    FILE *in = fopen(source, "r"), *out = fopen(temporary, "w");
    size_t size = fread(bytes, 1, sizeof(bytes), in);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    fclose(in);
    fclose(out);
    assert_int_equal(rename(temporary, target), 0);
    free(source);
    free(target);
    free(temporary);
}

/* What the other side sees of this node. */
static void expect_shown(struct tls *tls, const char *name)
{
    struct pair pair;
    char subject[100];
    const struct far_options far = {.certificate = "far", .ca = "ca"};
    pair_start(&world, &pair, tls, TLS_SERVER, &far);
    pair_shake(&pair);
    assert_int_equal(pair.progress, TRANSPORT_READY);
    X509 *shown = SSL_get1_peer_certificate(pair.far);
    X509_NAME_oneline(X509_get_subject_name(shown), subject, sizeof(subject));
    assert_string_equal(subject, name);
    X509_free(shown);
    pair_end(&pair);
}

/* Certificate and key are replaced one after the other; in between those before are shown. */
static void test_changes(void **state)
{
    (void)state;
    static const struct made made[] = {{.name = "first", .issuer = "ca", .names = "DNS:near.test"},
                                       {.name = "second", .issuer = "ca", .names = "DNS:near.test"}};
    struct tls_options options;
    for (size_t i = 0; i < 2; i++)
        world_make(&world, &made[i]);
    copy("first.pem", "used.pem");
    copy("first.key", "used.key");
    world_options(&world, "used", "ca", &options);
    struct tls *tls = world_tls(&options);
    expect_shown(tls, "/CN=first");
    for (int i = 0; i < 3; i++) {
        copy("second.pem", "used.pem");
        expect_shown(tls, "/CN=first");
        copy("second.key", "used.key");
        expect_shown(tls, "/CN=second");
        copy("first.key", "used.key");
        expect_shown(tls, "/CN=second");
        copy("first.pem", "used.pem");
        expect_shown(tls, "/CN=first");
    }
    uint64_t reads = tls->reads;
    expect_shown(tls, "/CN=first");
    assert_int_equal(tls->reads, reads);
    char *file = world_file(&world, "used", ".pem");
    assert_int_equal(unlink(file), 0);
    free(file);
    expect_shown(tls, "/CN=first");
    tls_free(tls);
    tls_options_clear(&options);
}

/* A connection that goes on does so with what it began with. */
static void test_changes_meanwhile(void **state)
{
    (void)state;
    static const struct made made = {.name = "later", .issuer = "ca", .names = "DNS:near.test"};
    const struct far_options far = {.certificate = "far", .ca = "ca", .version = TLS1_2_VERSION};
    struct tls_options options;
    struct pair pair;
    char bytes[10];
    copy("near.pem", "used.pem");
    copy("near.key", "used.key");
    world_options(&world, "used", "ca", &options);
    struct tls *tls = world_tls(&options);
    pair_start(&world, &pair, tls, TLS_SERVER, &far);
    pair_shake(&pair);
    assert_int_equal(pair.progress, TRANSPORT_READY);
    world_make(&world, &made);
    copy("later.pem", "used.pem");
    copy("later.key", "used.key");
    tls_watch(tls);
    assert_int_equal(tls->reads, 2);
    assert_int_equal(SSL_write(pair.far, "still", 5), 5);
    assert_int_equal(pair_read(&pair, bytes, sizeof(bytes)), 5);
    pair_end(&pair);
    expect_shown(tls, "/CN=later");
    tls_free(tls);
    tls_options_clear(&options);
}

static void test_end(void **state)
{
    (void)state;
    static const struct made made = {
        .name = "short", .issuer = "ca", .names = "DNS:near.test", .from_s = -50 * DAY_S, .to_s = 3 * DAY_S};
    struct tls_options options;
    world_make(&world, &made);
    world_options(&world, "near", "ca", &options);
    free(options.roles[TLS_CLIENT].certificates[0].file);
    free(options.roles[TLS_CLIENT].certificates[0].key);
    options.roles[TLS_CLIENT].certificates[0].file = world_file(&world, "short", ".pem");
    options.roles[TLS_CLIENT].certificates[0].key = world_file(&world, "short", ".key");
    struct tls *tls = world_tls(&options);
    int64_t left_s = tls_ends_s(tls) - (int64_t)time(NULL);
    assert_in_range(left_s, 3 * DAY_S - 600, 3 * DAY_S);
    assert_int_equal(tls->warned_s, 0);
    tls_watch(tls);
    assert_true(tls->warned_s > 0);
    tls_free(tls);
    tls_options_clear(&options);
}

static char disliked[2000];

static void on_dislike(void *owner, const char *what)
{
    (void)owner;
    snprintf(disliked + strlen(disliked), sizeof(disliked) - strlen(disliked), "%s\n", what);
}

static void test_dislikes(void **state)
{
    (void)state;
    static const struct {
        struct made made;
        const char *host, *disliked;
    } rows[] = {
        {{.name = "seen", .issuer = "ca", .names = "DNS:a.test"}, "a.test", ""},
        {{.name = "seen", .issuer = "ca", .names = "DNS:a.test"}, "b.test", "it has no DNS:b.test\n"},
        {{.name = "seen", .issuer = "ca"}, "b.test", "it has no DNS:b.test\n"},
        {{.name = "seen", .issuer = "ca", .names = "IP:127.0.0.1"},
         "127.0.0.1",
         "it has no DNS:127.0.0.1, which nodes of OTP 25 look for when they dial an address\n"},
        {{.name = "seen", .issuer = "ca", .names = "DNS:127.0.0.1"},
         "127.0.0.1",
         "it has no IP:127.0.0.1, which nodes of OTP 26 and later look for\n"},
        {{.name = "seen", .issuer = "ca", .names = "DNS:::1,IP:::1"}, "::1", ""},
        {{.name = "seen", .issuer = "ca", .names = "DNS:a.test", .usages = "serverAuth"},
         "a.test",
         "its extendedKeyUsage has no clientAuth: nodes that it dials refuse it\n"},
        {{.name = "seen", .issuer = "ca", .names = "DNS:a.test", .usages = "clientAuth"},
         "a.test",
         "its extendedKeyUsage has no serverAuth: who dials this node refuses it\n"},
        {{.name = "seen", .names = "DNS:a.test"},
         "a.test",
         "the CA that this node trusts does not vouch for it: self-signed certificate\n"},
        {{.name = "seen", .issuer = "middle", .names = "DNS:a.test"},
         "a.test",
         "the CA that this node trusts does not vouch for it: unable to get local issuer certificate\n"},
        {{.name = "seen", .issuer = "middle", .names = "DNS:a.test", .with_issuer = true}, "a.test", ""},
        {{.name = "seen", .issuer = "ca", .names = "DNS:a.test", .to_s = -1},
         "a.test",
         "the CA that this node trusts does not vouch for it: certificate has expired\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tls_options options;
        world_make(&world, &rows[i].made);
        world_options(&world, "seen", "ca", &options);
        struct tls *tls = world_tls(&options);
        disliked[0] = '\0';
        tls_certificate_look(tls->contexts[TLS_SERVER], SSL_CTX_get0_certificate(tls->contexts[TLS_SERVER]),
                             rows[i].host, on_dislike, NULL);
        assert_string_equal(disliked, rows[i].disliked);
        tls_free(tls);
        tls_options_clear(&options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_problems), cmocka_unit_test(test_password),
        cmocka_unit_test(test_changes),  cmocka_unit_test(test_changes_meanwhile),
        cmocka_unit_test(test_end),      cmocka_unit_test(test_dislikes),
    };
    return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
