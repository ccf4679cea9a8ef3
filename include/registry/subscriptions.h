/* Who is told of runs while they go on: processes of other nodes, each of one run or of all, by messages
 *
 *     {harness_event, RunId, [Name], Measurements, Metadata}
 *
 * A process that has ended is forgotten, and so is a subscription of a run once that has ended. To a node
 * that does not read, so that much waits to be sent to it, nothing more is sent but that a run has ended; how
 * many events it has missed stands in the metadata of the next one, as events_missed. Of the subscriptions
 * that there may be, the nodes that ask for them have their shares (node/share.h). */
#ifndef HARNESSD_REGISTRY_SUBSCRIPTIONS_H
#define HARNESSD_REGISTRY_SUBSCRIPTIONS_H

#include "node/process.h"
#include "node/share.h"

#define SUBSCRIPTIONS_MOST 1000
#define SUBSCRIPTIONS_ALL 0 /* for the id of a run: of all runs, also those to come */

struct subscriptions;

/* Messages come from `process`, which outlives them. */
struct subscriptions *subscriptions_new(struct process *process);
void subscriptions_free(struct subscriptions *subscriptions);

enum subscription_outcome {
    SUBSCRIBED, /* or was so already */
    SUBSCRIPTION_NODEDOWN,
    SUBSCRIPTIONS_TOO_MANY,
};

/* `node` is whose caller asks for it. */
MUST_CHECK enum subscription_outcome subscriptions_add(struct subscriptions *subscriptions, uint64_t id,
                                                       struct term pid, const char *node);
void subscriptions_remove(struct subscriptions *subscriptions, uint64_t id, struct term pid);

/* Whether anybody is told of this run. */
bool subscriptions_have(const struct subscriptions *subscriptions, uint64_t id);

/* An event of a run; its name ends with NULL or has four parts. */
struct subscription_event {
    uint64_t id;
    const char *const *name;
    struct term measurements; /* a map */
    struct term metadata;
};
void subscriptions_tell(struct subscriptions *subscriptions, const struct subscription_event *event);

/* The same for the last one of a run, which nobody misses. */
void subscriptions_end(struct subscriptions *subscriptions, const struct subscription_event *event);

#endif
