#include "tls_world.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/bytes.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* Both roles and both versions. */
#define EACH_KIND(role, version)                                                                             \
    for (int role = 0; role < TLS_ROLES; role++)                                                             \
        for (size_t version##_i = 0, version = 0;                                                            \
             version##_i < 2 && (version = (size_t)versions[version##_i], true); version##_i++)

/* A node that is as it should be, and another side that is. */
struct fixture {
    struct tls_options options;
    struct tls *tls;
    struct pair pair;
};

static void start_with(struct fixture *fixture, enum tls_role role, const struct far_options *far)
{
    memset(fixture, 0, sizeof(*fixture));
    world_options(&world, "near", "ca", &fixture->options);
    fixture->tls = world_tls(&fixture->options);
    pair_start(&world, &fixture->pair, fixture->tls, role, far);
}

static void start(struct fixture *fixture, enum tls_role role, int version)
{
    const struct far_options far = {.certificate = "far", .ca = "ca", .version = version, .demands = true};
    start_with(fixture, role, &far);
    pair_shake(&fixture->pair);
    if (fixture->pair.progress != TRANSPORT_READY)
        fail_msg("%s", pair_problem(&fixture->pair));
    assert_true(SSL_is_init_finished(fixture->pair.far));
}

static void end(struct fixture *fixture)
{
    pair_end(&fixture->pair);
    tls_free(fixture->tls);
    tls_options_clear(&fixture->options);
}

/* Writes of the near side go out when the far side reads. */
static size_t far_read(struct pair *pair, uint8_t *data, size_t size)
{
    ERR_clear_error();
    int got = SSL_read(pair->far, data, (int)size);
    return got > 0 ? (size_t)got : 0;
}

static void far_write(struct pair *pair, const void *data, size_t size)
{
    ERR_clear_error();
    assert_int_equal(SSL_write(pair->far, data, (int)size), size);
}

static void test_talks(void **state)
{
    (void)state;
    EACH_KIND(role, version)
    {
        struct fixture fixture;
        uint8_t bytes[100];
        start(&fixture, (enum tls_role)role, (int)version);
        struct pair *pair = &fixture.pair;
        assert_int_equal(pair->transport.operations->handshake_length_bytes, 4);
        assert_int_equal(pair_read(pair, bytes, sizeof(bytes)), -1);
        assert_int_equal(errno, EAGAIN);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(pair->transport.operations->write(&pair->transport, "hello", 5), 5);
            assert_int_equal(far_read(pair, bytes, sizeof(bytes)), 5);
            assert_memory_equal(bytes, "hello", 5);
            far_write(pair, "how are you", 11);
            assert_int_equal(pair_read(pair, bytes, sizeof(bytes)), 11);
            assert_memory_equal(bytes, "how are you", 11);
        }
        assert_false(pair->transport.holds);
        assert_false(pair->transport.operations->is_full(&pair->transport));
        end(&fixture);
    }
}

/* What was read of the socket and not asked for is held, of which the descriptor tells nothing. */
static void test_holds(void **state)
{
    (void)state;
    EACH_KIND(role, version)
    {
        struct fixture fixture;
        uint8_t bytes[100];
        start(&fixture, (enum tls_role)role, (int)version);
        struct pair *pair = &fixture.pair;
        far_write(pair, "abcdef", 6);
        far_write(pair, "ghijkl", 6);
        assert_int_equal(pair_read(pair, bytes, 4), 4);
        assert_true(pair->transport.holds);
        assert_int_equal(pair_read(pair, bytes + 4, 4), 4);
        assert_true(pair->transport.holds);
        assert_int_equal((pair->transport.operations->skip)(&pair->transport, 2), 2); /* a macro of cmocka */
        assert_true(pair->transport.holds);
        assert_int_equal(pair_read(pair, bytes + 10, 20), 2);
        assert_false(pair->transport.holds);
        assert_memory_equal(bytes, "abcdefgh", 8);
        assert_memory_equal(bytes + 10, "kl", 2);
        end(&fixture);
    }
}

