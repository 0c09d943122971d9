/* The best depth and options of one device: a knapsack with one choice a layer, for every depth at once.

   Labels go from the last layer towards the input. Prices of memory and FLOPs bound what a label can still
   come to; with the bound near the optimum few labels are left. */

#include "kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DOMINATED_BY 48    /* labels looked back at where FLOPs are limited too */
#define MOST_PRICES 60
#define PRICE_TOLERANCE 1e-4
#define FIRST_PRICE 1e-9
#define WARM_STRETCH 1.05
#define STRETCH 1.3
#define FARTHER 2.5
#define MOST_TRIES 10
#define FIRST_DISTANCE 1e-4 /* of the bound */
#define LEAST_DISTANCE 2e-6
#define SIDES 5
#define SEVERAL -2          /* stands for an option where labels know which */
#define PRICE_ROUNDS 4
#define RELATIVE_ERROR 1e-12

typedef struct {
    double value, flops;
    double most;       /* that the label can still come to */
    int64_t memory;
    int32_t parent, option;
} Label;

typedef struct {
    Label *at;
    int32_t used, room;
    int32_t wide;      /* most labels of a layer */
    double dropped;    /* the most that a label dropped for that could come to */
} Labels;

typedef struct {
    const Layers *layers;
    const Device *device;
    double byte_price, flop_price;
    double side_price[SIDES]; /* prices of a byte about the best, with what depths add at these, plus budgets */
    double *side[SIDES];      /* [num_layers + 1] */
    double *top;       /* [num_layers] most that a layer within reach comes to at the prices */
    double bound;      /* on what any choice comes to */
    double *ahead;     /* [num_layers + 1] most that depths from k on add to a label of k layers */
    double used_bytes, used_flops; /* of the choice that is best at the prices */
} Priced;

static double priced_option(const Priced *p, int32_t o)
{
    return p->device->value[o] - p->byte_price * (double)p->layers->memory[o] -
           p->flop_price * p->layers->flops[o];
}

/* Most that is left of a value when memory and FLOPs are paid for, budgets included. */
static double price_bound(Priced *p)
{
    const Layers *layers = p->layers;
    const Device *device = p->device;
    int32_t num_layers = layers->num_layers;
    double sum = 0, bytes = 0, flops = 0, best = -INFINITY;
    for (int32_t k = 0; k <= num_layers; k++) {
        if (k > 0) {
            int32_t l = num_layers - k, chosen = -1;
            double top = device->may_skip[l] ? 0 : -INFINITY;
            for (int32_t o = layers->first[l]; o < layers->first[l + 1]; o++) {
                if (!device->allowed[o])
                    continue;
                double own = priced_option(p, o);
                if (own > top) {
                    top = own;
                    chosen = o;
                }
            }
            p->top[l] = top;
            sum += top;
            if (chosen >= 0) {
                bytes += (double)layers->memory[chosen];
                flops += layers->flops[chosen];
            }
        }
        double here = device->depth_value[k] - p->byte_price * (double)layers->reach_bytes[k] -
                      p->flop_price * layers->reach_flops[k] + sum;
        if (here > best) {
            best = here;
            p->used_bytes = bytes + (double)layers->reach_bytes[k];
            p->used_flops = flops + layers->reach_flops[k];
        }
    }
    best += p->byte_price * (double)device->memory_bytes;
    return p->flop_price > 0 ? best + p->flop_price * device->flops : best;
}

/* Lower the bound by one price, from about where it was: where more is used than there is, it must rise. */
static double tune(Priced *p, double *price, const double *used, double budget, double warm)
{
    double low = 0, high, best, best_price = 0, stretch = WARM_STRETCH;
    *price = 0;
    best = price_bound(p);
    if (*used <= budget)
        return best;
    high = warm > 0 ? warm : FIRST_PRICE;
    for (int32_t step = 0, found = 0; step < MOST_PRICES; step++) {
        *price = high;
        if (found) {
            if (high - low <= PRICE_TOLERANCE * high)
                break;
            *price = (low + high) / 2;
        }
        double bound = price_bound(p);
        if (bound < best) {
            best = bound;
            best_price = *price;
        }
        if (*used > budget) {
            low = *price;
            if (!found) {
                high = low * stretch;
                stretch *= stretch;
            }
        } else {
            high = *price;
            if (!found && low == 0 && warm > 0 && step == 0) {
                *price = high / stretch; /* the price may have fallen a little only */
                bound = price_bound(p);
                if (bound < best) {
                    best = bound;
                    best_price = *price;
                }
                if (*used > budget)
                    low = *price;
                else
                    high = *price;
            }
            found = 1;
        }
    }
    *price = best_price;
    return best;
}

