/* Pricing one cluster: its cheapest stages and micro-batches for given prices, by best-first search.

   For prices of latency (lambda), of uplink band (mu) and of a micro-batch (kappa), minimise over structures
   lambda T_n + energy + mu B - kappa m. Three kinds of nodes, all with lower bounds, share one heap:

   sized    micro-batches and number of stages, bounded by a programme over (stages, block, level) in which
            devices may serve twice and every hop has the whole band; levels are ranges of the bottleneck. For given
            stages, bands and powers the cost is affine in m, and only memory makes fewer of them fit as m grows.
            So the least cost with the memory of the fewest is concave, and the two ends bound a range of m
   label    stages chosen from the last one on, no device twice, completed by the programme of their count: that of
            a sized node with levels where they matter, and at each level a price of the D2D band and penalties on
            devices that the programme would have serve twice
   exact    a whole structure, solved as a convex programme, with the bound that its multipliers certify

   The first exact node that comes out is the cheapest structure, proven. If it keeps the memory of a range's fewest
   micro-batches alone, the range is split where it no longer fits. */

#include "kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COARSE 24         /* levels of sized nodes */
#define FINE 16           /* levels of counts */
#define FINEST 1.04       /* ratio of a level's ends below which it is not divided */
#define SHORTEST 1e-4     /* bottlenecks below this share of the longest sensible one are one level */
#define ATTEMPTS 12       /* prices and penalties tried for a count */
#define GENTLE 0.01       /* share of what is spent by which penalties move: large ones spoil what labels leave unused */
#define NEAR 0.03         /* share of what is spent within which levels are improved together */
#define PER_PROGRAMME 300 /* work of a programme, in labels */
#define ROUNDING 1e-9

typedef struct {
    double bound;
    int32_t kind, index;
} Entry;

enum { SIZED, LABEL, EXACT };

/* Ranges of the bottleneck: level g is from `from_s` to `until_s`, charged with the lower end, and costs
   `charge` for it and for the uplink that keeps within the upper end. */
typedef struct {
    int32_t size;
    double from_s[COARSE], until_s[COARSE], uplink[COARSE];
} Levels;

/* Micro-batches that stages are held to in memory, and those they are charged for: the two ends of a range. */
typedef struct {
    int32_t held, charged;
} Range;

typedef struct {
    Range range;
    int32_t num_stages;
    double from_s, to_s;
} Sized;

/* What a count's programme is solved for, and gives; a level's column stands for itself. */
typedef struct {
    int32_t size;                       /* levels */
    double bound[FINE], hz_price[FINE]; /* at each level; price of the D2D band */
    double *memory;
    double *rest;    /* [stages + 1][blocks + 1][levels]: least cost of the blocks before, after so many stages */
    double *hop;     /* [devices][classes][levels] */
    double *penalty; /* [devices][levels], for serving at all; refunded once in `base` */
} Prices;

typedef struct {
    Range range;
    int32_t num_stages, closed; /* closed: its range is split, and others stand for it */
    double base[FINE]; /* cost that every completion bears, by level */
    Levels levels;
    Prices prices;
} Count;

typedef struct {
    int32_t count, parent, device, start, stages, opened; /* opened: a dive has placed what comes next */
    int32_t last;           /* device of the last stage, whose output the control unit sends */
    uint64_t set;           /* hash of the devices that serve, each with its hop, the same in any order */
    double cost, busiest_s; /* of computing; hops and penalties come on top, by level */
} Label;

/* The best label of a count for a first block, a set of devices with their hops, and the last of them: whatever
   completes two such labels, their links are the same, so what is no cheaper to compute and no less busy can go. */
typedef struct {
    uint64_t key;
    int32_t label;
} Seen;

typedef struct {
    double value; /* what the solved programme costs */
    double bound;
    int32_t *candidate;
    int32_t count; /* that it is relaxed in: its memory does not suffice; -1 if it does */
} Exact;

typedef struct {
    void *items;
    int32_t size, room;
} Pool;

typedef struct {
    const Slot *slot;
    int cluster, first, num_devices, num_blocks, max_stages, stride, width; /* stride: of candidates */
    double latency_price, hz_price, batch_price, cutoff, tolerance, floor; /* floor: least bound of what time did not allow */
    int32_t *marks, mark;   /* by device, of the label that is extended */
    int32_t *class_of;      /* by block: which of the distinct sizes its hop has */
    double *class_bits;
    int num_classes;
    double *per_flop_s;     /* by device */
    double *hop, *counts;   /* room for sized nodes: hop costs, programme over counts */
    Pool heap, sized, counted, labels, exacts;
    Seen *seen;             /* open addressing; unused where all structures are listed */
    uint32_t seen_room, seen_size;
    int prune, failed;
    long work;
} Search;

/* ---- pools and the heap ---- */

static void *grow(Search *s, Pool *pool, size_t item) {
    if (pool->size == pool->room) {
        int32_t room = pool->room ? 2 * pool->room : 256;
        void *items = realloc(pool->items, room * item);
        if (!items) { s->failed = 1; return NULL; }
        pool->items = items, pool->room = room;
    }
    return (char *)pool->items + item * pool->size++;
}

static void push(Search *s, double bound, int kind, int index) {
    if (!(bound < s->cutoff) || !grow(s, &s->heap, sizeof(Entry))) return;
    Entry *heap = s->heap.items, entry = {bound, kind, index};
    int at = s->heap.size - 1;
    while (at > 0 && heap[(at - 1) / 2].bound > bound) heap[at] = heap[(at - 1) / 2], at = (at - 1) / 2;
    heap[at] = entry;
}

static Entry pop(Search *s) {
    Entry *heap = s->heap.items, top = heap[0], last = heap[--s->heap.size];
    int at = 0, size = s->heap.size;
    for (;;) {
        int child = 2 * at + 1;
        if (child >= size) break;
        if (child + 1 < size && heap[child + 1].bound < heap[child].bound) child++;
        if (heap[child].bound >= last.bound) break;
        heap[at] = heap[child], at = child;
    }
    if (size > 0) heap[at] = last;
    return top;
}

/* ---- figures of stages and links ---- */

static int in_flight(const Search *s, int m, int stages_to_end) { /* (6) */
    return s->slot->gpipe || 2 * stages_to_end > m ? m : 2 * stages_to_end;
}