/* A side that reads nothing for a while gets all of it in the end, whatever the socket takes at once. */
static void test_owes(void **state)
{
    (void)state;
    static uint8_t sent[300000], came[2 * sizeof(sent)];
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (uint8_t)(i * 7 + i / 251);
    EACH_KIND(role, version)
    {
        struct fixture fixture;
        size_t size = 0, taken = 0;
        int writes = 0;
        start(&fixture, (enum tls_role)role, (int)version);
        struct pair *pair = &fixture.pair;
        const struct transport_operations *operations = pair->transport.operations;
        for (ssize_t written; taken < sizeof(sent); taken += (size_t)written) {
            written = operations->write(&pair->transport, sent + taken, sizeof(sent) - taken);
            if (written < 0)
                break;
            writes++;
        }
        assert_int_equal(errno, EAGAIN);
        assert_in_range(writes, 1, 2);
        assert_true(pair->transport.owes > 0);
        assert_true(operations->is_full(&pair->transport));
        assert_false(pair->transport.writes_later);
        while (size < sizeof(sent)) {
            size += far_read(pair, came + size, sizeof(came) - size);
            ssize_t written = operations->write(&pair->transport, sent + taken, sizeof(sent) - taken);
            taken += written > 0 ? (size_t)written : 0;
        }
        assert_int_equal(size, sizeof(sent));
        assert_memory_equal(sent, came, size);
        assert_int_equal(pair->transport.owes, 0);
        end(&fixture);
    }
}

static void test_ends(void **state)
{
    (void)state;
    EACH_KIND(role, version)
    {
        for (int is_polite = 0; is_polite < 2; is_polite++) {
            struct fixture fixture;
            uint8_t bytes[100];
            start(&fixture, (enum tls_role)role, (int)version);
            struct pair *pair = &fixture.pair;
            far_write(pair, "last", 4);
            if (is_polite)
                SSL_shutdown(pair->far);
            close(pair->descriptor);
            pair->descriptor = -1;
            assert_int_equal(pair_read(pair, bytes, sizeof(bytes)), 4);
            assert_int_equal(pair_read(pair, bytes, sizeof(bytes)), 0);
            assert_null(transport_problem(&pair->transport, TRANSPORT_CLOSED, 0));
            end(&fixture);
        }
    }
}

/* --- What is settled anew while both sides talk --- */

/* Both sides send numbered words all the time; each has to have them whole and in order. */
struct talk {
    struct pair *pair;
    uint32_t sent[2], came[2];
    uint8_t rest[2][4];
    size_t rest_size[2];
};

#define NEAR 0
#define FAR 1

static void talk_take(struct talk *talk, int whom, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        talk->rest[whom][talk->rest_size[whom]++] = data[i];
        if (talk->rest_size[whom] < 4)
            continue;
        talk->rest_size[whom] = 0;
        assert_int_equal(bytes_get32(talk->rest[whom]), talk->came[whom]++);
    }
}

static void talk_once(struct talk *talk)
{
    struct pair *pair = talk->pair;
    uint8_t word[4], bytes[1000];
    bytes_put32(word, talk->sent[NEAR]);
    ssize_t written = pair->transport.operations->write(&pair->transport, word, sizeof(word));
    if (written < 0)
        assert_int_equal(errno, EAGAIN);
    talk->sent[NEAR] += written == 4;
    bytes_put32(word, talk->sent[FAR]);
    ERR_clear_error();
    if (!SSL_in_init(pair->far) && !SSL_renegotiate_pending(pair->far))
        talk->sent[FAR] += SSL_write(pair->far, word, sizeof(word)) == 4;
    talk_take(talk, FAR, bytes, far_read(pair, bytes, sizeof(bytes)));
    ssize_t got = pair_read(pair, bytes, sizeof(bytes));
    if (got < 0 && errno != EAGAIN)
        fail_msg("%s", pair_problem(pair));
    assert_true(got != 0);
    talk_take(talk, NEAR, bytes, got > 0 ? (size_t)got : 0);
}

static void talk_until(struct talk *talk, uint32_t words)
{
    for (int i = 0; i < 100000 && (talk->came[NEAR] < words || talk->came[FAR] < words); i++)
        talk_once(talk);
    assert_true(talk->came[NEAR] >= words && talk->came[FAR] >= words);
}

