/* Events of telemetry: those of the library, with its measurements and metadata, and our own. */
#ifndef HARNESSD_RUN_TELEMETRY_PRIVATE_H
#define HARNESSD_RUN_TELEMETRY_PRIVATE_H

struct run;
struct term_kept;

void telemetry_run_started(struct run *run);
void telemetry_run_stopped(struct run *run);
void telemetry_chaos(struct run *run, const char *what, /* "start" or "stop" */
                     const struct term_kept *failure);
void telemetry_mailbox(struct run *run);
void telemetry_explained(struct run *run);
void telemetry_performance(struct run *run);

#endif