static const int32_t *least_starts(const Search *s, int device, int held, int stages_to_end) {
    int f = in_flight(s, held, stages_to_end);
    size_t row = (size_t)(s->first + device) * s->slot->max_in_flight + f - 1;
    return s->slot->least_start + row * (s->num_blocks + 1);
}

static double stage_seconds(const Search *s, int device, int start, int end) { /* (1) */
    int d = s->first + device;
    return s->slot->overhead_s[d] + (s->slot->flops_before[end] - s->slot->flops_before[start]) * s->per_flop_s[device];
}

static double second_cost(const Search *s, int device, int m) {
    int d = s->first + device;
    return s->latency_price + s->slot->device_price[d] * m * s->slot->compute_power_w[d];
}

static Link hop_link(const Search *s, int device, double bits) {
    int d = s->first + device;
    Link link = {bits * M_LN2, s->slot->noise_w_per_hz * bits * M_LN2 / s->slot->device_gain[d], s->slot->max_power_w[d]};
    return link;
}

/* ---- levels ---- */

/* The cheapest choice for a price of a hertz, or on the whole of a band where a hertz costs nothing. */
static LinkChoice cheapest_link(const Link *link, double second_price, double joule_price, double hz_price, double band_hz,
                                double cap_s, Near *near) {
    return hz_price > 0 ? best_link_near(link, second_price, joule_price, hz_price, cap_s, near)
                        : best_power(link, second_price, joule_price, band_hz, cap_s);
}

/* Costs of the hops of every device and class at each level: for its price of the band, or on the whole band where
   there is none. What `like` has for the same price, at the level that is `of` this one, is taken from there. */
static void price_hops(const Search *s, int m, const double *hz_price, const Levels *levels, double *hop, const Prices *like,
                       const int *of) {
    const double *known = like ? like->hop : NULL;
    double band = s->slot->d2d_band_hz[s->cluster];
    for (int i = 0; i < s->num_devices; i++) {
        double joule = s->slot->device_price[s->first + i] * m;
        for (int k = 0; k < s->num_classes; k++, hop += levels->size, known += like ? like->size : 0) {
            Link link = hop_link(s, i, s->class_bits[k]);
            Near near = NOWHERE;
            for (int g = 0; g < levels->size; g++) {
                if (link.nats == 0) hop[g] = 0;
                else if (like && hz_price[g] == like->hz_price[of[g]]) hop[g] = known[of[g]];
                else hop[g] = cheapest_link(&link, s->latency_price, joule, hz_price ? hz_price[g] : 0, band,
                                            levels->until_s[g], &near).cost;
            }
        }
    }
}

/* Least cost of the uplink for m micro-batches; `within` gets that for each level, if it is there. */
static double uplink_cost(const Search *s, int m, const Levels *levels, double *within) {
    double last = s->slot->hop_bits[s->num_blocks - 1], bits = m * last + s->slot->upload_bits;
    Link link = {bits * M_LN2, s->slot->noise_w_per_hz * bits * M_LN2 / s->slot->uplink_gain[s->cluster],
                 s->slot->uplink_power_w[s->cluster]};
    double second = bits > 0 ? s->latency_price * (last + s->slot->upload_bits) / bits : 0;
    double joule = s->slot->uplink_price[s->cluster], band = s->slot->uplink_band_hz;
    Near near = NOWHERE;
    if (!(bits > 0)) {
        for (int g = 0; within && g < levels->size; g++) within[g] = 0;
        return 0;
    }
    for (int g = 0; within && g < levels->size; g++)
        within[g] = cheapest_link(&link, second, joule, s->hz_price, band, last > 0 ? levels->until_s[g] * bits / last : INFINITY,
                                  &near).cost;
    return cheapest_link(&link, second, joule, s->hz_price, band, INFINITY, &near).cost;
}

static double plain_cost(const Search *s, int m) {
    return s->latency_price * (s->slot->embedding_s[s->cluster] + s->slot->decoder_s[s->cluster] * m)
           - s->batch_price * m;
}

/* Scale of a cluster's costs at a bound, without what its micro-batches earn. A cutoff may be far above it, and
   penalties of its size would leave nothing of the bound but rounding. */
static double spent(const Search *s, int m, double bound) { return fabs(bound + s->batch_price * m); }

/* Levels between two bottlenecks in even ratios; one level of any bottleneck where it does not matter. */
static void lay_levels(const Search *s, int m, double from_s, double to_s, int size, Levels *levels) {
    levels->size = 1, levels->from_s[0] = 0, levels->until_s[0] = INFINITY;
    if (m > 1) {
        double low = fmax(from_s, to_s * SHORTEST);
        int extra = low > from_s;
        int needed = to_s > low ? (int)ceil(log(to_s / low) / log(FINEST)) : 1;
        levels->size = extra + (needed < size - extra ? needed : size - extra);
        for (int g = 0; g < levels->size; g++) {
            levels->from_s[g] = g == 0 ? from_s : levels->until_s[g - 1];
            levels->until_s[g] = low * pow(to_s / low, (double)(g + 1 - extra) / fmax(1, levels->size - extra));
        }
        levels->until_s[levels->size - 1] = to_s;
    }
    uplink_cost(s, m, levels, levels->uplink);
}

static void take_levels(const Levels *levels, const int *which, int count, Levels *taken) {
    taken->size = count;
    for (int k = 0; k < count; k++) {
        taken->from_s[k] = levels->from_s[which[k]], taken->until_s[k] = levels->until_s[which[k]];
        taken->uplink[k] = levels->uplink[which[k]];
    }
}

/* The bottleneck beyond which it alone, and what every structure bears, cost as much as the cutoff. */
static double latest_bottleneck(const Search *s, int m) {
    return (s->cutoff - plain_cost(s, m) - uplink_cost(s, m, NULL, NULL)) / (s->latency_price * (m - 1));
}

/* What the least bottleneck of a level costs, and the uplink that keeps within the longest. */
static double charge(const Search *s, int m, const Levels *levels, int g) {
    return (m > 1 ? s->latency_price * (m - 1) * levels->from_s[g] : 0) + levels->uplink[g];
}

/* ---- sized nodes ---- */

