#include "log_queue_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

static size_t make_piece(size_t number, size_t size, char *piece)
{
    memset(piece, 'a' + (char)(number % 26), size);
    return size;
}

/* Whatever is put and taken in whatever order: the oldest first, as it was, and no more than there is room.
 */
static void test_pieces_come_out_as_they_went_in(void **state)
{
    (void)state;
    enum { CAPACITY = 10000, STEPS = 200000, MOST = 4000 };
    static size_t sizes[STEPS];
    char piece[LOG_PIECE_BYTES], expected[LOG_PIECE_BYTES];
    struct log_queue queue;
    struct random random;
    size_t put = 0, taken = 0, refused = 0;
    random_seed(&random, 3);
    log_queue_init(&queue, CAPACITY);
    for (size_t step = 0; step < STEPS; step++) {
        if (random_below(&random, 2)) {
            sizes[put] = 1 + random_below(&random, random_below(&random, 3) ? 100 : MOST);
            if (log_queue_put(&queue, piece, make_piece(put, sizes[put], piece)))
                put++;
            else
                refused++;
        } else {
            size_t size = log_queue_take(&queue, piece);
            assert_int_equal(size, put == taken ? 0 : sizes[taken]);
            if (!size)
                continue;
            make_piece(taken++, size, expected);
            assert_memory_equal(piece, expected, size);
        }
        assert_true(queue.used <= CAPACITY);
    }
    assert_true(refused > 100 && taken > 1000);
    log_queue_free(&queue);
}

static void test_a_full_queue_stays_as_it_is(void **state)
{
    (void)state;
    char piece[LOG_PIECE_BYTES];
    struct log_queue queue;
    log_queue_init(&queue, 3 * LOG_PIECE_BYTES);
    assert_true(log_queue_put(&queue, piece, make_piece(0, LOG_PIECE_BYTES, piece)));
    assert_true(log_queue_put(&queue, piece, make_piece(1, LOG_PIECE_BYTES, piece)));
    assert_false(log_queue_put(&queue, piece, make_piece(2, LOG_PIECE_BYTES, piece)));
    assert_true(log_queue_put(&queue, "x", 1));
    assert_int_equal(log_queue_take(&queue, piece), LOG_PIECE_BYTES);
    assert_int_equal(piece[0], 'a');
    assert_int_equal(log_queue_take(&queue, piece), LOG_PIECE_BYTES);
    assert_int_equal(piece[0], 'b');
    assert_int_equal(log_queue_take(&queue, piece), 1);
    assert_int_equal(log_queue_take(&queue, piece), 0);
    log_queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_come_out_as_they_went_in),
        cmocka_unit_test(test_a_full_queue_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
