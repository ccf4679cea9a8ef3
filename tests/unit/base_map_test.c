#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"

static int values[20000];

static void *put(struct map *map, const char *key, void *value)
{
    return map_put(map, key, strlen(key), value);
}

static void *get(const struct map *map, const char *key)
{
    return map_get(map, key, strlen(key));
}

static void *take_out(struct map *map, const char *key)
{
    return map_remove(map, key, strlen(key));
}

static void test_empty(void **state)
{
    (void)state;
    struct map map = {0};
    struct map_cursor cursor = {0};
    assert_null(get(&map, "a"));
    assert_null(take_out(&map, "a"));
    assert_null(map_next(&map, &cursor));
    assert_null(map_next(&map, &cursor));
    map_free(&map);
    map_free(&map);
}

/* The same bytes have the same number wherever they are, and others hardly ever. */
static void test_hash(void **state)
{
    (void)state;
    uint8_t bytes[64], moved[65];
    uint64_t numbers[65];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    memcpy(moved + 1, bytes, sizeof(bytes));
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        numbers[size] = map_hash(bytes, size);
        assert_true(numbers[size] == map_hash(moved + 1, size));
        for (size_t shorter = 0; shorter < size; shorter++)
            assert_true(numbers[size] != numbers[shorter]);
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        moved[1 + i] ^= 1;
        assert_true(map_hash(moved + 1, sizeof(bytes)) != numbers[64]);
        moved[1 + i] ^= 1;
    }
    assert_true(map_hash(NULL, 0) == numbers[0]);
}

/* An entry, and its key, are where they were for as long as it is there. */
static void test_entry_of(void **state)
{
    (void)state;
    struct map map = {0};
    struct map_entry *entry = map_entry_of(&map, "key", 3);
    assert_null(entry->value);
    entry->value = &values[0];
    for (int i = 0; i < 1000; i++)
        (void)map_put(&map, &i, sizeof(i), &values[i]);
    assert_ptr_equal(map_entry_of(&map, "key", 3), entry);
    assert_memory_equal(entry->key, "key", 3);
    assert_ptr_equal(map_remove(&map, entry->key, entry->key_size), &values[0]);
    assert_int_equal(map.count, 1000);
    map_free(&map);
}

static void test_put_get_remove(void **state)
{
    (void)state;
    struct map map = {0};
    assert_null(put(&map, "a", &values[0]));
    assert_null(put(&map, "b", &values[1]));
    assert_null(put(&map, "", &values[2]));
    assert_int_equal(map.count, 3);
    assert_ptr_equal(get(&map, "a"), &values[0]);
    assert_ptr_equal(get(&map, "b"), &values[1]);
    assert_ptr_equal(get(&map, ""), &values[2]);
    assert_ptr_equal(put(&map, "a", &values[3]), &values[0]);
    assert_int_equal(map.count, 3);
    assert_ptr_equal(get(&map, "a"), &values[3]);
    assert_ptr_equal(take_out(&map, "a"), &values[3]);
    assert_null(take_out(&map, "a"));
    assert_null(get(&map, "a"));
    assert_int_equal(map.count, 2);
    map_free(&map);
    assert_int_equal(map.count, 0);
    assert_null(put(&map, "a", &values[0])); /* a freed map is an empty one */
    assert_ptr_equal(get(&map, "a"), &values[0]);
    map_free(&map);
}

/* Keys are bytes: zeros count, and so does each length. */
static void test_keys_are_bytes(void **state)
{
    (void)state;
    struct map map = {0};
    uint8_t zeros[40] = {0};
    for (size_t size = 0; size <= sizeof(zeros); size++)
        assert_null(map_put(&map, zeros, size, &values[size]));
    for (size_t size = 0; size <= sizeof(zeros); size++)
        assert_ptr_equal(map_get(&map, zeros, size), &values[size]);
    for (size_t i = 0; i < sizeof(zeros); i++) {
        zeros[i] = 1;
        assert_null(map_get(&map, zeros, sizeof(zeros)));
        zeros[i] = 0;
    }
    assert_int_equal(map.count, sizeof(zeros) + 1);
    map_free(&map);
}

static void test_key_is_copied(void **state)
{
    (void)state;
    struct map map = {0};
    char key[] = "key";
    assert_null(put(&map, key, &values[0]));
    key[0] = 'x';
    assert_null(get(&map, key));
    assert_ptr_equal(get(&map, "key"), &values[0]);
    map_free(&map);
}

