/* What faults may be done to, as the configuration has it: each question is answered with the rule that
 * forbids it, the path of a key of the configuration, or NULL. */
#ifndef HARNESSD_FAULTS_BLAST_RADIUS_H
#define HARNESSD_FAULTS_BLAST_RADIUS_H

struct blast_radius {
    const char *(*forbids_kind)(void *owner, const char *kind);
    const char *(*forbids_node)(void *owner, const char *node);

    /* A process without a name, or of no application, has an empty one. */
    const char *(*forbids_process)(void *owner, const char *name, const char *application);
    void *owner;
};

#endif
