/* The file of the audit, as the thread has it: written to, rotated, opened again. It knows no loop and does
 * not log: what is to be told of it is in the struct. */
#ifndef HARNESSD_AUDIT_AUDIT_FILE_PRIVATE_H
#define HARNESSD_AUDIT_AUDIT_FILE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

#define AUDIT_PROBLEM_BYTES 256

struct audit_file {
    const char *path;
    int descriptor; /* -1: it is not open */
    uint64_t size;
    uint64_t max_bytes;
    uint64_t keep;

    /* Why it cannot be written to, or be rotated: empty when it can. */
    char problem[AUDIT_PROBLEM_BYTES];
    char rotation_problem[AUDIT_PROBLEM_BYTES];
    uint64_t rotations; /* that went well, and of these */
    uint64_t removals;  /* those that have removed the oldest */
};

/* False with a problem. The file is made if it is not there, for its owner alone, and has to be a regular
 * one that nobody else has open for this: two would part at the first rotation. */
MUST_CHECK bool audit_file_open(struct audit_file *file);
void audit_file_close(struct audit_file *file);

/* Writes whole lines and takes them away from `lines`, all of them, or with a problem as many as it could:
 * never part of one. They are on disk then. */
void audit_file_write(struct audit_file *file, struct buffer *lines);

#endif
