/* What came of one operation, for those who look at how targets fare. */
#ifndef HARNESSD_MEASURE_OBSERVATION_H
#define HARNESSD_MEASURE_OBSERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct observation {
    size_t target;    /* of the scenario, or a member of one, see faults_member() */
    uint64_t sent_ns; /* it was sent, or given up before */
    uint64_t now_ns;  /* it has ended */
    bool is_ok;
    bool is_answered; /* its target answers it: one that does not is a success when it was sent */
};

#endif