static void test_renegotiates(void **state)
{
    (void)state;
    for (int role = 0; role < TLS_ROLES; role++) {
        struct fixture fixture;
        start(&fixture, (enum tls_role)role, TLS1_2_VERSION);
        struct talk talk = {.pair = &fixture.pair};
        for (uint32_t i = 1; i <= 20; i++) {
            talk_until(&talk, 50 * i);
            assert_int_equal(SSL_renegotiate(fixture.pair.far), 1);
        }
        talk_until(&talk, 2000);
        assert_true(SSL_num_renegotiations(fixture.pair.far) >= 15);
        end(&fixture);
    }
}

static void test_updates_keys(void **state)
{
    (void)state;
    static const int kinds[] = {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED};
    for (int role = 0; role < TLS_ROLES; role++) {
        for (size_t k = 0; k < 2; k++) {
            struct fixture fixture;
            start(&fixture, (enum tls_role)role, TLS1_3_VERSION);
            struct talk talk = {.pair = &fixture.pair};
            for (uint32_t i = 1; i <= 20; i++) {
                talk_until(&talk, 50 * i);
                assert_int_equal(SSL_key_update(fixture.pair.far, kinds[k]), 1);
            }
            talk_until(&talk, 2000);
            end(&fixture);
        }
    }
}

/* Who has itself be answered and reads nothing is not kept for ever. */
static void test_floods(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t bytes[100];
    ssize_t got = 0;
    start(&fixture, TLS_CLIENT, TLS1_3_VERSION);
    struct pair *pair = &fixture.pair;
    for (int i = 0; i < 1000000; i++) {
        ERR_clear_error();
        assert_int_equal(SSL_key_update(pair->far, SSL_KEY_UPDATE_REQUESTED), 1);
        far_write(pair, "x", 1);
        got = pair_read(pair, bytes, sizeof(bytes));
        if (got < 0 && errno != EAGAIN)
            break;
    }
    assert_int_equal(got, -1);
    assert_int_equal(errno, EPROTO);
    assert_true(pair->transport.owes < 2 * 1024 * 1024);
    assert_string_not_equal(pair_problem(pair), "");
    end(&fixture);
}

/* --- Who is refused --- */

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *names, *wanted;
        bool wildcards, fits;
    } rows[] = {
        {"DNS:near.test", "near.test", false, true},
        {"DNS:NEAR.test", "near.test", false, true},
        {"DNS:other.test,DNS:near.test", "near.test", false, true},
        {"DNS:other.test", "near.test", false, false},
        {"DNS:test", "near.test", false, false},
        {"DNS:*.some.test", "near.some.test", false, false},
        {"DNS:*.some.test", "near.some.test", true, true},
        {"IP:127.0.0.1", "127.0.0.1", false, true},
        {"DNS:127.0.0.1", "127.0.0.1", false, true},
        {"IP:127.0.0.2", "127.0.0.1", false, false},
        {"IP:::1", "::1", false, true},
        {"DNS:near.test", "127.0.0.1", false, false},
        {NULL, "near.test", false, false},
        {NULL, "named", false, true}, /* the common name, as OTP 25 has it */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture fixture;
        const struct made made = {.name = "named", .issuer = "ca", .names = rows[i].names};
        const struct far_options far = {.certificate = "named"};
        world_make(&world, &made);
        memset(&fixture, 0, sizeof(fixture));
        world_options(&world, "near", "ca", &fixture.options);
        fixture.options.roles[TLS_CLIENT].name = memory_string(rows[i].wanted);
        fixture.options.roles[TLS_CLIENT].takes_wildcards = rows[i].wildcards;
        fixture.tls = world_tls(&fixture.options);
        pair_start(&world, &fixture.pair, fixture.tls, TLS_CLIENT, &far);
        pair_shake(&fixture.pair);
        if (fixture.pair.progress != (rows[i].fits ? TRANSPORT_READY : TRANSPORT_FAILED))
            fail_msg("row %zu: %s", i, pair_problem(&fixture.pair));
        if (!rows[i].fits) {
            assert_non_null(strstr(pair_problem(&fixture.pair), "is for another host"));
            assert_non_null(strstr(pair_problem(&fixture.pair), rows[i].wanted));
        }
        end(&fixture);
    }
}

