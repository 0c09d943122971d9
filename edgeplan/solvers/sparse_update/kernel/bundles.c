/* Bundles are slices that one group of devices updates. Given bundles, every class picks those that bring it
   most, as if the price of a group were linear in its size; then groups pay what they cost. */

#include "bundles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

Bundles *begin_bundles(const Bundled *given, int32_t *bundle, int32_t num_bundles)
{
    Bundles *s = malloc(sizeof *s);
    s->given = given;
    s->bundle = bundle;
    s->num_bundles = num_bundles;
    s->num_classes = given->first[given->num_kinds];
    s->picked = malloc((size_t)s->num_classes * sizeof *s->picked);
    s->known = malloc((size_t)s->num_classes * sizeof *s->known);
    s->fits = malloc((size_t)given->num_kinds * (PLACES + 1) * sizeof *s->fits);
    memset(s->closed, 0, sizeof *s->closed);
    s->most = 1;
    for (int32_t c = 0; c < s->num_classes; c++)
        s->most = fmax(s->most, given->budget[c]);
    int32_t *fits = s->fits;
    for (int32_t k = 0; k < given->num_kinds; k++)
        for (int32_t place = 0, c = given->first[k]; place <= PLACES; place++) {
            while (c < given->first[k + 1] - 1 && given->budget[c] * (PLACES / s->most) < place)
                c++;
            *fits++ = c;
        }
    return s;
}

void end_bundles(Bundles *s)
{
    free(s->picked);
    free(s->known);
    free(s->fits);
    free(s);
}

/* Memory, FLOPs, bytes and needs of bundles. */
static void sum_up(Bundles *s)
{
    const Bundled *g = s->given;
    for (int32_t b = 0; b < s->num_bundles; b++) {
        s->memory[b] = s->flops[b] = s->sent[b] = 0;
        s->needs[b] = 0;
    }
    s->filled = 0;
    for (int32_t i = 0; i < g->num_slices; i++) {
        int32_t b = s->bundle[i];
        if (b < 0)
            continue;
        s->filled |= 1 << b;
        s->memory[b] += g->memory[i];
        s->flops[b] += g->flops[i];
        s->sent[b] += g->sent[i];
        if (g->needs[i] >= 0)
            s->needs[b] |= 1 << s->bundle[g->needs[i]];
    }
    for (int32_t b = 0; b < s->num_bundles; b++)
        s->needs[b] &= ~(1 << b);
}

/* Put bundles that need each other together, everyone behind those that it needs. */
static void order_units(Bundles *s)
{
    int32_t num = s->num_bundles, *needs = s->needs, done = ~s->filled;
    for (int32_t k = 0; k < num; k++)
        for (int32_t b = 0; b < num; b++)
            if (needs[b] >> k & 1)
                needs[b] |= needs[k];
    s->num_units = 0;
    for (int32_t b = 0; b < num; b++) {
        if (done >> b & 1)
            continue;
        Unit unit = {0, 0, 0, 1 << b, 0};
        for (int32_t other = 0; other < num; other++)
            if ((needs[b] >> other & 1) && (needs[other] >> b & 1))
                unit.mask |= 1 << other;
        done |= unit.mask;
        unit.needs = needs[b] & ~unit.mask;
        for (int32_t left = unit.mask; left; left &= left - 1) {
            unit.memory += s->memory[__builtin_ctz((uint32_t)left)];
            unit.flops += s->flops[__builtin_ctz((uint32_t)left)];
        }
        int32_t place = s->num_units++;
        while (place > 0 && __builtin_popcount(s->unit[place - 1].needs) > __builtin_popcount(unit.needs)) {
            s->unit[place] = s->unit[place - 1];
            place--;
        }
        s->unit[place] = unit;
    }
}

