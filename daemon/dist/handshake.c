#include "dist/handshake.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "dist/flags.h"

static void handshake_fail(struct handshake *handshake, const char *format, ...) PRINTF_LIKE(2, 3);

static void handshake_fail(struct handshake *handshake, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(handshake->problem, sizeof(handshake->problem), format, arguments);
    va_end(arguments);
    handshake->state = HANDSHAKE_FAILED;
}

static void handshake_send_message(struct handshake *handshake, struct buffer *output, const uint8_t *message,
                                   size_t size)
{
    uint8_t length[4];
    bytes_put32(length, (uint32_t)size);
    buffer_append(output, length + sizeof(length) - handshake->length_bytes, handshake->length_bytes);
    buffer_append(output, message, size);
}

static void handshake_send_status(struct handshake *handshake, struct buffer *output, const char *status)
{
    uint8_t message[32] = {'s'};
    size_t size = strlen(status);
    memcpy(message + 1, status, size);
    handshake_send_message(handshake, output, message, 1 + size);
}

void handshake_digest(const char *cookie, uint32_t challenge, uint8_t digest[HANDSHAKE_DIGEST_BYTES])
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%u", challenge);
    unsigned size = HANDSHAKE_DIGEST_BYTES;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int done = context && EVP_DigestInit_ex(context, EVP_md5(), NULL) &&
               EVP_DigestUpdate(context, cookie, strlen(cookie)) &&
               EVP_DigestUpdate(context, text, (size_t)length) && EVP_DigestFinal_ex(context, digest, &size);
    assert(done);
    EVP_MD_CTX_free(context);
}

static bool handshake_digest_fits(const struct handshake *handshake, const uint8_t *digest)
{
    uint8_t expected[HANDSHAKE_DIGEST_BYTES];
    handshake_digest(handshake->identity->cookie, handshake->challenge, expected);
    return CRYPTO_memcmp(expected, digest, sizeof(expected)) == 0;
}

static bool handshake_flags_suffice(struct handshake *handshake)
{
    char missing[256];
    flags_missing(FLAGS_MANDATORY, handshake->peer_flags, missing, sizeof(missing));
    if (missing[0])
        handshake_fail(handshake, "peer lacks %s", missing);
    return !missing[0];
}

void handshake_initiate(struct handshake *handshake, const struct handshake_identity *identity,
                        size_t length_bytes, const char *peer, struct buffer *output)
{
    *handshake = (struct handshake){
        .identity = identity, .length_bytes = length_bytes, .state = HANDSHAKE_EXPECT_STATUS};
    snprintf(handshake->peer, sizeof(handshake->peer), "%s", peer);
    size_t name_size = strlen(identity->node);
    uint8_t message[15 + NODE_NAME_BYTES] = {'N'};
    bytes_put64(message + 1, identity->flags);
    bytes_put32(message + 9, identity->creation);
    bytes_put16(message + 13, (uint16_t)name_size);
    memcpy(message + 15, identity->node, name_size);
    handshake_send_message(handshake, output, message, 15 + name_size);
}

void handshake_accept(struct handshake *handshake, const struct handshake_identity *identity,
                      size_t length_bytes, enum handshake_verdict (*judge)(void *owner, const char *peer),
                      void *owner)
{
    *handshake = (struct handshake){.identity = identity,
                                    .length_bytes = length_bytes,
                                    .state = HANDSHAKE_EXPECT_NAME,
                                    .judge = judge,
                                    .owner = owner};
}

static void handshake_send_challenge(struct handshake *handshake, struct buffer *output)
{
    const struct handshake_identity *identity = handshake->identity;
    size_t name_size = strlen(identity->node);
    uint8_t message[19 + NODE_NAME_BYTES] = {'N'};
    random_secret(&handshake->challenge, sizeof(handshake->challenge));
    /* A node that asked for a name goes by what both sides have said, this flag included. */
    bytes_put64(message + 1, identity->flags | (handshake->peer_flags & FLAG_NAME_ME));
    bytes_put32(message + 9, handshake->challenge);
    bytes_put32(message + 13, identity->creation);
    bytes_put16(message + 17, (uint16_t)name_size);
    memcpy(message + 19, identity->node, name_size);
    handshake_send_message(handshake, output, message, 19 + name_size);
    handshake->state = HANDSHAKE_EXPECT_REPLY;
}

/* A peer with FLAG_NAME_ME gave its host only and is given a name that nobody else has, as dynamic nodes of
 * OTP ask for it (`erl -sname undefined`). */