/* counts[r][a][g]: least cost of blocks a.. on the last r stages, up to `most`, devices used freely, hops on the whole band. */
static void count_stages(const Search *s, Range range, int most, const Levels *levels, const double *hop, double *counts) {
    int n = s->num_blocks, size = levels->size, row = (n + 1) * size;
    double tail[COARSE];
    for (int r = 1; r <= most; r++) {
        double *now = counts + r * row;
        for (int k = 0; k < row; k++) now[k] = INFINITY;
        for (int i = 0; i < s->num_devices; i++) {
            if (!s->slot->present[s->first + i]) continue;
            const int32_t *least = least_starts(s, i, range.held, r);
            double price = second_cost(s, i, range.charged);
            for (int e = r == 1 ? n : 1; e <= (r == 1 ? n : n - 1); e++) {
                const double *behind = now - row + e * size;
                const double *own = hop + (i * s->num_classes + s->class_of[e - 1]) * size;
                for (int g = 0; g < size; g++) tail[g] = r == 1 ? 0 : behind[g] + own[g];
                if (!(tail[size - 1] < INFINITY)) continue;
                for (int a = e - 1, from = 0; a >= least[e]; a--) {
                    double seconds = stage_seconds(s, i, a, e), cost = price * seconds, *at = now + a * size;
                    while (from < size && levels->until_s[from] < seconds) from++;
                    if (from == size) break;
                    for (int g = from; g < size; g++) {
                        double sum = cost + tail[g];
                        at[g] = sum < at[g] ? sum : at[g];
                    }
                }
            }
        }
    }
}

/* Bound a number of stages, or every one from 1 if it is 0, and keep those that may matter. */
static void add_sized(Search *s, Range range, int stages, double known, double from_s, double to_s) {
    int m = range.charged, most = stages ? stages : s->max_stages;
    Levels levels;
    lay_levels(s, m, from_s, to_s, COARSE, &levels);
    double plain = plain_cost(s, m);
    price_hops(s, m, NULL, &levels, s->hop, NULL, NULL);
    count_stages(s, range, most, &levels, s->hop, s->counts);
    s->work += PER_PROGRAMME;
    for (int r = stages ? stages : 1; r <= most; r++) {
        const double *cost = s->counts + (size_t)r * (s->num_blocks + 1) * levels.size;
        double bound = INFINITY;
        int low = -1, high = -1;
        for (int g = 0; g < levels.size; g++) {
            double all = plain + cost[g] + charge(s, m, &levels, g);
            if (!(all < s->cutoff)) continue;
            bound = fmin(bound, all), high = g;
            if (low < 0) low = g;
        }
        if (low < 0) continue;
        Sized *sized = grow(s, &s->sized, sizeof(Sized));
        if (!sized) return;
        *sized = (Sized){range, r, levels.from_s[low], levels.until_s[high]};
        push(s, fmax(bound, known), SIZED, s->sized.size - 1);
    }
}

/* No stage structure is faster than the slowest block on its best device. */
static double fastest_bottleneck(const Search *s) {
    double bottleneck = 0;
    for (int b = 0; b < s->num_blocks; b++) {
        double best = INFINITY;
        for (int i = 0; i < s->num_devices; i++)
            if (s->slot->present[s->first + i]) best = fmin(best, stage_seconds(s, i, b, b + 1));
        bottleneck = fmax(bottleneck, best);
    }
    return bottleneck;
}

static void add_end(Search *s, Range range, int stages, double known) {
    int m = range.charged;
    if (m == 1) { add_sized(s, range, stages, known, 0, INFINITY); return; }
    double latest = latest_bottleneck(s, m), fastest = fastest_bottleneck(s);
    if (latest >= fastest * (1 - 1e-9) && latest > 0)
        add_sized(s, range, stages, known, fastest, fmax(latest, fastest) * (1 + 1e-9));
}

/* Stand for `fewest` to `most` micro-batches by the two ends. */
static void add_range(Search *s, int fewest, int most, int stages, double known) {
    add_end(s, (Range){fewest, fewest}, stages, known);
    if (most > fewest) add_end(s, (Range){fewest, most}, stages, known);
}

/* ---- counts ---- */

/* Blocks at which the r last stages of `num_stages` may begin: those before fit on the others, and these on r. */
static void reach(const Search *s, Range range, int num_stages, int *lowest, int *highest) {
    lowest[0] = s->num_blocks, highest[num_stages] = 0;
    for (int r = 0; r < num_stages; r++) {
        lowest[r + 1] = lowest[r];
        for (int i = 0; i < s->num_devices; i++) {
            if (!s->slot->present[s->first + i]) continue;
            int least = least_starts(s, i, range.held, r + 1)[lowest[r]];
            lowest[r + 1] = least < lowest[r + 1] ? least : lowest[r + 1];
        }
        if (lowest[r + 1] < num_stages - r - 1) lowest[r + 1] = num_stages - r - 1;
    }
    for (int r = num_stages - 1; r >= 0; r--) {
        highest[r] = 0;
        for (int i = 0; i < s->num_devices; i++) {
            if (!s->slot->present[s->first + i]) continue;
            const int32_t *least = least_starts(s, i, range.held, r + 1);
            while (highest[r] < s->num_blocks - r && least[highest[r] + 1] <= highest[r + 1]) highest[r]++;
        }
    }
}

/* rest[r][a][g]: least cost of the blocks before a after the r last stages are placed, of `num_stages` in all. */
static void complete_stages(const Search *s, Range range, int num_stages, const Levels *levels, const Prices *try) {
    int n = s->num_blocks, size = levels->size, row = (n + 1) * size;
    int lowest[MAX_STAGES + 1], highest[MAX_STAGES + 1];
    double *rest = try->rest, best[COARSE];
    reach(s, range, num_stages, lowest, highest);
    for (int k = 0; k < row; k++) rest[num_stages * row + k] = k < size ? 0 : INFINITY;
    for (int r = num_stages - 1; r >= 0; r--) {
        double *now = rest + r * row, *next = now + row;
        for (int k = 0; k < row; k++) now[k] = INFINITY;
        for (int i = 0; i < s->num_devices; i++) {
            if (!s->slot->present[s->first + i]) continue;
            const int32_t *least = least_starts(s, i, range.held, r + 1);
            double price = second_cost(s, i, range.charged);
            for (int a = lowest[r]; a <= highest[r]; a++) {
                int last = highest[r + 1] < a ? highest[r + 1] : a - 1, first = lowest[r + 1] > least[a] ? lowest[r + 1] : least[a];
                const double *own = try->hop + (i * s->num_classes + s->class_of[a - 1]) * size;
                if (r > 0 && !(own[size - 1] < INFINITY)) continue;
                for (int g = 0; g < size; g++) best[g] = INFINITY;
                for (int start = last, low = 0; start >= first; start--) {
                    double seconds = stage_seconds(s, i, start, a), cost = price * seconds;
                    const double *behind = next + start * size;
                    while (low < size && levels->until_s[low] < seconds) low++;
                    if (low == size) break;
                    for (int g = low; g < size; g++) {
                        double sum = cost + behind[g];
                        best[g] = sum < best[g] ? sum : best[g];
                    }
                }
                double *at = now + a * size;
                const double *extra = try->penalty + i * size;
                for (int g = 0; g < size; g++) {
                    double sum = best[g] + extra[g] + (r == 0 ? 0 : own[g]);
                    at[g] = sum < at[g] ? sum : at[g];
                }
            }
        }
    }
}

