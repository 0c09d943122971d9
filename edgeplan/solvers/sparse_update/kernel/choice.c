/* The best depth and options of one device: a knapsack with one choice a layer, for every depth at once.

   Labels go from the last layer towards the input. Prices of memory and FLOPs bound what a label can still
   come to; with the bound near the optimum few labels are left. */

#include "kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LABELS (1 << 22)
#define DOMINATED_BY 48    /* labels looked back at where FLOPs are limited too */
#define MOST_PRICES 60
#define PRICE_TOLERANCE 1e-4
#define FIRST_PRICE 1e-9
#define WARM_STRETCH 1.05
#define STRETCH 1.3
#define PRICE_ROUNDS 4
#define RELATIVE_ERROR 1e-12

typedef struct {
    double value, flops;
    int64_t memory;
    int32_t parent, option;
} Label;

typedef struct {
    Label *at;
    int32_t used, room;
} Labels;

typedef struct {
    const Layers *layers;
    const Device *device;
    double byte_price, flop_price;
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

static int put(Labels *labels, Label label)
{
    if (labels->used == labels->room) {
        if (labels->room >= MOST_LABELS)
            return 0;
        labels->room = labels->room ? 2 * labels->room : 1024;
        Label *grown = realloc(labels->at, sizeof(Label) * (size_t)labels->room);
        if (!grown)
            return 0;
        labels->at = grown;
    }
    labels->at[labels->used++] = label;
    return 1;
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

/* One layer more for the labels from `begin` to `end`: options merged by memory. 0: too many labels. */
static int extend(const Priced *p, Labels *labels, int32_t begin, int32_t end, int32_t k, double above)
{
    const Layers *layers = p->layers;
    const Device *device = p->device;
    int32_t l = layers->num_layers - k, num = 0, width = layers->first[l + 1] - layers->first[l] + 1;
    int limits_flops = isfinite(device->flops);
    int32_t next[width], option[width];
    double least = p->top[l] - (p->bound - above) - RELATIVE_ERROR * fabs(p->bound);
    if (device->may_skip[l] && 0 >= least)
        option[num++] = -1;
    for (int32_t o = layers->first[l]; o < layers->first[l + 1]; o++)
        if (device->allowed[o] && priced_option(p, o) >= least)
            option[num++] = o;
    for (int32_t j = 0; j < num; j++)
        next[j] = begin;
    double budget = p->byte_price * (double)device->memory_bytes +
                    (limits_flops ? p->flop_price * device->flops : 0) + p->ahead[k];
    for (;;) {
        int32_t chosen = -1;
        Label best = {0};
        for (int32_t j = 0; j < num; j++) {
            if (next[j] == end)
                continue;
            const Label *from = &labels->at[next[j]];
            int32_t o = option[j];
            int64_t memory = from->memory + (o < 0 ? 0 : layers->memory[o]);
            double value = from->value + (o < 0 ? 0 : device->value[o]);
            if (chosen < 0 || memory < best.memory || (memory == best.memory && value > best.value)) {
                double flops = from->flops + (o < 0 ? 0 : layers->flops[o]);
                best = (Label){value, flops, memory, next[j], o};
                chosen = j;
            }
        }
        if (chosen < 0)
            return 1;
        next[chosen]++;
        if (best.memory + layers->reach_bytes[k] > device->memory_bytes ||
            best.flops + layers->reach_flops[k] > device->flops)
            continue;
        double most = best.value - p->byte_price * (double)best.memory - p->flop_price * best.flops + budget;
        if (most + RELATIVE_ERROR * fabs(most) <= above || dominated(labels, end, &best, limits_flops))
            continue;
        if (!put(labels, best))
            return 0;
    }
}

static void trace(const Layers *layers, const Labels *labels, int32_t index, int32_t depth, int32_t *option)
{
    for (int32_t l = 0; l < layers->num_layers; l++)
        option[l] = -1;
    for (int32_t k = depth; k > 0; k--) {
        const Label *label = &labels->at[index];
        option[layers->num_layers - k] = label->option;
        index = label->parent;
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

/* Look for a choice of more than a value; 0 where there are too many labels. */
static int search(const Priced *p, double above, Choice *choice, int32_t *option)
{
    const Layers *layers = p->layers;
    const Device *device = p->device;
    Labels labels = {0};
    int32_t begin = 0, end = 0, found = -1, depth = -1;
    int complete = put(&labels, (Label){0, 0, 0, -1, -1});
    for (int32_t k = 0; k <= layers->num_layers && complete; k++) {
        if (k > 0) {
            end = labels.used;
            complete = extend(p, &labels, begin, end, k, above);
            begin = end;
        }
        for (int32_t j = begin; j < labels.used && complete && isfinite(device->depth_value[k]); j++) {
            const Label *label = &labels.at[j];
            double value = label->value + device->depth_value[k];
            if (value > above && label->memory + layers->reach_bytes[k] <= device->memory_bytes &&
                label->flops + layers->reach_flops[k] <= device->flops) {
                above = choice->value = value;
                found = j;
                depth = k;
            }
        }
        if (begin == labels.used)
            break;
    }
    if (found >= 0) {
        choice->depth = depth;
        trace(layers, &labels, found, depth, option);
    }
    free(labels.at);
    return complete;
}

void best_choice(const Layers *layers, const Device *device, double above, Choice *choice, int32_t *option)
{
    int32_t num_layers = layers->num_layers;
    double room[2 * num_layers + 1];
    Priced p = {.layers = layers, .device = device, .top = room, .ahead = room + num_layers};
    double distance = choice->upper - choice->value;
    choice->value = -INFINITY;
    choice->complete = 1;
    if (choice->depth >= 0) {
        double known = value_of(layers, device, choice->depth, option);
        if (known > above)
            above = choice->value = known;
    } else {
        distance = INFINITY;
    }
    double bound = set_prices(&p, choice);
    price_bound(&p);
    look_ahead(&p);
    p.bound = choice->upper = bound;
    choice->byte_price = p.byte_price;
    choice->flop_price = p.flop_price;
    if (bound + RELATIVE_ERROR * fabs(bound) <= above)
        return;
    /* As far below the bound as last time, and not much farther, the best is found with few labels. */
    double hoped = bound - STRETCH * distance;
    if (isfinite(hoped) && hoped > above) {
        double known = choice->value;
        if (search(&p, hoped, choice, option) && choice->value > hoped)
            return;
        choice->value = known;
    }
    choice->complete = search(&p, above, choice, option);
}