static const struct {
    struct made made;
    const char *problem; /* what this node says, or NULL: it is taken */
    const char *alert;   /* what it says when it is the one that is refused for that */
} refusals[] = {
    {{.name = "tried", .issuer = "ca", .names = "DNS:near.test"}, NULL, NULL},
    {{.name = "tried", .issuer = "foreign-ca", .names = "DNS:near.test"},
     "refuses the peer's certificate: unable to get local issuer certificate",
     "unknown CA"},
    {{.name = "tried", .names = "DNS:near.test"},
     "refuses the peer's certificate: self-signed certificate",
     "unknown CA"},
    {{.name = "tried", .issuer = "ca", .names = "DNS:near.test", .from_s = -9 * DAY_S, .to_s = -2 * DAY_S},
     "refuses the peer's certificate: certificate has expired",
     "expired"},
    {{.name = "tried", .issuer = "ca", .names = "DNS:near.test", .from_s = 2 * DAY_S},
     "refuses the peer's certificate: certificate is not yet valid",
     "bad certificate"},
    {{.name = "tried", .issuer = "ca", .names = "DNS:near.test", .usages = "emailProtection"},
     "refuses the peer's certificate: un",
     "usages"},
    {{.name = "tried", .issuer = "ca", .names = "DNS:near.test", .usages = "serverAuth,clientAuth"},
     NULL,
     NULL},
    {{.name = "tried", .issuer = "middle", .names = "DNS:near.test"},
     "refuses the peer's certificate: unable to get local issuer certificate",
     "unknown CA"},
    {{.name = "tried", .issuer = "middle", .names = "DNS:near.test", .with_issuer = true}, NULL, NULL},
};

#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

static void test_refuses(void **state)
{
    (void)state;
    EACH_KIND(role, version)
    {
        for (size_t i = 0; i < REFUSALS; i++) {
            struct fixture fixture;
            const struct far_options far = {.certificate = "tried", .version = (int)version};
            world_make(&world, &refusals[i].made);
            start_with(&fixture, (enum tls_role)role, &far);
            pair_shake(&fixture.pair);
            assert_int_equal(fixture.pair.progress, refusals[i].problem ? TRANSPORT_FAILED : TRANSPORT_READY);
            if (refusals[i].problem && !strstr(pair_problem(&fixture.pair), refusals[i].problem))
                fail_msg("row %zu: %s", i, pair_problem(&fixture.pair));
            end(&fixture);
        }
    }
}

/* The alert comes in the handshake, or with what is read first. */
static void expect_alert(struct pair *pair, const char *alert)
{
    uint8_t bytes[10];
    if (pair->progress == TRANSPORT_READY) {
        assert_int_equal(pair_read(pair, bytes, sizeof(bytes)), -1);
        assert_int_equal(errno, EPROTO);
    } else {
        assert_int_equal(pair->progress, TRANSPORT_FAILED);
    }
    if (!strstr(pair_problem(pair), alert) || !strstr(pair_problem(pair), "CN=tried"))
        fail_msg("%s instead of %s", pair_problem(pair), alert);
}

static void test_is_refused(void **state)
{
    (void)state;
    EACH_KIND(role, version)
    {
        for (size_t i = 0; i < REFUSALS; i++) {
            struct fixture fixture = {.tls = NULL};
            const struct far_options far = {
                .certificate = "far", .ca = "ca", .version = (int)version, .demands = true};
            world_make(&world, &refusals[i].made);
            world_options(&world, "tried", "ca", &fixture.options);
            fixture.tls = world_tls(&fixture.options);
            pair_start(&world, &fixture.pair, fixture.tls, (enum tls_role)role, &far);
            pair_shake(&fixture.pair);
            if (refusals[i].alert)
                expect_alert(&fixture.pair, refusals[i].alert);
            else
                assert_int_equal(fixture.pair.progress, TRANSPORT_READY);
            end(&fixture);
        }
    }
}