/* List the sets of bundles that hold all that they need, and that the largest memory holds; 0: too many. */
static int32_t list_closed(Bundles *s)
{
    Closed *closed = s->closed;
    int32_t num = 1;
    for (int32_t u = 0; u < s->num_units; u++) {
        const Unit *unit = s->unit + u;
        for (int32_t j = 0, end = num; j < end; j++) {
            double memory = closed[j].memory + unit->memory;
            if ((unit->needs & ~closed[j].mask) || memory > s->most)
                continue;
            if (num == MOST_CLOSED)
                return 0;
            closed[num].memory = memory;
            closed[num].flops = closed[j].flops + unit->flops;
            closed[num].parent = j;
            closed[num].unit = u;
            closed[num++].mask = closed[j].mask | unit->mask;
        }
    }
    return s->num_closed = num;
}

/* What bundles are worth to a device of a kind, less what its joining adds to their prices. */
static void weigh(Bundles *s, int32_t kind)
{
    const Bundled *g = s->given;
    const double *worth = g->worth + (size_t)kind * (size_t)g->num_slices;
    for (int32_t b = 0; b < s->num_bundles; b++)
        s->worth[b] = s->sent[b] > 0 ? -g->fixed_joining - g->per_byte_joining * s->sent[b] : 0;
    for (int32_t i = 0; i < g->num_slices; i++)
        if (s->bundle[i] >= 0)
            s->worth[s->bundle[i]] += worth[i];
    for (int32_t u = 0; u < s->num_units; u++) {
        s->unit[u].worth = 0;
        for (int32_t left = s->unit[u].mask; left; left &= left - 1)
            s->unit[u].worth += s->worth[__builtin_ctz((uint32_t)left)];
    }
}

/* Let the classes of a kind pick: what is best for one is open to those of more memory. */
static double pick(Bundles *s, int32_t kind)
{
    const Bundled *g = s->given;
    int32_t first = g->first[kind], end = g->first[kind + 1];
    const int32_t *fits = s->fits + (size_t)kind * (PLACES + 1);
    double sum = 0, known = 0, scale = PLACES / s->most;
    Closed *closed = s->closed;
    for (int32_t c = first; c < end; c++) {
        s->known[c] = 0;
        s->picked[c] = 0;
    }
    for (int32_t j = 1; j < s->num_closed; j++) {
        double worth = closed[j].worth = closed[closed[j].parent].worth + s->unit[closed[j].unit].worth;
        double memory = closed[j].memory;
        if (worth <= 0 || memory > g->budget[end - 1] || closed[j].flops > g->budget_flops[kind])
            continue;
        int32_t c = fits[(int32_t)(memory * scale)];
        while (g->budget[c] < memory)
            c++;
        if (worth > s->known[c]) {
            s->known[c] = worth;
            s->picked[c] = closed[j].mask;
        }
    }
    for (int32_t c = first, mask = 0; c < end; c++) {
        if (s->known[c] > known) {
            known = s->known[c];
            mask = s->picked[c];
        }
        s->picked[c] = mask;
        sum += g->count[c] * known;
    }
    return sum;
}

double evaluate(Bundles *s)
{
    const Bundled *g = s->given;
    double value = 0, size[MOST_BUNDLES] = {0};
    sum_up(s);
    order_units(s);
    if (!list_closed(s))
        return -INFINITY;
    for (int32_t k = 0; k < g->num_kinds; k++) {
        weigh(s, k);
        value += pick(s, k);
    }
    for (int32_t c = 0; c < s->num_classes; c++)
        for (int32_t left = s->picked[c]; left; left &= left - 1)
            size[__builtin_ctz((uint32_t)left)] += g->count[c];
    for (int32_t b = 0; b < s->num_bundles; b++) {
        int32_t devices = (int32_t)size[b];
        if (devices > 0 && s->sent[b] > 0)
            value += size[b] * (g->fixed_joining + g->per_byte_joining * s->sent[b]) - g->fixed[devices] -
                     g->per_byte[devices] * s->sent[b];
    }
    return value;
}