/* A cheapest completion at a level: devices from the last stage on, and the classes of their hops. */
static int trace_stages(const Search *s, Range range, int num_stages, const Levels *levels, const Prices *try, int g,
                        int *devices, int *classes) {
    int a = s->num_blocks, size = levels->size, row = (a + 1) * size;
    for (int r = 0; r < num_stages; r++) {
        double goal = try->rest[r * row + a * size + g], wanted = goal + 1e-9 * fabs(goal);
        int found = 0;
        for (int i = 0; i < s->num_devices && !found; i++) {
            if (!s->slot->present[s->first + i]) continue;
            const int32_t *least = least_starts(s, i, range.held, r + 1);
            double price = second_cost(s, i, range.charged), own = try->penalty[i * size + g];
            if (r > 0) own += try->hop[(i * s->num_classes + s->class_of[a - 1]) * size + g];
            for (int start = a - 1; start >= least[a]; start--) {
                double seconds = stage_seconds(s, i, start, a);
                if (seconds > levels->until_s[g]) break;
                if (price * seconds + own + try->rest[(r + 1) * row + start * size + g] <= wanted) {
                    devices[r] = i, classes[r] = s->class_of[a - 1], a = start, found = 1;
                    break;
                }
            }
        }
        if (!found) return r;
    }
    return num_stages;
}

/* Band that hops take for a price of it; the stages are traced ones, whose last has no hop. */
static double band_taken(const Search *s, int m, double hz_price, double cap_s, const int *devices,
                         const int *classes, int stages) {
    double sum = 0;
    for (int k = 1; k < stages; k++) {
        if (s->class_bits[classes[k]] == 0) continue;
        Link link = hop_link(s, devices[k], s->class_bits[classes[k]]);
        double joule = s->slot->device_price[s->first + devices[k]] * m;
        sum += best_link(&link, s->latency_price, joule, hz_price, cap_s).band_hz;
    }
    return sum;
}

/* Nearer to the price at which these hops take the whole band, from one that is known; 0 if they take none. */
static double clearing_price(const Search *s, int m, double cap_s, const int *devices, const int *classes,
                             int stages, double price) {
    double taken = band_taken(s, m, price, cap_s, devices, classes, stages);
    return price * pow(taken / s->slot->d2d_band_hz[s->cluster], 1.7); /* band falls about with the root of its price */
}

/* Move a level's penalties so that devices serve once; returns 0 if each does already. */
static int move_penalties(const Search *s, const int *devices, int stages, double miss, double *penalty, int size) {
    int sum = 0, moved = 0;
    for (int pass = 0; pass < 2; pass++) /* measure the misses, then move by them */
        for (int i = 0; i < s->num_devices; i++) {
            double *own = penalty + i * size;
            int uses = 0;
            for (int k = 0; k < stages; k++) uses += devices[k] == i;
            if (uses == 1 || (uses == 0 && *own == 0)) continue;
            if (pass == 0) sum += (uses - 1) * (uses - 1);
            else moved |= uses > 1, *own = fmax(0, *own + miss * (uses - 1) / sum);
        }
    return moved;
}

/* What all completions of a level bear: no price and no penalty is paid for one band and one use of each device. */
static double base_cost(const Search *s, int m, const Levels *levels, const Prices *try, int g) {
    double refund = try->hz_price[g] * s->slot->d2d_band_hz[s->cluster];
    for (int i = 0; i < s->num_devices; i++) refund += try->penalty[i * levels->size + g];
    return plain_cost(s, m) - refund;
}

/* Solve the programme of a count at some levels, for prices and penalties there. */
static void attempt(Search *s, const Sized *sized, const Levels *levels, Prices *try, const Prices *like, const int *of) {
    int m = sized->range.charged;
    price_hops(s, m, try->hz_price, levels, try->hop, like, of);
    complete_stages(s, sized->range, sized->num_stages, levels, try);
    for (int g = 0; g < levels->size; g++)
        try->bound[g] = base_cost(s, m, levels, try, g) + try->rest[s->num_blocks * levels->size + g]
                        + charge(s, m, levels, g);
    s->work += PER_PROGRAMME;
}

static void take_column(const Prices *from, int k, Prices *to, int g, size_t rows) {
    to->bound[g] = from->bound[k], to->hz_price[g] = from->hz_price[k];
    for (size_t row = 0; row < rows; row++) to->memory[row * to->size + g] = from->memory[row * from->size + k];
}

static double least_of(const double *values, int size) {
    double least = INFINITY;
    for (int g = 0; g < size; g++) least = fmin(least, values[g]);
    return least;
}

static Prices prices_in(double *memory, int size, size_t rest, size_t hop) {
    return (Prices){.size = size, .memory = memory, .rest = memory, .hop = memory + rest * size,
                    .penalty = memory + (rest + hop) * size};
}

/* Which values are below a limit; returns how many. */
static int below(const double *values, int size, double limit, int *which) {
    int count = 0;
    for (int g = 0; g < size; g++)
        if (values[g] < limit) which[count++] = g;
    return count;
}

/* What counts leave behind for those of as many stages: levels, and their prices and penalties in seconds of latency. */
typedef struct {
    double size, until_s[FINE], hz_price[FINE], penalty[]; /* [devices][FINE] */
} Learnt;

static size_t learnt_bytes(int num_devices) { return sizeof(Learnt) + (size_t)num_devices * FINE * sizeof(double); }

static Learnt *learnt_at(const Search *s, int stages) {
    return (Learnt *)(s->slot->learnt + (size_t)s->cluster * s->slot->learnt_bytes + (stages - 1) * learnt_bytes(s->num_devices));
}

