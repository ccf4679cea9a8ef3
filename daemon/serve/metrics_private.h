/* What the daemon tells Prometheus: one table of metrics with name, type, help and source, written in the
 * text format (version 0.0.4). Times are in seconds and sizes in bytes, as is the custom there. */
#ifndef HARNESSD_SERVE_METRICS_PRIVATE_H
#define HARNESSD_SERVE_METRICS_PRIVATE_H

#include "base/buffer.h"
#include "process_usage_private.h"
#include "run/runner.h"

struct metrics_peer {
    const char *name;
    bool is_up;
};

/* The daemon at one moment; what it points to is borrowed. */
struct metrics_look {
    const struct counters *counters;
    struct runner_figures now;
    uint64_t runs_queued;  /* that have not started yet */
    uint64_t suites;       /* that go on */
    uint64_t runs_storing; /* that have ended and are not on disk yet */
    struct process_usage process;
    uint64_t requests; /* that other nodes have made */
    bool is_registered;
    size_t peers_up;
    const struct metrics_peer *peers; /* those that are to be kept */
    size_t peer_count;
    uint64_t queued_bytes; /* to all peers */
    uint64_t lag_ns;       /* the longest pass of the loop within the last minute */
    uint64_t lag_cpu_ns;   /* likewise, of a processor */
    bool has_store_problem;
    uint64_t log_lost; /* lines */
    uint64_t audit_lines;
    uint64_t audit_lost;
    bool has_audit_problem;
    int64_t tls_ends_s;      /* of the certificate that ends first, since 1970; 0: there is none */
    int64_t http_tls_ends_s; /* likewise, of HTTP */
};

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* What a metric is, for people and in the text. */
struct metric_help {
    const char *name;
    const char *type;
    const char *label; /* of its samples; NULL: it has one sample, or it is a histogram */
    const char *text;
};

size_t metrics_count(void);
const struct metric_help *metrics_help(size_t index);

/* Appends all of them. */
void metrics_write(const struct metrics_look *look, struct buffer *text);

#endif
