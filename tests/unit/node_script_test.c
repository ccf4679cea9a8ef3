/* What is sent to a process that evaluates a script, and what waits for its node. */
#include "node_world.h"

#include "base/memory.h"
#include "node/script.h"
#include "node_private.h"

void peer_connect(struct peer *peer, struct peer_wait *wait)
{
    (void)peer;
    (void)wait;
}

void peer_wait_cancel(struct peer_wait *wait)
{
    (void)wait;
}

bool peer_send_long(struct peer *peer, uint64_t sender, const struct control *control,
                    const struct term_long *payload)
{
    struct buffer joined = {0};
    bool sent = peer_send(peer, sender, control, term_long_join(payload, &joined));
    buffer_free(&joined);
    return sent;
}

#define TO "{22, $o, $p}"

struct fixture {
    struct world world;
    struct process *process; /* $o, the fifth */
    struct scripts *scripts;
    struct script script;
    struct blob *long_bytes;
};

static const struct process_events nothing;

static void start(struct fixture *fixture)
{
    struct term_builder builder = {0};
    *fixture = (struct fixture){.long_bytes = NULL};
    world_start(&fixture->world, NULL);
    for (int i = 0; i < 4; i++)
        process_exit_atom(process_spawn(fixture->world.node, &nothing, NULL), "normal");
    fixture->process = process_spawn(fixture->world.node, &nothing, NULL);
    fixture->scripts = scripts_new(fixture->world.node, fixture->process);
    fixture->script = (struct script){
        .scripts = fixture->scripts, .process = fixture->process, .peer = &fixture->world.app};
    term_keep(&fixture->script.pid, term_from_text(&builder, "$p"));
    (void)term_from_text(&builder, "{long, $x}");
    fixture->long_bytes = blob_take(&builder.bytes, NULL);
    term_build_free(&builder);
}

static void end(struct fixture *fixture)
{
    blob_release(fixture->long_bytes);
    scripts_free(fixture->scripts);
    process_exit_atom(fixture->process, "normal");
    world_end(&fixture->world);
}

static bool send_long(struct fixture *fixture)
{
    const struct blob *blob = fixture->long_bytes;
    return script_send_long(
        &fixture->script, &(struct term_long){.tail = {blob->data, blob->size}, .held = fixture->long_bytes});
}

/* What is long waits while its node has much to take, and what comes behind it waits with it. */
static void test_in_order(void **state)
{
    (void)state;
    struct fixture fixture;
    struct term_builder builder = {0};
    start(&fixture);
    fixture.world.app.is_congested = true;
    assert_true(script_send(&fixture.script, term_from_text(&builder, "first")));
    assert_true(send_long(&fixture));
    assert_true(script_send(&fixture.script, term_from_text(&builder, "behind")));
    assert_true(script_tell(&fixture.script, term_from_text(&builder, "told")));
    world_expect_sent(&fixture.world, TO, "first");
    world_expect_nothing_sent(&fixture.world);
    fixture.world.app.is_congested = false;
    node_peers_events()->drained(fixture.world.node, &fixture.world.app);
    world_expect_sent(&fixture.world, TO, "{long, $x}");
    world_expect_sent(&fixture.world, TO, "behind");
    world_expect_sent(&fixture.world, TO, "told");
    script_end(&fixture.script, term_from_text(&builder, "stop"));
    world_expect_sent(&fixture.world, TO, "stop");
    world_expect_nothing_sent(&fixture.world);
    term_build_free(&builder);
    end(&fixture);
}

/* Of what waits at the end it has what it is told, in its order, and nothing else. */
static void test_ended_while_they_wait(void **state)
{
    (void)state;
    struct fixture fixture;
    struct term_builder builder = {0};
    start(&fixture);
    fixture.world.app.is_congested = true;
    assert_true(send_long(&fixture));
    assert_true(script_tell(&fixture.script, term_from_text(&builder, "{told, 1}")));
    assert_true(script_send(&fixture.script, term_from_text(&builder, "work")));
    assert_true(script_tell(&fixture.script, term_from_text(&builder, "{told, 2}")));
    world_expect_nothing_sent(&fixture.world);
    script_end(&fixture.script, term_from_text(&builder, "stop"));
    world_expect_sent(&fixture.world, TO, "{told, 1}");
    world_expect_sent(&fixture.world, TO, "{told, 2}");
    world_expect_sent(&fixture.world, TO, "stop");
    world_expect_nothing_sent(&fixture.world);
    assert_false(script_is_active(&fixture.script));
    assert_int_equal(fixture.long_bytes->holders, 1);
    term_build_free(&builder);
    end(&fixture);
}

/* One that has not started is told nothing. */
static void test_not_started(void **state)
{
    (void)state;
    struct fixture fixture;
    struct term_builder builder = {0};
    start(&fixture);
    buffer_free(&fixture.script.pid);
    assert_false(script_tell(&fixture.script, term_from_text(&builder, "told")));
    script_end(&fixture.script, term_from_text(&builder, "stop"));
    world_expect_nothing_sent(&fixture.world);
    assert_false(script_is_active(&fixture.script));
    term_build_free(&builder);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_ended_while_they_wait),
        cmocka_unit_test(test_not_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
