#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "dist/flags.h"
#include "dist/handshake.h"

#define DIALLER "dialler@127.0.0.1"
#define LISTENER "listener@127.0.0.1"

/* Both ends of one connection: [0] is the initiator. */
struct pair {
    struct handshake_identity identities[2];
    struct handshake ends[2];
    struct buffer outputs[2];
    size_t length_bytes;
    enum handshake_verdict verdict;
    int judged;
    char judged_name[NODE_NAME_BYTES + 1];
};

static enum handshake_verdict judge(void *owner, const char *peer)
{
    struct pair *pair = owner;
    pair->judged++;
    memcpy(pair->judged_name, peer, strlen(peer) + 1);
    return pair->verdict;
}

static void prepare(struct pair *pair, size_t length_bytes, enum handshake_verdict verdict)
{
    *pair = (struct pair){.length_bytes = length_bytes, .verdict = verdict};
    pair->identities[0] = (struct handshake_identity){
        .node = DIALLER, .cookie = "secret", .flags = FLAGS_OFFERED, .creation = 11};
    pair->identities[1] = (struct handshake_identity){
        .node = LISTENER, .cookie = "secret", .flags = FLAGS_OFFERED | FLAG_PUBLISHED, .creation = 22};
}

static void start(struct pair *pair)
{
    handshake_initiate(&pair->ends[0], &pair->identities[0], pair->length_bytes, LISTENER, &pair->outputs[0]);
    handshake_accept(&pair->ends[1], &pair->identities[1], pair->length_bytes, judge, pair);
}

static void end(struct pair *pair)
{
    buffer_free(&pair->outputs[0]);
    buffer_free(&pair->outputs[1]);
}

/* Feeds exactly these bytes, so that a sanitizer sees each one that is read outside. */
static void feed(struct handshake *handshake, const void *message, size_t size, struct buffer *output)
{
    uint8_t *copy = memory_copy(message, size);
    handshake_input(handshake, copy, size, output);
    free(copy);
    assert_int_equal(handshake->problem[0] != '\0', handshake->state == HANDSHAKE_FAILED);
}

/* Takes the first message out of an output. */
static size_t take(struct pair *pair, size_t from, uint8_t message[HANDSHAKE_MESSAGE_BYTES])
{
    struct buffer *output = &pair->outputs[from];
    if (!output->size)
        return 0;
    const uint8_t *bytes = buffer_bytes(output);
    assert_true(output->size >= pair->length_bytes);
    size_t size = pair->length_bytes == 2 ? bytes_get16(bytes) : bytes_get32(bytes);
    assert_true(size > 0 && size <= output->size - pair->length_bytes && size <= HANDSHAKE_MESSAGE_BYTES);
    memcpy(message, bytes + pair->length_bytes, size);
    buffer_consume(output, pair->length_bytes + size);
    return size;
}

static bool is_over(const struct handshake *handshake)
{
    return handshake->state == HANDSHAKE_DONE || handshake->state == HANDSHAKE_FAILED;
}

/* Hands one message over. False when there is none, or the other end is over. */
static bool step(struct pair *pair, size_t from)
{
    uint8_t message[HANDSHAKE_MESSAGE_BYTES];
    size_t size = is_over(&pair->ends[!from]) ? 0 : take(pair, from, message);
    if (size)
        feed(&pair->ends[!from], message, size, &pair->outputs[!from]);
    return size;
}

static void run(struct pair *pair)
{
    bool stepped[2];
    do {
        stepped[0] = step(pair, 0);
        stepped[1] = step(pair, 1);
    } while (stepped[0] || stepped[1]);
}

/* Hands messages over until an end is in this state. */
static void run_to(struct pair *pair, size_t side, enum handshake_state state)
{
    while (pair->ends[side].state != state) {
        bool stepped = step(pair, 0);
        if (pair->ends[side].state != state)
            stepped |= step(pair, 1);
        assert_true(stepped);
    }
}

static void expect_done(const struct pair *pair)
{
    for (size_t i = 0; i < 2; i++) {
        if (pair->ends[i].state != HANDSHAKE_DONE)
            fail_msg("end %zu: state %d, %s", i, pair->ends[i].state, pair->ends[i].problem);
        assert_string_equal(pair->ends[i].peer, pair->identities[!i].node);
        assert_true(pair->ends[i].peer_flags == flags_expand(pair->identities[!i].flags));
        assert_int_equal(pair->ends[i].peer_creation, pair->identities[!i].creation);
        assert_int_equal(pair->outputs[i].size, 0);
        assert_false(pair->ends[i].wait_for_peer);
    }
}