static double set_prices(Priced *p, const Choice *choice)
{
    const Device *device = p->device;
    p->byte_price = p->flop_price = 0;
    double budget = (double)device->memory_bytes, warm = choice->byte_price;
    if (!isfinite(device->flops))
        return tune(p, &p->byte_price, &p->used_bytes, budget, warm);
    double bound = INFINITY;
    p->flop_price = choice->flop_price;
    for (int32_t round = 0; round < PRICE_ROUNDS; round++) {
        double before = bound;
        tune(p, &p->byte_price, &p->used_bytes, budget, p->byte_price > 0 ? p->byte_price : warm);
        bound = tune(p, &p->flop_price, &p->used_flops, device->flops, p->flop_price);
        if (!(bound < before - 1e-9 * fabs(before)))
            break;
    }
    return bound;
}

static void look_ahead(Priced *p)
{
    const Layers *layers = p->layers;
    double most = -INFINITY;
    for (int32_t k = layers->num_layers; k >= 0; k--) {
        double here = p->device->depth_value[k] - p->byte_price * (double)layers->reach_bytes[k] -
                      p->flop_price * layers->reach_flops[k];
        if (k < layers->num_layers)
            most += p->top[layers->num_layers - k - 1];
        most = here > most ? here : most;
        p->ahead[k] = most;
    }
}

/* The same at several prices: at others labels of little or much memory are worth less. */
static void look_aside(Priced *p, double *room)
{
    static const double shares[SIDES] = {0.85, 0.96, 1.0, 1.04, 1.2};
    Priced aside = *p;
    int32_t num_layers = p->layers->num_layers;
    double flops = isfinite(p->device->flops) ? p->flop_price * p->device->flops : 0;
    aside.top = room;
    for (int32_t i = 0; i < SIDES; i++) {
        aside.byte_price = p->side_price[i] = shares[i] * p->byte_price;
        aside.ahead = p->side[i] = room + num_layers + i * (num_layers + 1);
        price_bound(&aside);
        look_ahead(&aside);
        for (int32_t k = 0; k <= num_layers; k++)
            p->side[i][k] += aside.byte_price * (double)p->device->memory_bytes + flops;
    }
}

/* The most that a label of k layers can come to, by all prices. */
static double reachable(const Priced *p, const Label *label, int32_t k)
{
    double paid = label->value - p->flop_price * label->flops, most = INFINITY;
    for (int32_t i = 0; i < SIDES; i++)
        most = fmin(most, paid - p->side_price[i] * (double)label->memory + p->side[i][k]);
    return most + RELATIVE_ERROR * fabs(most);
}

static void put(Labels *labels, Label label)
{
    if (labels->used == labels->room) {
        labels->room = labels->room ? 2 * labels->room : 1024;
        labels->at = realloc(labels->at, sizeof(Label) * (size_t)labels->room);
        if (!labels->at)
            abort();
    }
    labels->at[labels->used++] = label;
}

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Keep the most promising labels of a layer, if there are too many, in their order. */
static void narrow(Labels *labels, int32_t begin)
{
    int32_t num = labels->used - begin, kept = begin;
    if (num <= labels->wide)
        return;
    double *most = malloc(sizeof(double) * (size_t)num);
    if (!most)
        abort();
    for (int32_t j = 0; j < num; j++)
        most[j] = labels->at[begin + j].most;
    qsort(most, (size_t)num, sizeof(double), falling);
    double least = most[labels->wide - 1];
    labels->dropped = fmax(labels->dropped, most[labels->wide]);
    free(most);
    for (int32_t j = begin; j < labels->used; j++)
        if (labels->at[j].most >= least && kept < begin + labels->wide)
            labels->at[kept++] = labels->at[j];
    labels->used = kept;
}