/* The nearest number of stages of which anything is learnt. */
static const Learnt *learnt_near(const Search *s, int stages) {
    for (int off = 0; off < s->max_stages; off++)
        for (int r = stages - off; r <= stages + off; r += off ? 2 * off : 1)
            if (r >= 2 && r <= s->max_stages && learnt_at(s, r)->size > 0) return learnt_at(s, r);
    return NULL;
}

/* Begin with the prices and penalties learnt, at the bottleneck that is nearest. */
static void begin_near(const Search *s, int stages, const Levels *levels, Prices *next) {
    const Learnt *last = stages > 1 ? learnt_near(s, stages) : NULL;
    for (int g = 0, h = 0; g < levels->size; g++) {
        next->hz_price[g] = stages == 1 ? 0 : s->latency_price * 0.1 / s->slot->d2d_band_hz[s->cluster];
        if (!last) continue;
        while (h + 1 < last->size && last->until_s[h + 1] < levels->until_s[g]) h++;
        if (last->hz_price[h] > 0) next->hz_price[g] = s->latency_price * last->hz_price[h];
        for (int i = 0; i < s->num_devices; i++)
            next->penalty[i * levels->size + g] = s->latency_price * last->penalty[i * FINE + h];
    }
}

static void learn(const Search *s, int stages, const Levels *levels, const Prices *best) {
    if (stages == 1) return;
    Learnt *learnt = learnt_at(s, stages);
    learnt->size = levels->size;
    for (int g = 0; g < levels->size; g++) {
        learnt->until_s[g] = levels->until_s[g], learnt->hz_price[g] = best->hz_price[g] / s->latency_price;
        for (int i = 0; i < s->num_devices; i++)
            learnt->penalty[i * FINE + g] = best->penalty[i * levels->size + g] / s->latency_price;
    }
}

/* Improve prices and penalties level by level, from what the cheapest completion there takes of band and devices.
   Returns the count's index, or -1 if it is of no interest; `known` is its bound so far, and gets better. */
static int add_count(Search *s, int index, double *known) {
    Sized sized = ((Sized *)s->sized.items)[index];
    int m = sized.range.charged, devices[MAX_STAGES], classes[MAX_STAGES];
    Levels levels;
    if (m > 1) sized.to_s = fmax(sized.from_s, fmin(sized.to_s, latest_bottleneck(s, m) * (1 + 1e-9)));
    lay_levels(s, m, sized.from_s, sized.to_s, FINE, &levels);
    int size = levels.size;
    size_t rest = (size_t)(sized.num_stages + 1) * (s->num_blocks + 1), hop = (size_t)s->num_devices * s->num_classes;
    size_t rows = rest + hop + s->num_devices;
    double *memory = calloc(rows * size, sizeof(double)), *spare = calloc(rows * size, sizeof(double));
    if (!memory || !spare) { s->failed = 1, free(memory), free(spare); return -1; }
    Prices best = prices_in(memory, size, rest, hop), next = prices_in(spare, size, rest, hop);
    Levels tried = levels;
    int of[FINE]; /* which level is tried */
    double step[FINE], last = -INFINITY;
    double low[FINE], high[FINE]; /* prices between which the best one lies */
    for (int g = 0; g < size; g++) best.bound[g] = -INFINITY, step[g] = 1, low[g] = 0, high[g] = INFINITY, of[g] = g;
    begin_near(s, sized.num_stages, &levels, &next);
    int learnt = sized.num_stages > 1 && learnt_near(s, sized.num_stages) != NULL;
    for (int round = 0; round < (sized.num_stages == 1 ? 1 : ATTEMPTS) && tried.size > 0; round++) {
        attempt(s, &sized, &tried, &next, round > 0 ? &best : NULL, of);
        for (int k = 0; k < tried.size; k++) {
            int g = of[k];
            double price = next.hz_price[k];
            if (next.bound[k] > best.bound[g]) { take_column(&next, k, &best, g, rows); continue; }
            step[g] *= 0.6;
            if (price > best.hz_price[g]) high[g] = fmin(high[g], price);
            if (price < best.hz_price[g]) low[g] = fmax(low[g], price);
        }
        double bound = least_of(best.bound, size);
        if (!(bound < s->cutoff - s->tolerance)) break;
        if (round > (learnt ? 1 : 3) && bound - last < 0.0005 * spent(s, m, bound)) break;
        last = bound;
        double worth = bound + fmin(0.3 * (s->cutoff - bound), NEAR * spent(s, m, bound)); /* levels that may soon matter */
        take_levels(&levels, of, below(best.bound, size, fmin(worth, s->cutoff), of), &tried);
        next = prices_in(spare, tried.size, rest, hop);
        int moved = 0;
        for (int k = 0; k < tried.size; k++) {
            int g = of[k];
            next.hz_price[k] = best.hz_price[g];
            for (int i = 0; i < s->num_devices; i++) next.penalty[i * tried.size + k] = best.penalty[i * size + g];
            int stages = trace_stages(s, sized.range, sized.num_stages, &levels, &best, g, devices, classes);
            double price = clearing_price(s, m, levels.until_s[g], devices, classes, stages, best.hz_price[g]);
            if (price == 0 && best.hz_price[g] > 0) next.hz_price[k] = 0, moved = 1; /* no bits flow between devices */
            if (price > 0) {
                if (price >= high[g]) price = low[g] > 0 ? sqrt(fmax(low[g], best.hz_price[g]) * high[g]) : 0.5 * high[g];
                if (price <= low[g]) price = 0.5 * (low[g] + fmin(high[g], 3 * low[g]));
                if (fabs(price - best.hz_price[g]) > 0.03 * best.hz_price[g]) next.hz_price[k] = price, moved = 1;
            }
            double miss = step[g] * fmin(s->cutoff - best.bound[g], GENTLE * spent(s, m, best.bound[g]));
            moved |= move_penalties(s, devices, stages, miss, next.penalty + k, tried.size);
        }
        if (!moved) break;
    }
    free(spare);
    learn(s, sized.num_stages, &levels, &best);
    double bound = least_of(best.bound, size);
    Count *count = bound < s->cutoff ? grow(s, &s->counted, sizeof(Count)) : NULL;
    if (!count) { free(memory); return -1; }
    *count = (Count){.range = sized.range, .num_stages = sized.num_stages, .levels = levels, .prices = best};
    for (int g = 0; g < size; g++) count->base[g] = base_cost(s, m, &levels, &best, g);
    *known = fmax(bound, *known);
    return s->counted.size - 1;
}

