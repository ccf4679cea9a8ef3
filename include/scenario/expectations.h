/* What a run may be expected to stay within: one table of kinds, each with its name, how it is measured, and
 * what is said when it was missed. In the order in which they were given the first missed one is the error.
 */
#ifndef HARNESSD_SCENARIO_EXPECTATIONS_H
#define HARNESSD_SCENARIO_EXPECTATIONS_H

#include "measure/batches.h"
#include "measure/histogram.h"
#include "term/help.h"
#include "term/term_build.h"

enum expectation_kind {
    EXPECT_TIME_MS,
    EXPECT_MEMORY_BYTES,
    EXPECT_REDUCTIONS,
    EXPECT_P50_US,
    EXPECT_P90_US,
    EXPECT_P95_US,
    EXPECT_P99_US,
    EXPECT_P999_US,
    EXPECT_ERROR_RATE,
    EXPECT_OPS_PER_S,
    EXPECT_MAILBOX,
    EXPECT_RECOVERY_MS,
    EXPECTATION_KINDS
};

struct expectation {
    enum expectation_kind kind;
    double limit;
    struct term value; /* the limit as it was given */
};

#define EXPECTATIONS_LIMIT 32

struct expectations {
    struct expectation items[EXPECTATIONS_LIMIT];
    size_t count;
};

/* What there is to judge by; all zero when nothing was tried. */
struct measured {
    bool was_tried;          /* the load has begun */
    bool has_asked_process;  /* `memory_bytes` and `reductions` are known */
    bool has_nothing_to_fix; /* chance has said no to all faults: a recovery is not asked for */
    uint64_t time_us;
    int64_t memory_bytes;
    int64_t reductions;
    const struct histogram *response; /* us; NULL or empty: no operation was answered */
    const struct batches *batches;    /* when these came; NULL: of no interest now */
    uint64_t operations;              /* that have ended */
    uint64_t failed;                  /* of them */
    uint64_t dropped;                 /* arrivals */
    uint64_t load_us;                 /* the time of the load alone */
    int64_t mailbox;                  /* the longest; -1 when none was observed */
    int64_t recovery_ms;              /* the longest; -1 when there was nothing to recover from */
    bool is_recovery_missing;         /* one has not come: no limit is met */
};

/* What is to be said of a kind; its name is how it is written. */
const struct help *expectation_help(enum expectation_kind kind);
const char *expectation_name(enum expectation_kind kind);

/* The figure that an expectation is about. False when there is none, as for latencies without an operation.
 */
MUST_CHECK bool expectation_measure(enum expectation_kind kind, const struct measured *measured,
                                    double *figure);

enum expectation_verdict {
    EXPECTATION_MET,
    EXPECTATION_MISSED,
    EXPECTATION_NOT_MEASURED, /* in the end as good as missed */
};

enum expectation_verdict expectation_judge(const struct expectation *expectation,
                                           const struct measured *measured);

/* The 95 % interval of the figure of an expectation about a quantile. False for other kinds, and when nothing
 * was measured for it. */
MUST_CHECK bool expectation_interval(enum expectation_kind kind, const struct measured *measured,
                                     struct batches_interval *interval);

/* Whether the verdict would most likely be the same again. */
enum expectation_certainty {
    EXPECTATION_CERTAIN,   /* the limit is outside of the interval */
    EXPECTATION_UNCERTAIN, /* it is within, on the side that the verdict depends on */
    EXPECTATION_UNKNOWN,   /* that side has no end */
};

enum expectation_certainty expectation_certainty(const struct expectation *expectation,
                                                 enum expectation_verdict verdict,
                                                 const struct batches_interval *interval);

/* The quantile that a kind is about, and what it is called; 0 for other kinds. */
double expectation_quantile(enum expectation_kind kind);

/* Those of memory and reductions, a bit each, which a process on the node has to be asked for. */
uint32_t expectations_of_process(void);

bool expectations_have(const struct expectations *expectations, enum expectation_kind kind);

/* Whether one of them allows that all operations fail. */
bool expectations_allow_all_errors(const struct expectations *expectations);

/* The first of them that is missed, or NULL; of the kinds in the mask only. While a run goes on, what nothing
 * was measured for waits for that; in the end (`is_over`) it is missed. */
#define EXPECTATIONS_ALL UINT32_MAX
MUST_CHECK const struct expectation *expectations_missed(const struct expectations *expectations,
                                                         uint32_t kinds, const struct measured *measured,
                                                         bool is_over);

/* The exception for a missed one: a RuntimeError, or on nodes without Elixir its text. */
void expectation_build_error(const struct expectation *expectation, const struct measured *measured,
                             bool elixir, struct term_builder *builder);

/* %{time_us:, memory_bytes:, reductions:} */
void measured_build(const struct measured *measured, struct term_builder *builder);

/* A list of %{expectation:, limit:, measured:, met:, certain:}. `met` is nil for what nothing was measured
 * for, and for all when nobody has judged them (`is_judged`); `certain` is so as well, and for what is no
 * quantile.
 */
void expectations_build(const struct expectations *expectations, const struct measured *measured,
                        bool is_judged, struct term_builder *builder);

#endif