static void expect_failed(const struct handshake *handshake, const char *problem)
{
    assert_int_equal(handshake->state, HANDSHAKE_FAILED);
    if (!strstr(handshake->problem, problem))
        fail_msg("'%s' is not about '%s'", handshake->problem, problem);
}

static void test_digest(void **state)
{
    (void)state;
    static const struct {
        const char *cookie;
        uint32_t challenge;
        uint8_t digest[HANDSHAKE_DIGEST_BYTES];
    } rows[] = {
        {"secret",
         12345,
         {0xd4, 0x04, 0x7d, 0x3e, 0x56, 0xe6, 0xd6, 0xd6, 0x3f, 0x7d, 0x16, 0xb8, 0x5c, 0xd2, 0xfa, 0x88}},
        {"",
         UINT32_MAX,
         {0x7b, 0xa3, 0x4a, 0x7c, 0x93, 0x44, 0xdf, 0x2a, 0xca, 0xbd, 0xb0, 0x14, 0x6b, 0x9e, 0x15, 0xe3}},
        {"monster",
         0,
         {0x12, 0xb4, 0x49, 0xde, 0x1b, 0x22, 0x90, 0x34, 0x11, 0x90, 0x8b, 0x8c, 0x56, 0xb7, 0x3b, 0xe3}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint8_t digest[HANDSHAKE_DIGEST_BYTES];
        handshake_digest(rows[i].cookie, rows[i].challenge, digest);
        assert_memory_equal(digest, rows[i].digest, sizeof(digest));
    }
}

static void test_agreement(void **state)
{
    (void)state;
    static const enum handshake_verdict verdicts[] = {HANDSHAKE_ADMIT, HANDSHAKE_ADMIT_SIMULTANEOUS,
                                                      HANDSHAKE_ALIVE};
    for (size_t length_bytes = 2; length_bytes <= 4; length_bytes += 2) {
        for (size_t i = 0; i < ARRAY_LENGTH(verdicts); i++) {
            struct pair pair;
            prepare(&pair, length_bytes, verdicts[i]);
            start(&pair);
            run(&pair);
            expect_done(&pair);
            assert_int_equal(pair.judged, 1);
            assert_string_equal(pair.judged_name, DIALLER);
            assert_int_equal(pair.ends[1].replaces, verdicts[i] == HANDSHAKE_ALIVE);
            assert_false(pair.ends[0].replaces);
            end(&pair);
        }
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        enum handshake_verdict verdict;
        const char *status;
        const char *acceptor;
        const char *initiator;
        bool wait_for_peer;
    } rows[] = {
        {HANDSHAKE_REFUSE, "snot_allowed", "not allowed", "does not allow", false},
        {HANDSHAKE_REFUSE_SIMULTANEOUS, "snok", "simultaneous", "simultaneous", true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct pair pair;
        uint8_t status[HANDSHAKE_MESSAGE_BYTES];
        prepare(&pair, 2, rows[i].verdict);
        start(&pair);
        assert_true(step(&pair, 0));
        expect_failed(&pair.ends[1], rows[i].acceptor);
        size_t size = take(&pair, 1, status);
        assert_int_equal(size, strlen(rows[i].status));
        assert_memory_equal(status, rows[i].status, size);
        assert_int_equal(pair.outputs[1].size, 0); /* no challenge for who is refused */
        feed(&pair.ends[0], status, size, &pair.outputs[0]);
        expect_failed(&pair.ends[0], rows[i].initiator);
        assert_int_equal(pair.ends[0].wait_for_peer, rows[i].wait_for_peer);
        assert_int_equal(pair.outputs[0].size, 0);
        end(&pair);
    }
}

static void test_alive_answers(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum handshake_state state;
    } rows[] = {
        {"strue", HANDSHAKE_EXPECT_REPLY},
        {"sfalse", HANDSHAKE_FAILED},
        {"sok", HANDSHAKE_FAILED},
        {"s", HANDSHAKE_FAILED},
        {"strue ", HANDSHAKE_FAILED},
        {"true", HANDSHAKE_FAILED},
        {"", HANDSHAKE_FAILED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct pair pair;
        prepare(&pair, 2, HANDSHAKE_ALIVE);
        start(&pair);
        assert_true(step(&pair, 0));
        assert_int_equal(pair.ends[1].state, HANDSHAKE_EXPECT_ALIVE_ANSWER);
        feed(&pair.ends[1], rows[i].answer, strlen(rows[i].answer), &pair.outputs[1]);
        assert_int_equal(pair.ends[1].state, rows[i].state);
        assert_int_equal(pair.ends[1].replaces, rows[i].state != HANDSHAKE_FAILED);
        end(&pair);
    }
}

static void test_statuses(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        enum handshake_state state;
        const char *answer;
    } rows[] = {
        {"sok", HANDSHAKE_EXPECT_CHALLENGE, ""},
        {"sok_simultaneous", HANDSHAKE_EXPECT_CHALLENGE, ""},
        {"salive", HANDSHAKE_EXPECT_CHALLENGE, "strue"},
        {"snok", HANDSHAKE_FAILED, ""},
        {"snot_allowed", HANDSHAKE_FAILED, ""},
        {"snamed:\1dynamic", HANDSHAKE_FAILED, ""}, /* nobody asked to be named */
        {"sOK", HANDSHAKE_FAILED, ""},
        {"sok ", HANDSHAKE_FAILED, ""},
        {"so", HANDSHAKE_FAILED, ""},
        {"s", HANDSHAKE_FAILED, ""},
        {"ok", HANDSHAKE_FAILED, ""},
        {"", HANDSHAKE_FAILED, ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct pair pair;
        uint8_t message[HANDSHAKE_MESSAGE_BYTES];
        prepare(&pair, 4, HANDSHAKE_ADMIT);
        start(&pair);
        assert_true(take(&pair, 0, message) > 0);
        feed(&pair.ends[0], rows[i].status, strlen(rows[i].status), &pair.outputs[0]);
        assert_int_equal(pair.ends[0].state, rows[i].state);
        assert_int_equal(pair.ends[0].found_namesake, rows[i].answer[0] != '\0');
        size_t size = take(&pair, 0, message);
        assert_int_equal(size, strlen(rows[i].answer));
        assert_memory_equal(message, rows[i].answer, size);
        end(&pair);
    }
}

/* What is connected by the same name may be a node that is well. */
static void test_yields_to_a_connection(void **state)
{
    (void)state;
    struct pair pair;
    prepare(&pair, 2, HANDSHAKE_ALIVE);
    start(&pair);
    pair.ends[0].yields = true;
    run(&pair);
    expect_failed(&pair.ends[0], "connected with a node of this name already");
    assert_true(pair.ends[0].found_namesake && pair.ends[0].yielded && !pair.ends[0].wait_for_peer);
    assert_int_equal(pair.ends[1].state, HANDSHAKE_EXPECT_ALIVE_ANSWER);
    end(&pair);
}

static void test_wrong_cookie(void **state)
{
    (void)state;
    struct pair pair;
    prepare(&pair, 2, HANDSHAKE_ADMIT);
    pair.identities[0].cookie = "guessed";
    start(&pair);
    run(&pair);
    expect_failed(&pair.ends[1], "cookie");
    assert_int_equal(pair.ends[0].state, HANDSHAKE_EXPECT_ACK);
    assert_int_equal(pair.outputs[1].size, 0); /* who does not know the cookie learns nothing */
    end(&pair);
}

/* An acceptor that admits everybody and does not know the cookie. */
static void test_wrong_acknowledgement(void **state)
{
    (void)state;
    struct pair pair;
    uint8_t ack[1 + HANDSHAKE_DIGEST_BYTES] = {'a'};
    prepare(&pair, 2, HANDSHAKE_ADMIT);
    start(&pair);
    run_to(&pair, 0, HANDSHAKE_EXPECT_ACK);
    handshake_digest("guessed", pair.ends[0].challenge, ack + 1);
    feed(&pair.ends[0], ack, sizeof(ack), &pair.outputs[0]);
    expect_failed(&pair.ends[0], "cookie");
    end(&pair);
}

static void test_missing_flags(void **state)
{
    (void)state;
    static const struct {
        uint64_t without;
        const char *names;
    } rows[] = {
        {FLAG_UNLINK_ID, "UNLINK_ID"},
        {FLAG_V4_NC, "V4_NC"},
        {FLAG_UNLINK_ID | FLAG_V4_NC, "UNLINK_ID V4_NC"},
        {FLAG_MAP_TAG | FLAG_MANDATORY_25_DIGEST, "MAP_TAG"},
        {UINT64_MAX, "EXTENDED_REFERENCES"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        for (size_t lacking = 0; lacking < 2; lacking++) {
            struct pair pair;
            prepare(&pair, 2, HANDSHAKE_ADMIT);
            pair.identities[lacking].flags &= ~rows[i].without;
            start(&pair);
            run(&pair);
            expect_failed(&pair.ends[!lacking], rows[i].names);
            if (lacking == 0) {
                expect_failed(&pair.ends[0], "does not allow");
                assert_int_equal(pair.judged, 0);
            }
            end(&pair);
        }
    }
}

/* The digest stands for all that OTP 25 demands. */
static void test_flags_digest(void **state)
{
    (void)state;
    struct pair pair;
    prepare(&pair, 2, HANDSHAKE_ADMIT);
    pair.identities[0].flags = FLAG_MANDATORY_25_DIGEST | FLAG_UNLINK_ID | FLAG_V4_NC;
    pair.identities[1].flags = FLAG_MANDATORY_25_DIGEST | FLAG_UNLINK_ID | FLAG_V4_NC | FLAG_SPAWN;
    start(&pair);
    run(&pair);
    expect_done(&pair);
    assert_true(pair.ends[1].peer_flags & FLAG_MAP_TAG);
    end(&pair);
}

static void test_another_node_answers(void **state)
{
    (void)state;
    static const char *const names[] = {"other@127.0.0.1", "listener@127.0.0.11", "listener@127.0.0."};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct pair pair;
        prepare(&pair, 2, HANDSHAKE_ADMIT);
        pair.identities[1].node = names[i];
        start(&pair);
        run(&pair);
        expect_failed(&pair.ends[0], "another name");
        assert_int_equal(pair.ends[1].state, HANDSHAKE_EXPECT_REPLY);
        end(&pair);
    }
}

/* A name message with any name, and `extra` bytes behind it. */
static size_t name_message(uint8_t *message, uint64_t flags, const char *name, size_t name_size, size_t extra)
{
    message[0] = 'N';
    bytes_put64(message + 1, flags);
    bytes_put32(message + 9, 77);
    bytes_put16(message + 13, (uint16_t)name_size);
    memcpy(message + 15, name, name_size);
    memset(message + 15 + name_size, 0xee, extra);
    return 15 + name_size + extra;
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "a", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "a\xff@b"};
    uint8_t message[HANDSHAKE_MESSAGE_BYTES];
    struct pair pair;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        prepare(&pair, 2, HANDSHAKE_ADMIT);
        start(&pair);
        size_t size = name_message(message, FLAGS_OFFERED, bad[i], strlen(bad[i]), 0);
        feed(&pair.ends[1], message, size, &pair.outputs[1]);
        expect_failed(&pair.ends[1], "node name");
        assert_int_equal(pair.judged, 0);
        end(&pair);
    }
    char name[NODE_NAME_BYTES + 1];
    memset(name, 'a', sizeof(name));
    name[100] = '@';
    for (size_t size = NODE_NAME_BYTES; size <= NODE_NAME_BYTES + 1; size++) {
        prepare(&pair, 2, HANDSHAKE_ADMIT);
        start(&pair);
        feed(&pair.ends[1], message, name_message(message, FLAGS_OFFERED, name, size, 0), &pair.outputs[1]);
        assert_int_equal(pair.ends[1].state == HANDSHAKE_FAILED, size > NODE_NAME_BYTES);
        end(&pair);
    }
}