static void handshake_name_peer(struct handshake *handshake, struct buffer *output)
{
    uint8_t message[64 + NODE_NAME_BYTES] = {'s'};
    size_t status_size = strlen("named:");
    size_t name_size = strlen(handshake->peer);
    memcpy(message + 1, "named:", status_size);
    uint8_t *rest = message + 1 + status_size;
    bytes_put16(rest, (uint16_t)name_size);
    memcpy(rest + 2, handshake->peer, name_size);
    bytes_put32(rest + 2 + name_size, handshake->peer_creation);
    handshake_send_message(handshake, output, message, 1 + status_size + 2 + name_size + 4);
}

static bool handshake_invent_name(struct handshake *handshake, const char *host, size_t size)
{
    uint32_t random[3];
    random_secret(random, sizeof(random));
    int written = snprintf(handshake->peer, sizeof(handshake->peer), "dynamic-%08x%08x@%.*s", random[0],
                           random[1], (int)size, host);
    handshake->peer_creation = random[2] | 4; /* 0 is no creation, 1 to 3 are those of old nodes */
    return !memchr(host, '\0', size) && written > 0 && (size_t)written < sizeof(handshake->peer) &&
           node_name_is_valid(handshake->peer, (size_t)written);
}

static bool handshake_take_name(struct handshake *handshake, const uint8_t *message, size_t size)
{
    if (size < 15 || message[0] != 'N') {
        handshake_fail(handshake,
                       size && message[0] == 'n' ? "peer speaks handshake version 5" : "no name message");
        return false;
    }
    size_t name_size = bytes_get16(message + 13);
    if (name_size > size - 15) {
        handshake_fail(handshake, "truncated name message");
        return false;
    }
    const char *name = (const char *)message + 15;
    handshake->peer_flags = flags_expand(bytes_get64(message + 1));
    handshake->peer_creation = bytes_get32(message + 9);
    bool dynamic = handshake->peer_flags & FLAG_NAME_ME;
    if (dynamic ? !handshake_invent_name(handshake, name, name_size) : !node_name_is_valid(name, name_size)) {
        handshake_fail(handshake, "invalid node name");
        return false;
    }
    if (!dynamic)
        snprintf(handshake->peer, sizeof(handshake->peer), "%.*s", (int)name_size, name);
    return true;
}

static void handshake_expect_name(struct handshake *handshake, const uint8_t *message, size_t size,
                                  struct buffer *output)
{
    if (!handshake_take_name(handshake, message, size))
        return;
    if (!handshake_flags_suffice(handshake)) {
        handshake_send_status(handshake, output, "not_allowed");
        return;
    }
    switch (handshake->judge(handshake->owner, handshake->peer)) {
    case HANDSHAKE_ADMIT:
        if (handshake->peer_flags & FLAG_NAME_ME)
            handshake_name_peer(handshake, output);
        else
            handshake_send_status(handshake, output, "ok");
        handshake_send_challenge(handshake, output);
        break;
    case HANDSHAKE_ADMIT_SIMULTANEOUS:
        handshake_send_status(handshake, output, "ok_simultaneous");
        handshake_send_challenge(handshake, output);
        break;
    case HANDSHAKE_REFUSE_SIMULTANEOUS:
        handshake_send_status(handshake, output, "nok");
        handshake_fail(handshake, "simultaneous connect: this node's own attempt goes on");
        break;
    case HANDSHAKE_REFUSE:
        handshake_send_status(handshake, output, "not_allowed");
        handshake_fail(handshake, "name not allowed");
        break;
    case HANDSHAKE_ALIVE:
        handshake_send_status(handshake, output, "alive");
        handshake->state = HANDSHAKE_EXPECT_ALIVE_ANSWER;
        break;
    }
}

static bool handshake_status_is(const uint8_t *message, size_t size, const char *status)
{
    return size == 1 + strlen(status) && message[0] == 's' && memcmp(message + 1, status, size - 1) == 0;
}

static void handshake_expect_alive_answer(struct handshake *handshake, const uint8_t *message, size_t size,
                                          struct buffer *output)
{
    if (handshake_status_is(message, size, "true")) {
        handshake->replaces = true;
        handshake_send_challenge(handshake, output);
    } else if (handshake_status_is(message, size, "false")) {
        handshake_fail(handshake, "peer keeps the connection that it has");
    } else {
        handshake_fail(handshake, "no answer to the status alive");
    }
}

