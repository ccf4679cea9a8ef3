#include "base/descriptors.h"

#include <sys/resource.h>

bool descriptors_are_short(int newest)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return false;
    rlim_t eighth = limit.rlim_cur / 8;
    rlim_t own = eighth < DESCRIPTORS_OF_OUR_OWN ? eighth : DESCRIPTORS_OF_OUR_OWN;
    return (rlim_t)newest >= limit.rlim_cur - own;
}
