/* Simulated annealing over bundles: which slice lies in which, or in none. */

#include "bundles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_AT_ONCE 4 /* slices of a bundle, or layers, that move together */

typedef struct {
    Bundles *at;
    int32_t *before; /* [slices] bundles before the move */
} Search;

static uint64_t drawn(uint64_t *state)
{
    uint64_t x = *state += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static double share(uint64_t *state)
{
    return (double)(drawn(state) >> 11) * 0x1p-53;
}

static int32_t below(uint64_t *state, int32_t num)
{
    return (int32_t)(share(state) * num);
}

/* Put a slice into a bundle, with those it needs where nobody updates them. */
static void put(Search *s, int32_t slice, int32_t to)
{
    const int32_t *needs = s->at->given->needs;
    int32_t *bundle = s->at->bundle;
    bundle[slice] = to;
    if (to >= 0)
        for (int32_t i = needs[slice]; i >= 0 && bundle[i] < 0; i = needs[i])
            bundle[i] = to;
}

/* Drop slices of which nobody updates what they need. */
static void drop(Search *s)
{
    const Bundled *g = s->at->given;
    for (int32_t j = 0; j < g->num_slices; j++) {
        int32_t i = g->order[j];
        if (g->needs[i] >= 0 && s->at->bundle[g->needs[i]] < 0)
            s->at->bundle[i] = -1;
    }
}

/* Move slices of the bundle that one lies in: those of its layer, a few, or about half or all of them. */
static void move_several(Search *s, uint64_t *random, int32_t slice, int32_t to)
{
    const Bundled *g = s->at->given;
    int32_t from = s->at->bundle[slice], num = 0;
    double way = share(random);
    for (int32_t i = 0; i < g->num_slices; i++)
        num += s->at->bundle[i] == from;
    double part = way < 0.7 ? (1 + below(random, MOST_AT_ONCE)) / (double)num : way < 0.85 ? 0.5 : 1.0;
    for (int32_t j = 0; j < g->num_slices; j++) {
        int32_t i = g->order[j];
        if (s->before[i] != from)
            continue;
        if (way < 0.4 ? g->layer[i] == g->layer[slice] : share(random) < part)
            put(s, i, to);
    }
}

/* Move layers at the end of their bundle to the one beside it, or split a bundle at a layer. */
static void shift(Search *s, uint64_t *random, int32_t to)
{
    const Bundled *g = s->at->given;
    int32_t first = below(random, g->num_layers), end = g->num_layers;
    int32_t from = s->at->bundle[g->order[first]];
    int32_t towards = share(random) < 0.5 ? 1 : -1, beside = first + towards;
    int32_t other = beside < 0 || beside == g->num_layers ? -1 : s->at->bundle[g->order[beside]];
    if (other >= 0 && other != from) {
        to = other;
        end = first + (towards < 0 ? 1 + below(random, MOST_AT_ONCE) : 1);
        first -= towards > 0 ? below(random, MOST_AT_ONCE) : 0;
    }
    int32_t low = g->num_layers - end, high = g->num_layers - 1 - first;
    int32_t num = from < 0 ? g->num_layers : g->num_slices; /* out of reach: biases alone */
    for (int32_t j = 0; j < num; j++) {
        int32_t i = g->order[j];
        if (s->before[i] == from && g->layer[i] >= low && g->layer[i] <= high)
            put(s, i, to);
    }
}

static void move(Search *s, uint64_t *random)
{
    const Bundles *at = s->at;
    int32_t slice = below(random, at->given->num_slices), to = below(random, at->num_bundles + 1) - 1;
    double way = share(random);
    if (way < 0.15) {
        shift(s, random, to);
    } else if (way < 0.6) {
        put(s, slice, to);
    } else if (way < 0.8) {
        int32_t other = below(random, at->given->num_slices), bundle = at->bundle[slice];
        put(s, slice, at->bundle[other]);
        put(s, other, bundle);
    } else if (at->bundle[slice] >= 0) {
        move_several(s, random, slice, to);
    } else {
        put(s, slice, to);
    }
    drop(s);
}

static void keep(const Bundles *at, Annealed *state, double value)
{
    state->value = value;
    memcpy(state->best, at->bundle, (size_t)at->given->num_slices * sizeof *state->best);
    memcpy(state->joined, at->picked, (size_t)at->num_classes * sizeof *state->joined);
}

void anneal(const Bundled *given, Annealed *state, int32_t num_bundles, int32_t evaluations, double hot,
            double cold)
{
    size_t bytes = (size_t)given->num_slices * sizeof *state->bundle;
    Search s = {begin_bundles(given, state->bundle, num_bundles), malloc(bytes)};
    double value = evaluate(s.at);
    if (value > state->value)
        keep(s.at, state, value);
    for (int32_t n = 0; n < evaluations; n++) {
        double heat = hot * pow(cold / hot, (double)n / evaluations);
        memcpy(s.before, state->bundle, bytes);
        move(&s, &state->random);
        if (!memcmp(s.before, state->bundle, bytes))
            continue;
        double found = evaluate(s.at);
        if (found >= value || share(&state->random) < exp((found - value) / heat)) {
            value = found;
            if (value > state->value)
                keep(s.at, state, value);
        } else {
            memcpy(state->bundle, s.before, bytes);
        }
    }
    free(s.before);
    end_bundles(s.at);
}