static void handshake_expect_reply(struct handshake *handshake, const uint8_t *message, size_t size,
                                   struct buffer *output)
{
    if (size != 5 + HANDSHAKE_DIGEST_BYTES || message[0] != 'r') {
        handshake_fail(handshake, "no challenge reply");
        return;
    }
    if (!handshake_digest_fits(handshake, message + 5)) {
        handshake_fail(handshake, "cookie mismatch");
        return;
    }
    uint8_t answer[1 + HANDSHAKE_DIGEST_BYTES] = {'a'};
    handshake_digest(handshake->identity->cookie, bytes_get32(message + 1), answer + 1);
    handshake_send_message(handshake, output, answer, sizeof(answer));
    handshake->state = HANDSHAKE_DONE;
}

/* Nothing is dialled while there is a connection: what the peer has is a broken one, or another node's. */
static void handshake_answer_alive(struct handshake *handshake, struct buffer *output)
{
    if (handshake->yields) {
        handshake_fail(handshake, "the peer is connected with a node of this name already");
        handshake->yielded = true;
    } else {
        handshake_send_status(handshake, output, "true");
        handshake->state = HANDSHAKE_EXPECT_CHALLENGE;
    }
}

static void handshake_expect_status(struct handshake *handshake, const uint8_t *message, size_t size,
                                    struct buffer *output)
{
    if (handshake_status_is(message, size, "ok") || handshake_status_is(message, size, "ok_simultaneous")) {
        handshake->state = HANDSHAKE_EXPECT_CHALLENGE;
    } else if (handshake_status_is(message, size, "alive")) {
        handshake->found_namesake = true;
        handshake_answer_alive(handshake, output);
    } else if (handshake_status_is(message, size, "nok")) {
        handshake_fail(handshake, "simultaneous connect: the peer's own attempt goes on");
        handshake->wait_for_peer = true;
    } else if (handshake_status_is(message, size, "not_allowed")) {
        handshake_fail(handshake, "the peer does not allow this node");
    } else {
        handshake_fail(handshake, "unknown status of the peer");
    }
}

static void handshake_expect_challenge(struct handshake *handshake, const uint8_t *message, size_t size,
                                       struct buffer *output)
{
    if (size < 19 || message[0] != 'N' || bytes_get16(message + 17) > size - 19) {
        handshake_fail(handshake, "no challenge");
        return;
    }
    size_t name_size = bytes_get16(message + 17);
    if (name_size != strlen(handshake->peer) || memcmp(message + 19, handshake->peer, name_size) != 0) {
        handshake_fail(handshake, "the node there has another name");
        return;
    }
    handshake->peer_flags = flags_expand(bytes_get64(message + 1));
    handshake->peer_creation = bytes_get32(message + 13);
    if (!handshake_flags_suffice(handshake))
        return;
    uint8_t reply[5 + HANDSHAKE_DIGEST_BYTES] = {'r'};
    random_secret(&handshake->challenge, sizeof(handshake->challenge));
    bytes_put32(reply + 1, handshake->challenge);
    handshake_digest(handshake->identity->cookie, bytes_get32(message + 9), reply + 5);
    handshake_send_message(handshake, output, reply, sizeof(reply));
    handshake->state = HANDSHAKE_EXPECT_ACK;
}

static void handshake_expect_ack(struct handshake *handshake, const uint8_t *message, size_t size,
                                 struct buffer *output)
{
    (void)output;
    if (size != 1 + HANDSHAKE_DIGEST_BYTES || message[0] != 'a')
        handshake_fail(handshake, "no challenge acknowledgement");
    else if (!handshake_digest_fits(handshake, message + 1))
        handshake_fail(handshake, "cookie mismatch");
    else
        handshake->state = HANDSHAKE_DONE;
}

typedef void handshake_step(struct handshake *handshake, const uint8_t *message, size_t size,
                            struct buffer *output);

static handshake_step *const steps[] = {
    [HANDSHAKE_EXPECT_NAME] = handshake_expect_name,
    [HANDSHAKE_EXPECT_ALIVE_ANSWER] = handshake_expect_alive_answer,
    [HANDSHAKE_EXPECT_REPLY] = handshake_expect_reply,
    [HANDSHAKE_EXPECT_STATUS] = handshake_expect_status,
    [HANDSHAKE_EXPECT_CHALLENGE] = handshake_expect_challenge,
    [HANDSHAKE_EXPECT_ACK] = handshake_expect_ack,
};

void handshake_input(struct handshake *handshake, const uint8_t *message, size_t size, struct buffer *output)
{
    assert(handshake->state < ARRAY_LENGTH(steps) && size <= HANDSHAKE_MESSAGE_BYTES);
    steps[handshake->state](handshake, message, size, output);
}
