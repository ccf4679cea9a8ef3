/* Writes the pages of the reference, or the tables in them, to a folder, or with --check says which of those
 * there differ; with --manual a page of the manual from a template. */
#include <stdio.h>
#include <string.h>

#include "reference.h"
#include "template.h"

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--manual") == 0)
        return template_fill(argv[2], argv[3], argv[4]) ? 0 : 1;
    bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
    if (argc == 2 || check)
        return reference_write(argv[argc - 1], check) ? 0 : 1;
    fprintf(stderr, "usage: %s [--check] FOLDER\n       %s --manual FOLDER TEMPLATE OUTPUT\n", argv[0],
            argv[0]);
    return 2;
}
