/* What bundles come to: shared by the files that evaluate and that move slices. */

#ifndef EDGEPLAN_SPARSE_BUNDLES_H
#define EDGEPLAN_SPARSE_BUNDLES_H

#include "kernel.h"

#define MOST_BUNDLES 24
#define MOST_CLOSED 4096 /* of bundles with more such sets nothing is made */
#define PLACES 256       /* of memory, for looking up who has so much */

/* Bundles that need each other, and are picked together. */
typedef struct {
    double memory, flops, worth;
    int32_t mask, needs; /* bundles, as bits */
} Unit;

/* A set of bundles that holds all that they need: a unit more than another set. */
typedef struct {
    double memory, flops, worth;
    int32_t mask, parent, unit;
} Closed;

typedef struct {
    const Bundled *given;
    int32_t num_bundles, num_classes, num_units, num_closed;
    int32_t *bundle; /* [slices] */
    int32_t *picked; /* [classes] bundles, as bits */
    double *known;   /* [classes] what those are worth */
    int32_t *fits;   /* [kinds][PLACES + 1] first class of that much memory, or the last */
    double most;     /* memory of any class */
    double memory[MOST_BUNDLES], flops[MOST_BUNDLES], sent[MOST_BUNDLES], worth[MOST_BUNDLES];
    int32_t needs[MOST_BUNDLES], filled; /* bundles, as bits */
    Unit unit[MOST_BUNDLES];
    Closed closed[MOST_CLOSED];
} Bundles;

Bundles *begin_bundles(const Bundled *given, int32_t *bundle, int32_t num_bundles);
void end_bundles(Bundles *s);

/* What the picks of all classes bring, at the prices of the groups that come of them. */
double evaluate(Bundles *s);

#endif