static void test_many(void **state)
{
    (void)state;
    struct map map = {0};
    for (uint32_t i = 0; i < 10000; i++)
        assert_null(map_put(&map, &i, sizeof(i), &values[i]));
    assert_int_equal(map.count, 10000);
    for (uint32_t i = 0; i < 10000; i++)
        assert_ptr_equal(map_get(&map, &i, sizeof(i)), &values[i]);
    for (uint32_t i = 0; i < 10000; i += 2)
        assert_ptr_equal(map_remove(&map, &i, sizeof(i)), &values[i]);
    for (uint32_t i = 0; i < 10000; i++)
        assert_ptr_equal(map_get(&map, &i, sizeof(i)), i % 2 ? &values[i] : NULL);
    assert_int_equal(map.count, 5000);
    map_free(&map);
}

/* It grows by a bucket at a time: whatever the number, all is where it is looked for, and nothing twice. */
static void test_each_size(void **state)
{
    (void)state;
    struct map map = {0};
    for (uint32_t size = 1; size <= 600; size++) {
        const uint32_t last = size - 1;
        struct map_cursor cursor = {0};
        size_t walked = 0;
        assert_null(map_put(&map, &last, sizeof(last), &values[last]));
        assert_in_range(map.bucket_count, size, size < 16 ? 16 : size);
        for (uint32_t i = 0; i < size; i++)
            assert_ptr_equal(map_get(&map, &i, sizeof(i)), &values[i]);
        assert_null(map_get(&map, &size, sizeof(size)));
        while (map_next(&map, &cursor))
            walked++;
        assert_int_equal(walked, size);
    }
    map_free(&map);
}

/* Each entry comes once, also when those that came are removed on the way. */
static void walk(bool removing)
{
    struct map map = {0};
    bool seen[1000] = {false};
    struct map_cursor cursor = {0};
    size_t count = 0;
    for (uint32_t i = 0; i < 1000; i++)
        assert_null(map_put(&map, &i, sizeof(i), &values[i]));
    for (const struct map_entry *entry; (entry = map_next(&map, &cursor)); count++) {
        uint32_t key;
        assert_int_equal(entry->key_size, sizeof(key));
        memcpy(&key, entry->key, sizeof(key));
        assert_true(key < 1000 && !seen[key]);
        assert_ptr_equal(entry->value, &values[key]);
        seen[key] = true;
        if (removing && key % 3)
            assert_ptr_equal(map_remove(&map, &key, sizeof(key)), &values[key]);
    }
    assert_int_equal(count, 1000);
    assert_int_equal(map.count, removing ? 334 : 1000);
    map_free(&map);
}

static void test_walk(void **state)
{
    (void)state;
    walk(false);
    walk(true);
}

/* Emptying a map into which something is put on the way. */
static void test_any(void **state)
{
    (void)state;
    struct map map = {0};
    size_t hint = 0, taken = 0;
    uint32_t next = 0, key;
    assert_null(map_any(&map, &hint));
    for (; next < 1000; next++)
        assert_null(map_put(&map, &next, sizeof(next), &values[next]));
    for (const struct map_entry *entry; (entry = map_any(&map, &hint)); taken++) {
        memcpy(&key, entry->key, sizeof(key));
        assert_ptr_equal(entry->value, &values[key]);
        assert_ptr_equal(map_remove(&map, &key, sizeof(key)), &values[key]);
        if (taken % 3 == 0 && next < 1500) {
            assert_null(map_put(&map, &next, sizeof(next), &values[next]));
            next++;
        }
    }
    assert_int_equal(taken, next);
    assert_int_equal(map.count, 0);
    assert_null(map_any(&map, &hint));
    map_free(&map);
}

/* Random operations beside an array that does the same. */
static void test_model(void **state)
{
    (void)state;
    struct map map = {0};
    void *model[500] = {NULL};
    struct random random;
    size_t count = 0;
    random_seed(&random, 7);
    for (int i = 0; i < 50000; i++) {
        size_t key = random_below(&random, ARRAY_LENGTH(model));
        char text[32];
        snprintf(text, sizeof(text), "%.*s%zu", (int)(key % 11), "a long prefix", key);
        void *value = &values[random_below(&random, ARRAY_LENGTH(values))];
        void *before = model[key];
        switch (random_below(&random, 3)) {
        case 0:
            assert_ptr_equal(put(&map, text, value), before);
            model[key] = value;
            count += before == NULL;
            break;
        case 1:
            assert_ptr_equal(take_out(&map, text), before);
            model[key] = NULL;
            count -= before != NULL;
            break;
        default:
            assert_ptr_equal(get(&map, text), before);
        }
        assert_int_equal(map.count, count);
    }
    map_free(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),          cmocka_unit_test(test_hash),
        cmocka_unit_test(test_entry_of),       cmocka_unit_test(test_put_get_remove),
        cmocka_unit_test(test_keys_are_bytes), cmocka_unit_test(test_key_is_copied),
        cmocka_unit_test(test_many),           cmocka_unit_test(test_each_size),
        cmocka_unit_test(test_walk),           cmocka_unit_test(test_any),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
