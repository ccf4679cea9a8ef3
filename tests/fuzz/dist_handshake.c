/* A handshake of two ends of ourselves with somebody in between, who passes messages on, changes them, or
 * makes up others. The input is a script: a byte of settings, then steps. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "dist/flags.h"
#include "dist/handshake.h"

/* What the bits of the first byte mean. */
enum { LONG_LENGTHS = 1, OTHER_COOKIE = 2, VERDICTS = 4 /* and the bits above it */ };

struct script {
    const uint8_t *next;
    size_t left;
};

struct wire {
    struct handshake_identity identities[2];
    struct handshake ends[2]; /* [0] is the initiator */
    struct buffer outputs[2];
    size_t length_bytes;
    uint8_t verdict;
    unsigned judged;
    uint8_t settings;
};

static uint8_t take(struct script *script)
{
    if (!script->left)
        return 0;
    script->left--;
    return *script->next++;
}

static enum handshake_verdict judge(void *owner, const char *peer)
{
    struct wire *wire = owner;
    assert(node_name_is_valid(peer, strlen(peer)));
    wire->judged++;
    return (enum handshake_verdict)(wire->verdict % (HANDSHAKE_ALIVE + 1));
}

static void start(struct wire *wire, struct script *script)
{
    *wire = (struct wire){.settings = take(script)};
    wire->length_bytes = wire->settings & LONG_LENGTHS ? 4 : 2;
    wire->verdict = wire->settings / VERDICTS;
    const char *cookie = wire->settings & OTHER_COOKIE ? "other" : "secret";
    wire->identities[0] = (struct handshake_identity){
        .node = "dialler@127.0.0.1", .cookie = "secret", .flags = FLAGS_OFFERED, .creation = 11};
    wire->identities[1] = (struct handshake_identity){
        .node = "listener@127.0.0.1", .cookie = cookie, .flags = FLAGS_OFFERED, .creation = 22};
    handshake_accept(&wire->ends[1], &wire->identities[1], wire->length_bytes, judge, wire);
    handshake_initiate(&wire->ends[0], &wire->identities[0], wire->length_bytes, wire->identities[1].node,
                       &wire->outputs[0]);
}

static bool is_over(const struct handshake *handshake)
{
    return handshake->state == HANDSHAKE_DONE || handshake->state == HANDSHAKE_FAILED;
}

/* Feeds exactly these bytes, so that a sanitizer sees each one that is read outside. */
static void feed(struct wire *wire, size_t to, const uint8_t *message, size_t size)
{
    struct handshake *handshake = &wire->ends[to];
    if (is_over(handshake))
        return;
    uint8_t *copy = malloc(size ? size : 1);
    assert(copy);
    memcpy(copy, message, size);
    handshake_input(handshake, copy, size, &wire->outputs[to]);
    free(copy);
    assert((handshake->problem[0] != '\0') == (handshake->state == HANDSHAKE_FAILED));
    assert(memchr(handshake->problem, '\0', sizeof(handshake->problem)));
    assert(memchr(handshake->peer, '\0', sizeof(handshake->peer)));
    assert(!handshake->wait_for_peer || handshake->state == HANDSHAKE_FAILED);
    if (handshake->state == HANDSHAKE_DONE) {
        assert((FLAGS_MANDATORY & ~handshake->peer_flags) == 0);
        assert(node_name_is_valid(handshake->peer, strlen(handshake->peer)));
        assert(!(wire->settings & OTHER_COOKIE));
    }
    assert(wire->judged <= 1);
}

/* Takes the first message that an end has sent. */
static size_t take_output(struct wire *wire, size_t from, uint8_t message[HANDSHAKE_MESSAGE_BYTES])
{
    struct buffer *output = &wire->outputs[from];
    if (!output->size)
        return 0;
    assert(output->size >= wire->length_bytes);
    const uint8_t *bytes = buffer_bytes(output);
    size_t size = wire->length_bytes == 2 ? bytes_get16(bytes) : bytes_get32(bytes);
    assert(size > 0 && size <= output->size - wire->length_bytes && size <= HANDSHAKE_MESSAGE_BYTES);
    memcpy(message, bytes + wire->length_bytes, size);
    buffer_consume(output, wire->length_bytes + size);
    return size;
}

/* A step: who sends (bit 0), whether what it did send is passed on (bit 1), changed before (bit 2), or cut
 * or lengthened (bit 3); else bytes of the script are sent. */
static void step(struct wire *wire, struct script *script)
{
    uint8_t message[HANDSHAKE_MESSAGE_BYTES] = {0};
    uint8_t what = take(script);
    size_t from = what & 1;
    size_t size = what & 2 ? take_output(wire, from, message) : 0;
    if (what & 2 && !size)
        return;
    if (what & 4 && size) {
        size_t position = take(script) % size;
        message[position] ^= take(script);
    }
    if (what & 8 && size)
        size = (size_t)take(script) * 4;
    if (!(what & 2)) {
        size_t wanted = take(script);
        for (size_t i = 0; script->left && i < wanted; i++)
            message[size++] = take(script);
    }
    feed(wire, !from, message, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire wire;
    struct script script = {data, size};
    start(&wire, &script);
    for (int i = 0; script.left && i < 100; i++)
        step(&wire, &script);
    if (wire.ends[0].state == HANDSHAKE_DONE)
        assert(wire.ends[1].state == HANDSHAKE_DONE); /* only who knows the cookie acknowledges */
    buffer_free(&wire.outputs[0]);
    buffer_free(&wire.outputs[1]);
    return 0;
}