/* ---- labels ---- */

/* Mark the devices that serve in a label: those whose mark is the one returned. */
static int32_t mark_serving(Search *s, int label) {
    const Label *labels = s->labels.items;
    for (s->mark++; label >= 0; label = labels[label].parent) s->marks[labels[label].device] = s->mark;
    return s->mark;
}

static int sets_are_exact(const Search *s) { return s->num_devices * s->num_classes <= 64; }

static uint64_t scatter(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* One device with its hop among those of a set: a bit of its own where there are few enough, else bits at random. */
static uint64_t member(const Search *s, int device, int hop_kind) {
    int which = device * s->num_classes + hop_kind;
    return sets_are_exact(s) ? (uint64_t)1 << which : scatter(which);
}

/* Class of the hop behind a label's stage, which ends where the one behind it starts; of the last stage none. */
static int hop_class(const Search *s, const Label *label) {
    return label->parent < 0 ? -1 : s->class_of[((Label *)s->labels.items)[label->parent].start - 1];
}

static int same_links(const Search *s, const Label *a, const Label *b) {
    const Label *labels = s->labels.items;
    if (a->set != b->set || a->last != b->last) return 0;
    if (sets_are_exact(s)) return 1;
    for (;; a = &labels[a->parent]) {
        const Label *other = b;
        while (other->device != a->device && other->parent >= 0) other = &labels[other->parent];
        if (other->device != a->device || hop_class(s, other) != hop_class(s, a)) return 0;
        if (a->parent < 0) return 1;
    }
}

/* What hops and penalties of a label cost at each level. */
static void sum_hops(const Search *s, const Count *count, const Label *label, double *sum) {
    const Label *labels = s->labels.items;
    int size = count->levels.size;
    for (int g = 0; g < size; g++) sum[g] = 0;
    for (;; label = &labels[label->parent]) {
        const double *penalty = count->prices.penalty + label->device * size;
        for (int g = 0; g < size; g++) sum[g] += penalty[g];
        if (label->parent < 0) return;
        const double *hop = count->prices.hop + (label->device * s->num_classes + hop_class(s, label)) * size;
        for (int g = 0; g < size; g++) sum[g] += hop[g];
    }
}

static void enlarge(Search *s) {
    uint32_t room = s->seen_room ? 4 * s->seen_room : 1024;
    Seen *seen = calloc(room, sizeof(Seen));
    if (!seen) { s->failed = 1; return; }
    for (uint32_t k = 0; k < s->seen_room; k++) {
        if (!s->seen[k].key) continue;
        uint32_t at = s->seen[k].key & (room - 1);
        while (seen[at].key) at = (at + 1) & (room - 1);
        seen[at] = s->seen[k];
    }
    free(s->seen);
    s->seen = seen, s->seen_room = room;
}

/* Whether a label met before, with the same links and first block, is as cheap and no busier; note this one. */
static int is_dominated(Search *s, const Label *label, int32_t index) {
    if (2 * s->seen_size >= s->seen_room) enlarge(s);
    if (s->failed) return 0;
    uint64_t key = scatter(label->set + scatter(((uint64_t)label->count << 16) + label->start + 1)) | 1;
    const Label *labels = s->labels.items;
    uint32_t at = key & (s->seen_room - 1);
    for (; s->seen[at].key; at = (at + 1) & (s->seen_room - 1)) {
        const Label *other = &labels[s->seen[at].label];
        if (s->seen[at].key != key || other->count != label->count || other->start != label->start
            || other->stages != label->stages || !same_links(s, label, other)) continue;
        if (other->cost <= label->cost && other->busiest_s <= label->busiest_s) return 1;
        if (other->cost >= label->cost && other->busiest_s >= label->busiest_s) { s->seen[at].label = index; return 0; }
    }
    s->seen[at] = (Seen){key, index}, s->seen_size++;
    return 0;
}

/* Least of a[g] + b[g] from one place on; four at a time, which do not wait for each other. */
static double least_sum(const double *a, const double *b, int from, int size) {
    double least[4] = {INFINITY, INFINITY, INFINITY, INFINITY};
    int g = from;
    for (; g + 4 <= size; g += 4)
        for (int k = 0; k < 4; k++) {
            double sum = a[g + k] + b[g + k];
            least[k] = sum < least[k] ? sum : least[k];
        }
    for (; g < size; g++) least[0] = a[g] + b[g] < least[0] ? a[g] + b[g] : least[0];
    double one = least[0] < least[1] ? least[0] : least[1], other = least[2] < least[3] ? least[2] : least[3];
    return one < other ? one : other;
}

/* Place the next stage, counted from the end, in all ways; returns the most promising label, or -1. */
static int extend(Search *s, int count_index, int parent, double known) {
    const Count *count = (Count *)s->counted.items + count_index;
    Label from = {.count = count_index, .parent = -1, .device = -1, .start = s->num_blocks};
    int m = count->range.charged, size = count->levels.size, given = s->slot->given_order[s->cluster];
    double hops[FINE] = {0}, base[FINE], lowest = INFINITY;
    int best = -1;
    if (parent >= 0) {
        Label *placed = (Label *)s->labels.items + parent;
        if (placed->opened) return -1;
        placed->opened = 1, from = *placed;
        sum_hops(s, count, &from, hops);
    }
    int r = from.stages, end = from.start, left = count->num_stages - r - 1, serving = mark_serving(s, parent);
    int hop_kind = r == 0 ? 0 : s->class_of[end - 1];
    const double *rest = count->prices.rest + (size_t)(r + 1) * (s->num_blocks + 1) * size;
    s->work++;
    for (int i = 0; i < s->num_devices; i++) {
        if (!s->slot->present[s->first + i] || (given && parent >= 0 && i >= from.device)) continue;
        if (s->marks[i] == serving) continue;
        const int32_t *least = least_starts(s, i, count->range.held, r + 1);
        const double *own = count->prices.hop + (i * s->num_classes + s->class_of[end - 1]) * size;
        const double *penalty = count->prices.penalty + i * size;
        double price = second_cost(s, i, m), waiting = m > 1 ? s->latency_price * (m - 1) : 0;
        for (int g = 0; g < size; g++)
            base[g] = count->base[g] + from.cost + hops[g] + penalty[g] + (r == 0 ? 0 : own[g]) + charge(s, m, &count->levels, g);
        if (!(base[size - 1] < INFINITY)) continue;
        for (int start = left == 0 ? 0 : end - 1, low = 0; start >= least[end]; start--) {
            double seconds = stage_seconds(s, i, start, end), busiest = seconds > from.busiest_s ? seconds : from.busiest_s;
            while (low < size && count->levels.until_s[low] < busiest) low++;
            if (low == size) break;
            const double *behind = rest + start * size;
            double over = busiest - count->levels.from_s[low], bound = base[low] + behind[low] + (over > 0 ? waiting * over : 0);
            bound = fmin(bound, least_sum(base, behind, low + 1, size)) + price * seconds;
            if (!(bound < s->cutoff)) continue;
            Label *label = grow(s, &s->labels, sizeof(Label));
            if (!label) return -1;
            s->work++;
            *label = (Label){.count = count_index, .parent = parent, .device = i, .start = start, .stages = r + 1,
                             .last = r == 0 ? i : from.last, .set = from.set + member(s, i, hop_kind),
                             .cost = from.cost + price * seconds, .busiest_s = busiest};
            if (s->prune && r > 0 && is_dominated(s, label, s->labels.size - 1)) { s->labels.size--; continue; }
            push(s, fmax(bound, known), LABEL, s->labels.size - 1);
            if (bound < lowest) lowest = bound, best = s->labels.size - 1;
        }
    }
    return best;
}

/* ---- exact structures ---- */

static int is_known(const Search *s, const Exact *exact) {
    const Exact *exacts = s->exacts.items;
    for (int k = 0; k < s->exacts.size; k++)
        if (exacts[k].count == exact->count && !memcmp(exacts[k].candidate, exact->candidate, s->width * sizeof(int32_t)))
            return 1;
    return 0;
}

/* Whether a structure's stages fit with so many micro-batches. */
static int fits(const Search *s, const int32_t *candidate, int held) {
    const int32_t *devices = candidate + 2, *ends = devices + s->stride;
    for (int k = 0, start = 0; k < candidate[1]; start = ends[k++])
        if (least_starts(s, devices[k], held, candidate[1] - k)[ends[k]] > start) return 0;
    return 1;
}

static void settle(Search *s, int index, double bound, int keep_all) {
    const Label *labels = s->labels.items, *label = &labels[index];
    const Count *count = (Count *)s->counted.items + label->count;
    Exact next = {.candidate = calloc(s->width, sizeof(int32_t)), .count = -1, .value = INFINITY};
    if (!next.candidate) { s->failed = 1; return; }
    next.candidate[0] = count->range.charged, next.candidate[1] = count->num_stages;
    int end = s->num_blocks, at = count->num_stages - 1;
    int chain[MAX_STAGES], num = 0;
    for (int k = index; k >= 0; k = labels[k].parent) chain[num++] = k;
    for (int k = num - 1; k >= 0; k--, at--) { /* from the last stage on */
        next.candidate[2 + at] = labels[chain[k]].device;
        next.candidate[2 + s->stride + at] = end;
        end = labels[chain[k]].start;
    }
    if (!fits(s, next.candidate, count->range.charged)) next.count = label->count;
    if (is_known(s, &next)) { free(next.candidate); return; }
    Programme programme;
    Solved solved;
    double mu, extra = s->batch_price * next.candidate[0];
    build_programme(s->slot, s->cluster, next.candidate, s->stride, &programme);
    s->work += PER_PROGRAMME;
    if (solve_programmes(&programme, 1, 0, 0, s->latency_price, s->hz_price, &solved, &mu)) {
        next.value = s->latency_price * solved.latency_s + solved.cost + s->hz_price * solved.uplink_band_hz - extra;
        bound = fmax(bound, certified_cost(&programme, &solved, s->latency_price, s->hz_price) - extra);
    }
    next.bound = bound;
    Exact *exact = grow(s, &s->exacts, sizeof(Exact));
    if (!exact) { free(next.candidate); return; }
    *exact = next;
    push(s, bound, EXACT, s->exacts.size - 1);
    if (!keep_all && next.count < 0 && next.value < INFINITY)
        s->cutoff = fmin(s->cutoff, next.value + ROUNDING * fabs(next.value));
}

/* Split the range of a structure that fits with its fewest micro-batches, but not with the most. */
static void split(Search *s, const Exact *exact) {
    Count *count = (Count *)s->counted.items + exact->count;
    Range range = count->range;
    int most = range.charged - 1;
    while (most > range.held && !fits(s, exact->candidate, most)) most--;
    count->closed = 1;
    if (most > range.held) add_end(s, (Range){range.held, most}, count->num_stages, exact->bound);
    add_range(s, most + 1, range.charged, count->num_stages, exact->bound);
}

/* Open a count, and follow its most promising labels down to a structure: what is known early cuts most. */
static void dive(Search *s, int count, double known) {
    int label = extend(s, count, -1, known);
    while (label >= 0 && ((Label *)s->labels.items)[label].start > 0) label = extend(s, count, label, known);
    if (label >= 0) settle(s, label, known, 0);
}

/* ---- the search ---- */

static int prepare(Search *s) {
    const Slot *slot = s->slot;
    int n = s->num_blocks;
    s->class_of = calloc(n, sizeof(int32_t)), s->class_bits = calloc(n, sizeof(double));
    if (!s->class_of || !s->class_bits) return 0;
    for (int b = 0; b < n; b++) {
        int k = 0;
        while (k < s->num_classes && s->class_bits[k] != slot->hop_bits[b]) k++;
        if (k == s->num_classes) s->class_bits[s->num_classes++] = slot->hop_bits[b];
        s->class_of[b] = k;
    }
    s->per_flop_s = calloc(s->num_devices, sizeof(double)), s->marks = calloc(s->num_devices, sizeof(int32_t));
    for (int i = 0; s->per_flop_s && i < s->num_devices; i++) s->per_flop_s[i] = 1 / slot->flops_per_s[s->first + i];
    s->hop = calloc((size_t)s->num_devices * s->num_classes * COARSE, sizeof(double));
    s->counts = calloc((size_t)(s->max_stages + 1) * (n + 1) * COARSE, sizeof(double));
    return s->per_flop_s && s->marks && s->hop && s->counts;
}

static int is_late(double until) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec >= until;
}