static int dominated(const Labels *labels, int32_t begin, const Label *label, int limits_flops)
{
    int32_t back = labels->used - (limits_flops ? DOMINATED_BY : 1);
    for (int32_t k = labels->used - 1; k >= begin && k >= back; k--) {
        const Label *other = &labels->at[k];
        if (other->value >= label->value && (!limits_flops || other->flops <= label->flops))
            return 1;
    }
    return 0;
}

/* Options of the layer at depth k that a choice of more than a value may have; -1 is none. */
static int32_t promising(const Priced *p, int32_t k, double above, int32_t *option)
{
    const Layers *layers = p->layers;
    const Device *device = p->device;
    int32_t l = layers->num_layers - k, num = 0;
    double least = p->top[l] - (p->bound - above) - RELATIVE_ERROR * fabs(p->bound);
    if (device->may_skip[l] && 0 >= least)
        option[num++] = -1;
    for (int32_t o = layers->first[l]; o < layers->first[l + 1]; o++)
        if (device->allowed[o] && priced_option(p, o) >= least)
            option[num++] = o;
    return num;
}

static Label with(const Priced *p, const Label *from, int32_t parent, int32_t option)
{
    if (option < 0)
        return (Label){from->value, from->flops, from->most, from->memory, parent, option};
    return (Label){from->value + p->device->value[option], from->flops + p->layers->flops[option], from->most,
                   from->memory + p->layers->memory[option], parent, option};
}

/* One layer more for the labels from `begin` to `end`: its options merged by memory. `shift` is what layers
   with one promising option have added to all labels since. */
static void extend(const Priced *p, Labels *labels, int32_t begin, int32_t end, int32_t k, double above,
                  const int32_t *option, int32_t num, const Label *shift)
{
    const Layers *layers = p->layers;
    const Device *device = p->device;
    int limits_flops = isfinite(device->flops);
    int32_t next[num];
    for (int32_t j = 0; j < num; j++)
        next[j] = begin;
    for (;;) {
        int32_t chosen = -1;
        Label best = {0};
        for (int32_t j = 0; j < num; j++) {
            if (next[j] == end)
                continue;
            Label here = with(p, &labels->at[next[j]], next[j], option[j]);
            if (chosen < 0 || here.memory < best.memory ||
                (here.memory == best.memory && here.value > best.value)) {
                best = here;
                chosen = j;
            }
        }
        if (chosen < 0)
            return;
        next[chosen]++;
        best.value += shift->value;
        best.flops += shift->flops;
        best.memory += shift->memory;
        if (best.memory + layers->reach_bytes[k] > device->memory_bytes ||
            best.flops + layers->reach_flops[k] > device->flops)
            continue;
        best.most = reachable(p, &best, k);
        if (best.most > above && !dominated(labels, end, &best, limits_flops))
            put(labels, best);
    }
}

/* The label of most value that fits depth k; labels stand by memory. -1: none. */
static int32_t best_fitting(const Priced *p, const Labels *labels, int32_t begin, int32_t k,
                            const Label *shift)
{
    int64_t room = p->device->memory_bytes - p->layers->reach_bytes[k] - shift->memory;
    double flops = p->device->flops - p->layers->reach_flops[k] - shift->flops;
    int32_t low = begin, high = labels->used, best = -1;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (labels->at[middle].memory <= room)
            low = middle + 1;
        else
            high = middle;
    }
    if (!isfinite(p->device->flops))
        return low - 1 >= begin ? low - 1 : -1;
    for (int32_t j = begin; j < low; j++)
        if (labels->at[j].flops <= flops && (best < 0 || labels->at[j].value > labels->at[best].value))
            best = j;
    return best;
}

/* Options of a choice: labels know those of layers with several, `only` those of the others. */
static void trace(const Layers *layers, const Labels *labels, int32_t index, int32_t depth,
                  const int32_t *only, int32_t *option)
{
    for (int32_t l = 0; l < layers->num_layers; l++)
        option[l] = -1;
    for (int32_t k = depth; k > 0; k--) {
        int32_t l = layers->num_layers - k;
        option[l] = only[l];
        if (only[l] == SEVERAL) {
            option[l] = labels->at[index].option;
            index = labels->at[index].parent;
        }
    }
}