/* Both names as long as they can be. */
static void test_long_names(void **state)
{
    (void)state;
    struct pair pair;
    char name[NODE_NAME_BYTES + 1] = {0};
    memset(name, 'a', NODE_NAME_BYTES);
    name[100] = '@';
    prepare(&pair, 2, HANDSHAKE_ADMIT);
    pair.identities[0].node = pair.identities[1].node = name;
    handshake_initiate(&pair.ends[0], &pair.identities[0], 2, name, &pair.outputs[0]);
    handshake_accept(&pair.ends[1], &pair.identities[1], 2, judge, &pair);
    run(&pair);
    expect_done(&pair);
    end(&pair);
}

/* What later versions may put behind the names is ignored. */
static void test_extra_data(void **state)
{
    (void)state;
    uint8_t message[HANDSHAKE_MESSAGE_BYTES];
    struct pair pair;
    prepare(&pair, 2, HANDSHAKE_ADMIT);
    start(&pair);
    assert_true(take(&pair, 0, message) > 0);
    size_t size = name_message(message, FLAGS_OFFERED, DIALLER, strlen(DIALLER),
                               HANDSHAKE_MESSAGE_BYTES - 15 - strlen(DIALLER));
    assert_int_equal(size, HANDSHAKE_MESSAGE_BYTES);
    feed(&pair.ends[1], message, size, &pair.outputs[1]);
    assert_string_equal(pair.ends[1].peer, DIALLER);
    assert_int_equal(pair.ends[1].peer_creation, 77);
    assert_true(step(&pair, 1)); /* the status */
    size = take(&pair, 1, message);
    memset(message + size, 0xee, HANDSHAKE_MESSAGE_BYTES - size);
    feed(&pair.ends[0], message, HANDSHAKE_MESSAGE_BYTES, &pair.outputs[0]);
    run(&pair);
    assert_int_equal(pair.ends[0].state, HANDSHAKE_DONE);
    assert_int_equal(pair.ends[1].state, HANDSHAKE_DONE);
    end(&pair);
}