static void test_no_certificate(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture;
        const struct far_options far = {.version = versions[i]};
        start_with(&fixture, TLS_SERVER, &far);
        pair_shake(&fixture.pair);
        assert_int_equal(fixture.pair.progress, TRANSPORT_FAILED);
        assert_non_null(strstr(pair_problem(&fixture.pair), "shown no certificate"));
        end(&fixture);
        fixture = (struct fixture){.tls = NULL};
        world_options(&world, "near", "ca", &fixture.options);
        fixture.options.roles[TLS_SERVER].requires_certificate = false;
        fixture.tls = world_tls(&fixture.options);
        pair_start(&world, &fixture.pair, fixture.tls, TLS_SERVER, &far);
        pair_shake(&fixture.pair);
        assert_int_equal(fixture.pair.progress, TRANSPORT_READY);
        end(&fixture);
    }
}

/* Who dials is believed its name unless that is to be looked at. */
static void test_doubts(void **state)
{
    (void)state;
    static const struct {
        bool verifies_name, shows;
        const char *node, *doubt;
    } rows[] = {
        {false, true, "app@elsewhere.test", NULL},
        {true, true, "app@near.test", NULL},
        {true, true, "app@elsewhere.test",
         "for another host than elsewhere.test: it is /CN=far (DNS:near.test)"},
        {true, false, "app@elsewhere.test", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture fixture = {.tls = NULL};
        const struct far_options far = {.certificate = rows[i].shows ? "far" : NULL};
        world_options(&world, "near", "ca", &fixture.options);
        fixture.options.roles[TLS_SERVER].verifies_name = rows[i].verifies_name;
        fixture.options.roles[TLS_SERVER].requires_certificate = false;
        fixture.tls = world_tls(&fixture.options);
        pair_start(&world, &fixture.pair, fixture.tls, TLS_SERVER, &far);
        pair_shake(&fixture.pair);
        assert_int_equal(fixture.pair.progress, TRANSPORT_READY);
        const char *doubt = transport_doubt(&fixture.pair.transport, rows[i].node);
        assert_int_equal(doubt != NULL, rows[i].doubt != NULL);
        if (doubt)
            assert_non_null(strstr(doubt, rows[i].doubt));
        end(&fixture);
    }
}

/* --- What is no TLS --- */

static void test_strange(void **state)
{
    (void)state;
    static const struct {
        enum tls_role role;
        const char *says; /* NULL: it closes */
        size_t size;
        const char *problem;
    } rows[] = {
        {TLS_CLIENT, "\0\3sok", 5, "may be a plain node"},
        {TLS_CLIENT, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, "may be a plain node"},
        {TLS_CLIENT, NULL, 0, "options are probably broken"},
        {TLS_CLIENT, "\x15\3\3\0\2\2\x28", 7, "alert \"handshake failure\""},
        {TLS_CLIENT, "\x15\3\3\0\2\2\x50", 7, "TLS options are probably broken"},
        {TLS_SERVER, "\x16\3\1\0\4\x09\0\0\0", 9, "TLS: "},
        {TLS_SERVER, NULL, 0, "closed by the peer in the TLS handshake"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture fixture;
        const struct far_options far = {.certificate = "far"};
        start_with(&fixture, rows[i].role, &far);
        struct pair *pair = &fixture.pair;
        assert_int_equal(pair->transport.operations->begin(&pair->transport), TRANSPORT_WAITS);
        assert_non_null(transport_problem(&pair->transport, TRANSPORT_SILENT, 0));
        if (rows[i].says)
            assert_int_equal(write(pair->descriptor, rows[i].says, rows[i].size), rows[i].size);
        shutdown(pair->descriptor, SHUT_WR);
        assert_int_equal(pair->transport.operations->begin(&pair->transport), TRANSPORT_FAILED);
        if (!strstr(pair_problem(pair), rows[i].problem))
            fail_msg("row %zu: %s", i, pair_problem(pair));
        end(&fixture);
    }
}

static bool on_dials_plain(void *owner, const char *node)
{
    (void)owner;
    return strcmp(node, "plain@near.test") == 0;
}

/* The first byte tells. */
static void test_accepts(void **state)
{
    (void)state;
    static const struct {
        bool tls, plain;
        const char *says;
        enum transport_progress progress;
        const char *name, *problem;
    } rows[] = {
        {true, true, "\x16\3\1\1\0", TRANSPORT_WAITS, "tls", NULL},
        {true, false, "\x16\3\1\1\0", TRANSPORT_WAITS, "tls", NULL},
        {false, true, "\x16\3\1\1\0", TRANSPORT_FAILED, "unknown", "the peer speaks TLS"},
        {true, true, "\0\x15N", TRANSPORT_READY, "tcp", NULL},
        {false, true, "\0\x15N", TRANSPORT_READY, "tcp", NULL},
        {true, false, "\0\x15N", TRANSPORT_FAILED, "unknown", "the peer speaks plain distribution"},
    };
    struct tls_options tls_options;
    world_options(&world, "near", "ca", &tls_options);
    struct tls *tls = world_tls(&tls_options);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct transports_options options = {.tls = tls,
                                                   .accepts_tls = rows[i].tls,
                                                   .accepts_plain = rows[i].plain,
                                                   .dials_plain = on_dials_plain};
        struct transports *transports = transports_new(&options);
        struct transport transport;
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        transport_accept(transports, &transport, ends[0]);
        assert_int_equal(transport.operations->begin(&transport), TRANSPORT_WAITS);
        assert_int_equal(write(ends[1], rows[i].says, 3), 3);
        assert_int_equal(transport.operations->begin(&transport), rows[i].progress);
        assert_string_equal(transport.operations->name, rows[i].name);
        if (rows[i].problem)
            assert_non_null(strstr(transport_problem(&transport, TRANSPORT_ERROR, EPROTO), rows[i].problem));
        transport.operations->close(&transport);
        close(ends[1]);
        transports_free(transports);
    }
    tls_free(tls);
    tls_options_clear(&tls_options);
}

/* Who closes before it has said anything, and who says what is no node's. */
static void test_recognises(void **state)
{
    (void)state;
    assert_non_null(transport_recognise((const uint8_t *)"\x15\3\3\0\2\2\x0a", 7));
    assert_non_null(transport_recognise((const uint8_t *)"\x16\3\1\1\0\1\0", 7));
    assert_null(transport_recognise((const uint8_t *)"\x15\4\3\0\2\2\x0a", 7));
    assert_null(transport_recognise((const uint8_t *)"GET /", 5));
    assert_null(transport_recognise((const uint8_t *)"\x16", 1));
}

static void test_dials(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    struct tls_options tls_options;
    world_options(&world, "near", "ca", &tls_options);
    struct tls *tls = world_tls(&tls_options);
    const struct transports_options options = {
        .tls = tls, .accepts_tls = true, .dials_plain = on_dials_plain};
    struct transports *transports = transports_new(&options);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(listener, 5), 0);
    static const char *const nodes[] = {"plain@near.test", "app@near.test"};
    for (size_t i = 0; i < 2; i++) {
        struct transport transport;
        assert_int_equal(transport_dial(transports, &transport, (struct sockaddr *)&address, size, nodes[i]),
                         0);
        assert_string_equal(transport.operations->name, i ? "tls" : "tcp");
        assert_true(transport.has_stamps);
        transport.operations->close(&transport);
        assert_int_equal(transport.descriptor, -1);
    }
    close(listener);
    transports_free(transports);
    tls_free(tls);
    tls_options_clear(&tls_options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talks),          cmocka_unit_test(test_holds),
        cmocka_unit_test(test_owes),           cmocka_unit_test(test_ends),
        cmocka_unit_test(test_renegotiates),   cmocka_unit_test(test_updates_keys),
        cmocka_unit_test(test_floods),         cmocka_unit_test(test_names),
        cmocka_unit_test(test_refuses),        cmocka_unit_test(test_is_refused),
        cmocka_unit_test(test_no_certificate), cmocka_unit_test(test_doubts),
        cmocka_unit_test(test_strange),        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_recognises),     cmocka_unit_test(test_dials),
    };
    return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
