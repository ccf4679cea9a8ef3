#include "store_age_private.h"

#include "base/clock.h"
#include "store/store.h"

/* What the clocks may differ by: far more than hours of slewing come to, and nothing beside the days for
 * which runs are kept. */
#define ASTRAY_MS 60000

uint64_t store_age_limit(struct store_age *age, uint64_t seconds, uint64_t now_ns, uint64_t now_ms)
{
    uint64_t steady_ms = (now_ns - age->since_ns) / CLOCK_NS_PER_MS;
    uint64_t expected_ms = age->since_ms + steady_ms;
    uint64_t astray_ms = now_ms > expected_ms ? now_ms - expected_ms : expected_ms - now_ms;
    if (astray_ms > ASTRAY_MS) {
        *age = (struct store_age){now_ns, now_ms};
        return 0;
    }
    if (!seconds || steady_ms / 1000 < STORE_STEADY_SECONDS || now_ms / 1000 < seconds)
        return 0;
    return now_ms - seconds * 1000;
}
