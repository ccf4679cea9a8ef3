#include "process_usage_private.h"

#include <dirent.h>
#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void usage_read_descriptors(struct process_usage *usage)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        usage->most_descriptors = limit.rlim_cur;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder));)
        usage->open_descriptors += entry->d_name[0] != '.';
    usage->open_descriptors -= usage->open_descriptors > 0; /* that of the folder itself */
    closedir(folder);
}

/* Seconds since 1970 at which the machine's clock of ticks was 0. */
static double usage_booted_s(void)
{
    struct timespec now, since_boot;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    return (double)(now.tv_sec - since_boot.tv_sec) + (double)(now.tv_nsec - since_boot.tv_nsec) / 1e9;
}

/* Fields 14, 15, 22, 23 and 24; the second one is the program's name in parentheses, which may hold some. */
static void usage_read_stat(struct process_usage *usage)
{
    char text[1024] = "";
    uint64_t user, system, started, size, pages;
    double ticks_per_s = (double)sysconf(_SC_CLK_TCK);
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file)
        return;
    size_t got = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[got] = '\0';
    const char *rest = strrchr(text, ')');
    if (!rest || sscanf(rest + 1,
                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                        " %*d %*d %*d %*d %*d %*d %" SCNu64 " %" SCNu64 " %" SCNu64,
                        &user, &system, &started, &size, &pages) != 5)
        return;
    usage->cpu_s = (double)(user + system) / ticks_per_s;
    usage->started_s =
        round((usage_booted_s() + (double)started / ticks_per_s) * 100) / 100; /* a tick's worth */
    usage->virtual_bytes = size;
    usage->resident_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

#ifdef __SANITIZE_ADDRESS__
/* Of sanitizer/allocator_interface.h, which comes with clang alone. */
size_t __sanitizer_get_current_allocated_bytes(void);
size_t __sanitizer_get_heap_size(void);

static void usage_read_heap(struct process_usage *usage)
{
    usage->heap_used_bytes = __sanitizer_get_current_allocated_bytes();
    usage->heap_held_bytes = __sanitizer_get_heap_size();
}
#else
/* All is 0 with an allocator other than glibc's. */
static void usage_read_heap(struct process_usage *usage)
{
    struct mallinfo2 info = mallinfo2();
    usage->heap_used_bytes = info.uordblks + info.hblkhd;
    usage->heap_held_bytes = info.arena + info.hblkhd;
}
#endif

void process_usage_read(struct process_usage *usage)
{
    *usage = (struct process_usage){0};
    usage_read_stat(usage);
    usage_read_heap(usage);
    usage_read_descriptors(usage);
}