/* Ranges to begin with; `floor` gets a bound of what time does not allow. */
static void add_roots(Search *s, int fewest, int most, int width, double until) {
    for (int m = fewest; m <= most; m += width) {
        int last = m + width <= most ? m + width - 1 : most;
        if (!is_late(until)) { add_range(s, m, last, 0, -INFINITY); continue; }
        for (int end = 0; end < 2; end++) {
            int charged = end ? last : m;
            s->floor = fmin(s->floor, plain_cost(s, charged) + uplink_cost(s, charged, NULL, NULL));
        }
    }
}

static void release(Search *s) {
    for (int k = 0; k < s->counted.size; k++) free(((Count *)s->counted.items)[k].prices.memory);
    for (int k = 0; k < s->exacts.size; k++) free(((Exact *)s->exacts.items)[k].candidate);
    free(s->heap.items), free(s->sized.items), free(s->counted.items), free(s->labels.items), free(s->exacts.items);
    free(s->class_of), free(s->class_bits), free(s->per_flop_s), free(s->marks), free(s->hop), free(s->counts), free(s->seen);
}

static int begin(Search *s, const Slot *slot, int cluster, double latency_price, double hz_price, double batch_price,
                 int max_stages) {
    *s = (Search){.slot = slot, .cluster = cluster, .first = slot->first_device[cluster],
                  .num_devices = slot->first_device[cluster + 1] - slot->first_device[cluster],
                  .num_blocks = slot->num_blocks, .width = 2 + 2 * max_stages, .stride = max_stages,
                  .latency_price = latency_price, .hz_price = hz_price, .batch_price = batch_price, .floor = INFINITY};
    s->max_stages = s->num_devices < s->num_blocks ? s->num_devices : s->num_blocks;
    s->failed = !prepare(s);
    return !s->failed;
}

