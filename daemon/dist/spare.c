#include "spare_private.h"

#include <assert.h>

static void spare_on_unused(void *owner)
{
    struct spare *spare = owner;
    buffer_free(&spare->bytes);
}

void spare_init(struct spare *spare, struct loop *loop)
{
    *spare = (struct spare){.loop = loop};
    loop_timer_init(&spare->timer, loop, spare_on_unused, spare);
}

void spare_free(struct spare *spare)
{
    buffer_free(&spare->bytes);
    loop_timer_free(&spare->timer);
}

void spare_take(struct spare *spare, size_t size, struct buffer *bytes)
{
    assert(!bytes->data);
    if (size >= SPARE_BYTES_LEAST && size <= spare->bytes.capacity) {
        *bytes = spare->bytes;
        spare->bytes = (struct buffer){0};
    }
    const uint8_t *room = buffer_reserve(bytes, size);
    assert(room);
}

bool spare_keep(struct spare *spare, struct buffer *bytes)
{
    if (spare->bytes.data || bytes->capacity < SPARE_BYTES_LEAST || bytes->capacity > SPARE_BYTES_MOST)
        return false;
    spare->bytes = (struct buffer){.data = bytes->data, .capacity = bytes->capacity};
    *bytes = (struct buffer){0};
    loop_timer_set(&spare->timer, SPARE_NS);
    return true;
}