/* A node that asks for a name (`erl -sname undefined`) and goes on with the one that it was given. */
static void test_dynamic_name(void **state)
{
    (void)state;
    char names[2][NODE_NAME_BYTES + 1];
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        uint8_t message[HANDSHAKE_MESSAGE_BYTES], reply[5 + HANDSHAKE_DIGEST_BYTES] = {'r', 1, 2, 3, 4};
        prepare(&pair, 2, HANDSHAKE_ADMIT);
        start(&pair);
        size_t size = name_message(message, FLAGS_OFFERED | FLAG_NAME_ME, "127.0.0.1", 9, 0);
        feed(&pair.ends[1], message, size, &pair.outputs[1]);
        memcpy(names[i], pair.judged_name, sizeof(names[i]));
        assert_non_null(strstr(names[i], "@127.0.0.1"));
        assert_string_equal(pair.ends[1].peer, names[i]);
        size = take(&pair, 1, message);
        assert_int_equal(size, 7 + 2 + strlen(names[i]) + 4);
        assert_memory_equal(message, "snamed:", 7);
        assert_int_equal(bytes_get16(message + 7), strlen(names[i]));
        assert_memory_equal(message + 9, names[i], strlen(names[i]));
        assert_int_equal(bytes_get32(message + size - 4), pair.ends[1].peer_creation);
        assert_true(pair.ends[1].peer_creation > 3);
        size = take(&pair, 1, message);
        handshake_digest("secret", bytes_get32(message + 9), reply + 5);
        feed(&pair.ends[1], reply, sizeof(reply), &pair.outputs[1]);
        assert_int_equal(pair.ends[1].state, HANDSHAKE_DONE);
        end(&pair);
    }
    assert_string_not_equal(names[0], names[1]);
}

