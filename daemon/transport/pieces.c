#include "transport/pieces.h"

/* So many units are read by themselves, more by twos at least, and all in so many pieces. */
#define READ_BY_ITSELF 4
#define READ_PIECES TRANSPORT_PIECES

void pieces_note(struct pieces *pieces, size_t bytes)
{
    if (!pieces->units++ || bytes < pieces->shortest_bytes)
        pieces->shortest_bytes = bytes;
    if (!pieces->unit_bytes || bytes < pieces->unit_bytes || pieces->units == PIECES_UNITS_OF_LATE)
        pieces->unit_bytes = pieces->shortest_bytes;
    if (pieces->units == PIECES_UNITS_OF_LATE)
        pieces->units = 0;
}

/* How many of so many are one piece. */
static size_t pieces_together(size_t units)
{
    size_t together = (units + READ_PIECES - 1) / READ_PIECES;
    return together > 1 || units <= READ_BY_ITSELF ? together : 2;
}

struct transport_plan pieces_plan(const struct pieces *pieces, size_t missing, size_t expected, size_t most)
{
    const size_t unit = pieces->unit_bytes;
    struct transport_plan plan = {.first = missing < most ? missing : most, .count = 1};
    expected = expected < most ? expected : most;
    if (expected <= missing)
        return plan;
    size_t units = 1 + (expected - missing + unit - 1) / unit;
    size_t together = pieces_together(units);
    plan.first = missing + (together - 1) * unit;
    plan.piece = together * unit;
    plan.count = (units + together - 1) / together;
    return plan;
}