static double value_of(const Layers *layers, const Device *device, int32_t depth, const int32_t *option)
{
    double value = device->depth_value[depth];
    for (int32_t l = layers->num_layers - depth; l < layers->num_layers; l++) {
        if (option[l] < 0 ? !device->may_skip[l] : !device->allowed[option[l]])
            return -INFINITY;
        value += option[l] < 0 ? 0 : device->value[option[l]];
    }
    return value;
}

/* Look for a choice of more than a value; return the most that one might come to which was not looked at. */
static double search(const Priced *p, double above, Choice *choice, int32_t *option)
{
    const Layers *layers = p->layers;
    const Device *device = p->device;
    int32_t num_layers = layers->num_layers, begin = 0, only[num_layers], found_only[num_layers];
    int32_t found = -1, depth = -1;
    Labels labels = {.wide = choice->wide, .dropped = -INFINITY};
    Label shift = {0};
    put(&labels, (Label){.parent = -1, .option = -1});
    for (int32_t k = 0; k <= num_layers; k++) {
        if (k > 0) {
            int32_t l = num_layers - k, several[layers->first[l + 1] - layers->first[l] + 1];
            int32_t num = promising(p, k, above, several);
            if (num == 0)
                break;
            only[l] = num == 1 ? several[0] : SEVERAL;
            if (num == 1) {
                shift = with(p, &shift, -1, several[0]);
            } else {
                int32_t end = labels.used;
                extend(p, &labels, begin, end, k, above, several, num, &shift);
                narrow(&labels, end);
                shift = (Label){0};
                begin = end;
            }
        }
        if (begin == labels.used)
            break;
        int32_t j = isfinite(device->depth_value[k]) ? best_fitting(p, &labels, begin, k, &shift) : -1;
        double value = j < 0 ? -INFINITY : labels.at[j].value + shift.value + device->depth_value[k];
        if (value > above) {
            above = choice->value = value;
            found = j;
            depth = k;
            memcpy(found_only, only, sizeof only);
        }
    }
    if (found >= 0) {
        choice->depth = depth;
        trace(layers, &labels, found, depth, found_only, option);
    }
    free(labels.at);
    return labels.dropped;
}

void best_choice(const Layers *layers, const Device *device, double above, Choice *choice, int32_t *option)
{
    int32_t num_layers = layers->num_layers;
    double room[2 * num_layers + 1], more_room[num_layers + SIDES * (num_layers + 1)];
    Priced p = {.layers = layers, .device = device, .top = room, .ahead = room + num_layers};
    double distance = choice->depth >= 0 ? choice->upper - choice->value : INFINITY;
    choice->value = -INFINITY;
    if (choice->depth >= 0) {
        double known = value_of(layers, device, choice->depth, option);
        if (known > above)
            above = choice->value = known;
    }
    double bound = set_prices(&p, choice);
    price_bound(&p);
    look_ahead(&p);
    p.bound = bound;
    choice->byte_price = p.byte_price;
    choice->flop_price = p.flop_price;
    choice->upper = bound + RELATIVE_ERROR * fabs(bound);
    if (choice->upper <= above)
        return;
    look_aside(&p, more_room);
    /* The best is not far below the bound: look there first, and farther as long as nothing is found. */
    distance = isfinite(distance) ? fmax(distance, LEAST_DISTANCE * fabs(bound)) : FIRST_DISTANCE * fabs(bound);
    double hoped = bound - STRETCH * distance, known = choice->value, dropped = -INFINITY;
    for (int32_t tries = 0; tries < MOST_TRIES && hoped > above && distance > 0; tries++) {
        dropped = search(&p, hoped, choice, option);
        if (choice->value > hoped || dropped > hoped)
            break;
        choice->value = known;
        distance *= FARTHER;
        hoped = bound - distance;
    }
    if (choice->value == known)
        dropped = search(&p, above, choice, option);
    choice->upper = fmin(choice->upper, fmax(choice->value, dropped));
}