static void test_dynamic_name_of_no_host(void **state)
{
    (void)state;
    char host[300];
    memset(host, 'a', sizeof(host));
    const struct {
        const char *host;
        size_t size;
    } rows[] = {{"", 0}, {"a@b", 3}, {"a b", 3}, {"a\0b", 3}, {host, 255}, {host, 300}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct pair pair;
        uint8_t message[HANDSHAKE_MESSAGE_BYTES];
        prepare(&pair, 2, HANDSHAKE_ADMIT);
        start(&pair);
        size_t size = name_message(message, FLAGS_OFFERED | FLAG_NAME_ME, rows[i].host, rows[i].size, 0);
        feed(&pair.ends[1], message, size, &pair.outputs[1]);
        expect_failed(&pair.ends[1], "node name");
        end(&pair);
    }
}

static void test_old_versions(void **state)
{
    (void)state;
    struct pair pair;
    prepare(&pair, 2, HANDSHAKE_ADMIT);
    start(&pair);
    feed(&pair.ends[1], "n\0\5\0\0\0\0a@b", 10, &pair.outputs[1]);
    expect_failed(&pair.ends[1], "version 5");
    end(&pair);
}

/* The messages of a good handshake by who sends them: name, status, challenge, reply, acknowledgement. */
static const size_t senders[] = {0, 1, 1, 0, 1};