/* Bytes that pricing keeps of a cluster from one call to the next, zeroed before the first. */
int64_t learnt_size(int num_devices, int num_stages) { return num_stages * learnt_bytes(num_devices); }

static double quick_bound(Search *s, Range range) {
    s->heap.size = s->sized.size = 0;
    add_end(s, range, 0, -INFINITY);
    return s->heap.size ? ((Entry *)s->heap.items)[0].bound : s->cutoff;
}

/* Quick lower bounds on the cost of every number of micro-batches, at most `cutoff`: of 1, 2, 3 to 4, 5 to 8 and so on
   by the two ends. Returns -1 without memory. */
int bound_cluster(const Slot *slot, int cluster, double latency_price, double hz_price, double cutoff, int max_stages,
                  double *least) {
    Search s;
    if (begin(&s, slot, cluster, latency_price, hz_price, 0, max_stages)) {
        s.cutoff = cutoff;
        for (int first = 1, last = 1; first <= slot->max_micro_batches; first = last + 1, last = 2 * last) {
            last = last < slot->max_micro_batches ? last : slot->max_micro_batches;
            double from = quick_bound(&s, (Range){first, first}), to = first < last ? quick_bound(&s, (Range){first, last}) : from;
            for (int m = first; m <= last; m++)
                least[m - 1] = from + (to - from) * (m - first) / (last > first ? last - first : 1);
        }
    }
    release(&s);
    return s.failed ? -1 : 0;
}

static int list_exact(const Search *s, const Exact *exact, int listed, int32_t *candidates, double *values) {
    memcpy(candidates + (size_t)listed * s->width, exact->candidate, s->width * sizeof(int32_t));
    values[listed] = exact->value;
    return listed + 1;
}

/* Cheapest structures of a cluster with `fewest` to `most` micro-batches. `cutoff` is a cost above which nothing
   is asked for. With keep_all, all structures below it are listed in order of their bounds, else the cheapest
   alone, and the search ends once that is proven within `tolerance`. `until` is the time on the monotonic clock
   at which it ends in any case; `work` the most that may be done, in labels, and what was done. Returns how many are
   listed, or -1 without memory; `bound` holds for every structure not listed, and with keep_all off for all. */
int price_cluster(const Slot *slot, int cluster, double latency_price, double hz_price, double batch_price, int fewest,
                  int most, double cutoff, double tolerance, double until, int keep_all, int max_listed,
                  int max_stages, int64_t *work, int32_t *candidates, double *values, double *bounds, double *bound) {
    Search s;
    int listed = 0;
    if (begin(&s, slot, cluster, latency_price, hz_price, batch_price, max_stages)) {
        s.cutoff = cutoff, s.prune = !keep_all, s.tolerance = keep_all ? 0 : tolerance;
        add_roots(&s, fewest, most, keep_all ? 1 : most - fewest + 1, until);
    }
    *bound = cutoff;
    while (!s.failed && s.heap.size > 0) {
        Entry top = ((Entry *)s.heap.items)[0];
        if (!(top.bound < s.cutoff)) { *bound = s.cutoff; break; }
        int close = !keep_all && s.cutoff - top.bound <= tolerance;
        if (close || s.work >= *work || listed == max_listed || is_late(until)) { *bound = top.bound; break; }
        pop(&s);
        if (top.kind == SIZED) {
            int count = add_count(&s, top.index, &top.bound);
            if (count >= 0 && keep_all) extend(&s, count, -1, top.bound);
            else if (count >= 0) dive(&s, count, top.bound);
        } else if (top.kind == LABEL) {
            const Label *label = (Label *)s.labels.items + top.index;
            if (((Count *)s.counted.items)[label->count].closed) continue;
            if (label->start == 0) settle(&s, top.index, top.bound, keep_all);
            else extend(&s, label->count, top.index, top.bound);
        } else {
            const Exact *exact = (Exact *)s.exacts.items + top.index;
            if (exact->count >= 0) {
                if (!((Count *)s.counted.items)[exact->count].closed) split(&s, exact);
                continue;
            }
            bounds[listed] = top.bound;
            listed = list_exact(&s, exact, listed, candidates, values);
            if (!keep_all) { *bound = top.bound; break; }
        }
    }
    if (!keep_all && !listed) { /* the best that is known, not proven the cheapest */
        const Exact *exacts = s.exacts.items, *best = NULL;
        for (int k = 0; k < s.exacts.size; k++)
            if (exacts[k].count < 0 && exacts[k].value < (best ? best->value : cutoff)) best = &exacts[k];
        if (best) listed = list_exact(&s, best, 0, candidates, values);
    }
    *bound = fmin(*bound, s.floor);
    if (!keep_all && listed) bounds[0] = *bound;
    *work = s.work;
    int failed = s.failed;
    release(&s);
    return failed ? -1 : listed;
}