/* Runs a handshake up to one of its messages and takes that. */
static size_t start_to(struct pair *pair, size_t index, uint8_t message[HANDSHAKE_MESSAGE_BYTES])
{
    prepare(pair, 2, HANDSHAKE_ADMIT);
    start(pair);
    for (size_t i = 0; i < index; i++)
        assert_true(step(pair, senders[i]));
    return take(pair, senders[index], message);
}

static void expect_spoilt(struct pair *pair, size_t index, const uint8_t *message, size_t size)
{
    size_t to = !senders[index];
    feed(&pair->ends[to], message, size, &pair->outputs[to]);
    assert_int_equal(pair->ends[to].state, HANDSHAKE_FAILED);
    end(pair);
}

/* A message that is cut short, that begins with a wrong byte, or that has bytes behind it where there is no
 * room for extra data. */
static void test_spoilt_messages(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_LENGTH(senders); index++) {
        struct pair pair;
        uint8_t message[HANDSHAKE_MESSAGE_BYTES + 1];
        size_t size = start_to(&pair, index, message);
        message[0] ^= 1;
        expect_spoilt(&pair, index, message, size);
        for (size_t cut = 0; cut < size; cut++) {
            start_to(&pair, index, message);
            expect_spoilt(&pair, index, message, cut);
        }
        if (index == 0 || index == 2)
            continue;
        start_to(&pair, index, message);
        message[size] = 0;
        expect_spoilt(&pair, index, message, size + 1);
    }
}

/* One bit wrong in a digest. */
static void test_spoilt_digests(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * HANDSHAKE_DIGEST_BYTES; bit++) {
        struct pair pair;
        uint8_t message[HANDSHAKE_MESSAGE_BYTES];
        prepare(&pair, 2, HANDSHAKE_ADMIT);
        start(&pair);
        run_to(&pair, 0, HANDSHAKE_EXPECT_ACK);
        size_t size = take(&pair, 0, message);
        message[5 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        feed(&pair.ends[1], message, size, &pair.outputs[1]);
        expect_failed(&pair.ends[1], "cookie");
        assert_int_equal(pair.outputs[1].size, 0);
        end(&pair);
    }
}

/* An end that is shown its own messages learns no digest from them. */
static void test_reflection(void **state)
{
    (void)state;
    struct pair pair;
    uint8_t challenge[HANDSHAKE_MESSAGE_BYTES], reply[HANDSHAKE_MESSAGE_BYTES];
    prepare(&pair, 2, HANDSHAKE_ADMIT);
    start(&pair);
    assert_true(step(&pair, 0));
    assert_true(step(&pair, 1));
    size_t size = take(&pair, 1, challenge);
    feed(&pair.ends[0], challenge, size, &pair.outputs[0]);
    size = take(&pair, 0, reply);
    reply[0] = 'a';
    memmove(reply + 1, reply + 5, HANDSHAKE_DIGEST_BYTES);
    feed(&pair.ends[0], reply, size - 4, &pair.outputs[0]);
    expect_failed(&pair.ends[0], "cookie");
    end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_alive_answers),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_yields_to_a_connection),
        cmocka_unit_test(test_wrong_cookie),
        cmocka_unit_test(test_wrong_acknowledgement),
        cmocka_unit_test(test_missing_flags),
        cmocka_unit_test(test_flags_digest),
        cmocka_unit_test(test_another_node_answers),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_extra_data),
        cmocka_unit_test(test_dynamic_name),
        cmocka_unit_test(test_dynamic_name_of_no_host),
        cmocka_unit_test(test_old_versions),
        cmocka_unit_test(test_spoilt_messages),
        cmocka_unit_test(test_spoilt_digests),
        cmocka_unit_test(test_reflection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
