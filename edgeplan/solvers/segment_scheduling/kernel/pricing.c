/* Pricing one cluster: its cheapest stages and micro-batches for given prices, by best-first search.

   For prices of latency (lambda), of uplink band (mu) and of a micro-batch (kappa), minimise over structures
   lambda T_n + energy + mu B - kappa m. Three kinds of nodes, all with lower bounds, share one heap:

   cell      micro-batches m and a range of the bottleneck; bounded by a programme over (stages, block) in which
             devices may serve twice and every hop has the whole band; split until narrow
   count     a cell with the number of stages fixed and a price of the D2D band of its own
   label     stages chosen from the last one on, no device twice, completed by the count's programme
   exact     a whole structure, solved as a convex programme, with the bound that its multipliers certify

   The first exact node that comes out is the cheapest structure, proven. */

#include "kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NARROW 0.005      /* share of what is spent that the range of the bottleneck within a cell may cost */
#define SHORTEST 1e-6     /* bottlenecks below this share of the longest sensible one are one cell */
#define ROUNDING 1e-9

typedef struct {
    double bound;
    int32_t kind, index;
} Entry;

enum { CELL, SIZED, COUNT, LABEL, EXACT };

typedef struct {
    int32_t micro_batches;
    double from_s, to_s;
} Cell;

typedef struct {
    int32_t cell, num_stages;
    double base, hz_price; /* cost that every completion bears; price of the D2D band */
    double *rest;       /* [stages + 1][blocks + 1]: least cost of the blocks before, after so many stages */
    double *hop;        /* [devices][classes] */
    double *penalty;    /* by device, for serving at all; refunded once in `base` */
} Count;

typedef struct {
    int32_t count, parent, device, start, stages;
    uint64_t set;       /* hash of the devices that serve, the same in any order */
    double cost, busiest_s;
} Label;

/* The best label of a count for a first block and a set of devices; a later one must be cheaper or less busy. */
typedef struct {
    uint64_t key;
    int32_t label;
} Seen;

typedef struct {
    double value; /* what the solved programme costs */
    double bound;
    int32_t *candidate;
} Exact;

typedef struct {
    void *items;
    int32_t size, room;
} Pool;

typedef struct {
    const Slot *slot;
    int cluster, first, num_devices, num_blocks, max_stages, stride, width; /* stride: of candidates */
    double latency_price, hz_price, batch_price, cutoff;
    int32_t *class_of;      /* by block: which of the distinct sizes its hop has */
    double *class_bits;
    int num_classes;
    double *per_flop_s;     /* by device */
    double *hop, *counts;   /* room for a cell: hop costs, programme over counts */
    double *guess;          /* [m][stages]: last price of the D2D band, 0 if none */
    Pool heap, cells, counted, labels, exacts;
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

static const int32_t *least_starts(const Search *s, int device, int m, int stages_to_end) {
    int f = in_flight(s, m, stages_to_end);
    size_t row = (size_t)(s->first + device) * s->slot->max_in_flight + f - 1;
    return s->slot->least_start + row * (s->num_blocks + 1);
}

static double stage_seconds(const Search *s, int device, int start, int end) { /* (1) */
    int d = s->first + device;
    return s->slot->overhead_s[d] + (s->slot->flops_before[end] - s->slot->flops_before[start]) * s->per_flop_s[device];
}

/* First start from which the device holds the blocks up to `end` and takes at most `cap_s` for them. */
static int first_start(const Search *s, int device, const int32_t *least, int end, double cap_s) {
    int start = least[end];
    while (start < end && stage_seconds(s, device, start, end) > cap_s) start++;
    return start;
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

/* Costs of the hops of every device and class within `cap_s`: on the whole band, or for a price of it. */
static void price_hops(const Search *s, int m, double hz_price, double cap_s, double *hop) {
    double band = s->slot->d2d_band_hz[s->cluster];
    for (int i = 0; i < s->num_devices; i++) {
        double joule = s->slot->device_price[s->first + i] * m;
        for (int k = 0; k < s->num_classes; k++) {
            double *cost = &hop[i * s->num_classes + k];
            if (s->class_bits[k] == 0) { *cost = 0; continue; }
            Link link = hop_link(s, i, s->class_bits[k]);
            *cost = hz_price > 0 ? best_link(&link, s->latency_price, joule, hz_price, cap_s).cost
                                 : best_power(&link, s->latency_price, joule, band, cap_s).cost;
        }
    }
}

/* Least cost of the uplink for m micro-batches within a bottleneck. */
static double uplink_cost(const Search *s, int m, double bottleneck_s) {
    double last = s->slot->hop_bits[s->num_blocks - 1], bits = m * last + s->slot->upload_bits;
    if (bits == 0) return 0;
    Link link = {bits * M_LN2, s->slot->noise_w_per_hz * bits * M_LN2 / s->slot->uplink_gain[s->cluster],
                 s->slot->uplink_power_w[s->cluster]};
    double weight = (last + s->slot->upload_bits) / bits, cap = last > 0 ? bottleneck_s * bits / last : INFINITY;
    return best_link(&link, s->latency_price * weight, s->slot->uplink_price[s->cluster], s->hz_price, cap).cost;
}

static double plain_cost(const Search *s, int m) {
    return s->latency_price * (s->slot->embedding_s[s->cluster] + s->slot->decoder_s[s->cluster] * m)
           - s->batch_price * m;
}

/* Scale of a cluster's costs at the cutoff, without what its micro-batches earn. */
static double spent(const Search *s, int m) { return fabs(s->cutoff + s->batch_price * m); }

/* ---- cells ---- */

/* counts[r][a]: least cost of blocks a.. on the last r stages, devices used freely, hops on the whole band. */
static void count_stages(const Search *s, int m, double cap_s, const double *hop, double *counts) {
    const double *before = s->slot->flops_before;
    int n = s->num_blocks, row = n + 1;
    for (int r = 1; r <= s->max_stages; r++) {
        double *now = counts + r * row, *behind = now - row;
        for (int a = 0; a <= n; a++) now[a] = INFINITY;
        for (int i = 0; i < s->num_devices; i++) {
            if (!s->slot->present[s->first + i]) continue;
            const int32_t *least = least_starts(s, i, m, r);
            double price = second_cost(s, i, m);
            for (int e = r == 1 ? n : 1; e <= (r == 1 ? n : n - 1); e++) {
                double tail = r == 1 ? 0 : behind[e] + hop[i * s->num_classes + s->class_of[e - 1]];
                if (!(tail < INFINITY)) continue;
                tail += price * stage_seconds(s, i, 0, e);
                for (int a = first_start(s, i, least, e, cap_s); a < e; a++) {
                    double cost = tail - price * s->per_flop_s[i] * before[a];
                    now[a] = cost < now[a] ? cost : now[a];
                }
            }
        }
    }
}

static double cell_base(const Search *s, const Cell *cell) {
    double repeats = cell->micro_batches - 1;
    return plain_cost(s, cell->micro_batches) + (repeats > 0 ? s->latency_price * repeats * cell->from_s : 0)
           + uplink_cost(s, cell->micro_batches, cell->to_s);
}

static double bound_cell(Search *s, const Cell *cell, double base) {
    price_hops(s, cell->micro_batches, 0, cell->to_s, s->hop);
    count_stages(s, cell->micro_batches, cell->to_s, s->hop, s->counts);
    double best = INFINITY;
    for (int r = 1; r <= s->max_stages; r++) best = fmin(best, s->counts[r * (s->num_blocks + 1)]);
    s->work += 1;
    return base + best;
}

static void add_cell(Search *s, int m, double from_s, double to_s, double known) {
    Cell cell = {m, from_s, to_s};
    double base = cell_base(s, &cell), bound;
    if (!(base < s->cutoff)) return;
    bound = bound_cell(s, &cell, base);
    if (!(bound < s->cutoff)) return;
    Cell *kept = grow(s, &s->cells, sizeof(Cell));
    if (!kept) return;
    *kept = cell;
    push(s, fmax(bound, known), CELL, s->cells.size - 1);
}

/* ---- counts ---- */

/* rest[r][a]: least cost of the blocks before a after the r last stages are placed, of `num_stages` in all. */
static void complete_stages(const Search *s, int m, int num_stages, double cap_s, const double *hop,
                            const double *penalty, double *rest) {
    const double *before = s->slot->flops_before;
    int n = s->num_blocks, row = n + 1;
    for (int a = 0; a <= n; a++) rest[num_stages * row + a] = a == 0 ? 0 : INFINITY;
    for (int r = num_stages - 1; r >= 0; r--) {
        double *now = rest + r * row, *next = now + row;
        int from = r == 0 ? n : num_stages - r, to = r == 0 ? n : n - r;
        for (int a = 0; a <= n; a++) now[a] = INFINITY;
        for (int i = 0; i < s->num_devices; i++) {
            if (!s->slot->present[s->first + i]) continue;
            const int32_t *least = least_starts(s, i, m, r + 1);
            double price = second_cost(s, i, m);
            for (int a = from; a <= to; a++) {
                double own = penalty[i] + (r == 0 ? 0 : hop[i * s->num_classes + s->class_of[a - 1]]);
                if (!(own < INFINITY)) continue;
                double best = INFINITY, per_flop = price * s->per_flop_s[i];
                for (int start = first_start(s, i, least, a, cap_s); start < a; start++) {
                    double cost = next[start] - per_flop * before[start];
                    best = cost < best ? cost : best;
                }
                best += own + price * stage_seconds(s, i, 0, a);
                if (best < now[a]) now[a] = best;
            }
        }
    }
}

/* A cheapest completion: devices from the last stage on, and the classes of their hops (of the first none). */
static int trace_stages(const Search *s, int m, int num_stages, double cap_s, const double *hop,
                        const double *penalty, const double *rest, int *devices, int *classes) {
    int a = s->num_blocks, row = a + 1;
    for (int r = 0; r < num_stages; r++) {
        double wanted = rest[r * row + a] + 1e-9 * fabs(rest[r * row + a]);
        int found = 0;
        for (int i = 0; i < s->num_devices && !found; i++) {
            if (!s->slot->present[s->first + i]) continue;
            const int32_t *least = least_starts(s, i, m, r + 1);
            double price = second_cost(s, i, m);
            double own = penalty[i] + (r == 0 ? 0 : hop[i * s->num_classes + s->class_of[a - 1]]);
            for (int start = a - 1; start >= least[a]; start--) {
                double seconds = stage_seconds(s, i, start, a);
                if (seconds > cap_s) break;
                if (price * seconds + own + rest[(r + 1) * row + start] <= wanted) {
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

/* Price at which these hops take the whole band; 0 if they take none. */
static double clearing_price(const Search *s, int m, double cap_s, const int *devices, const int *classes,
                             int stages, double guess) {
    double band = s->slot->d2d_band_hz[s->cluster];
    if (!(band_taken(s, m, guess, cap_s, devices, classes, stages) > 0)) return 0;
    double x = log(guess), low = -INFINITY, high = INFINITY;
    for (int round = 0; round < 25; round++) {
        double excess = log(band_taken(s, m, exp(x), cap_s, devices, classes, stages) / band);
        if (fabs(excess) < 1e-3) break;
        if (excess > 0) low = x; else high = x;
        double next = x + 1.7 * excess; /* band falls about with the root of its price */
        if (next <= low || next >= high) next = 0.5 * (low + high);
        if (!isfinite(next)) break;
        x = next;
    }
    return exp(x);
}

/* Move penalties so that devices serve once; returns 0 if each does already. */
static int move_penalties(const Search *s, const int *devices, int stages, double miss, double *penalty) {
    int size = 0;
    for (int i = 0; i < s->num_devices; i++) {
        int uses = 0;
        for (int k = 0; k < stages; k++) uses += devices[k] == i;
        if (uses > 1) size += (uses - 1) * (uses - 1);
        else if (uses == 0 && penalty[i] > 0) size += 1;
    }
    int moved = 0;
    for (int i = 0; i < s->num_devices; i++) {
        int uses = 0;
        for (int k = 0; k < stages; k++) uses += devices[k] == i;
        if (uses == 1 || (uses == 0 && penalty[i] == 0)) continue;
        moved |= uses > 1;
        penalty[i] = fmax(0, penalty[i] + miss * (uses - 1) / size);
    }
    return moved;
}

#define PENALTY_ROUNDS 15
#define GENTLE 0.01 /* share of what is spent by which penalties move: large ones spoil what labels leave unused */

/* The best of some tries at the prices of a count. */
typedef struct {
    double bound, hz_price;
    double *memory, *rest, *hop, *penalty; /* memory: rest, hop, penalty in a row */
} Try;

static double attempt(Search *s, const Cell *cell, int num_stages, double base, Try *try) {
    double refund = try->hz_price * s->slot->d2d_band_hz[s->cluster];
    for (int i = 0; i < s->num_devices; i++) refund += try->penalty[i];
    price_hops(s, cell->micro_batches, try->hz_price, cell->to_s, try->hop);
    complete_stages(s, cell->micro_batches, num_stages, cell->to_s, try->hop, try->penalty, try->rest);
    s->work += 1;
    return try->bound = base + try->rest[s->num_blocks] - refund;
}

/* A count of a cell, whose bound with free use of the whole band by every hop is `known`. */
static void add_count(Search *s, int index, int num_stages, double known) {
    Cell cell = ((Cell *)s->cells.items)[index];
    double base = cell_base(s, &cell);
    int m = cell.micro_batches, devices[MAX_STAGES], classes[MAX_STAGES];
    size_t table = (size_t)(num_stages + 1) * (s->num_blocks + 1), prices = (size_t)s->num_devices * s->num_classes;
    size_t size = table + prices + s->num_devices;
    double *memory = calloc(2 * size, sizeof(double));
    if (!memory) { s->failed = 1; return; }
    Try best = {-INFINITY, 0, memory, memory, memory + table, memory + table + prices};
    Try next = {0, 0, memory + size, memory + size, memory + size + table, memory + size + table + prices};
    double *guess = &s->guess[(m - 1) * (s->max_stages + 1) + num_stages], step = 1;
    for (int round = 0; round < (num_stages == 1 ? 1 : PENALTY_ROUNDS); round++) {
        double before = best.bound;
        if (attempt(s, &cell, num_stages, base, &next) > before) {
            Try swap = best;
            best = next, next = swap;
        } else if (round > 0) step *= 0.6;
        if (!(best.bound < s->cutoff)) break;
        int stages = trace_stages(s, m, num_stages, cell.to_s, best.hop, best.penalty, best.rest, devices, classes);
        memcpy(next.penalty, best.penalty, s->num_devices * sizeof(double));
        next.hz_price = best.hz_price;
        if (round < 3) {
            double start = best.hz_price > 0 ? best.hz_price : *guess > 0 ? *guess
                         : s->latency_price * 0.1 / s->slot->d2d_band_hz[s->cluster];
            double price = clearing_price(s, m, cell.to_s, devices, classes, stages, start);
            if (price > 0) *guess = next.hz_price = price;
        }
        double miss = step * fmin(s->cutoff - best.bound, GENTLE * spent(s, m));
        int moved = move_penalties(s, devices, stages, miss, next.penalty);
        if (!moved && fabs(next.hz_price - best.hz_price) <= 1e-3 * best.hz_price) break;
        if (round > 3 && best.bound - before < 0.01 * (s->cutoff - best.bound) && step < 0.3) break;
    }
    Count *count = best.bound < s->cutoff ? grow(s, &s->counted, sizeof(Count)) : NULL;
    if (!count) { free(memory); return; }
    if (best.memory != memory) memcpy(memory, best.memory, size * sizeof(double));
    double refund = best.hz_price * s->slot->d2d_band_hz[s->cluster];
    for (int i = 0; i < s->num_devices; i++) refund += best.penalty[i];
    *count = (Count){index, num_stages, base - refund, best.hz_price, memory, memory + table, memory + table + prices};
    push(s, fmax(best.bound, known), COUNT, s->counted.size - 1);
}

static void open_cell(Search *s, int index, double known) {
    Cell cell = ((Cell *)s->cells.items)[index];
    double range = s->latency_price * (cell.micro_batches - 1) * (cell.to_s - cell.from_s);
    if (cell.from_s > 0 && range > NARROW * spent(s, cell.micro_batches)) {
        double middle = sqrt(cell.from_s * cell.to_s);
        add_cell(s, cell.micro_batches, cell.from_s, middle, known);
        add_cell(s, cell.micro_batches, middle, cell.to_s, known);
        return;
    }
    double base = cell_base(s, &cell);
    bound_cell(s, &cell, base);
    double least[MAX_STAGES + 1];
    for (int r = 1; r <= s->max_stages; r++) least[r] = base + s->counts[r * (s->num_blocks + 1)];
    for (int r = 1; r <= s->max_stages; r++)
        push(s, fmax(least[r], known), SIZED, index * (s->max_stages + 1) + r);
}

/* ---- labels ---- */

static int serves(const Search *s, int label, int device) {
    const Label *labels = s->labels.items;
    for (; label >= 0; label = labels[label].parent)
        if (labels[label].device == device) return 1;
    return 0;
}

static uint64_t scatter(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int same_devices(const Search *s, const Label *a, const Label *b) {
    const Label *labels = s->labels.items;
    for (;; a = &labels[a->parent]) {
        const Label *other = b;
        while (other->device != a->device && other->parent >= 0) other = &labels[other->parent];
        if (other->device != a->device) return 0;
        if (a->parent < 0) return 1;
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

/* Whether a label met before, of the same devices and first block, is as cheap and no busier; note this one. */
static int is_dominated(Search *s, const Label *label, int32_t index) {
    if (4 * s->seen_size >= 3 * s->seen_room) enlarge(s);
    if (s->failed) return 0;
    uint64_t key = scatter(label->set + scatter(((uint64_t)label->count << 16) + label->start + 1)) | 1;
    const Label *labels = s->labels.items;
    uint32_t at = key & (s->seen_room - 1);
    for (; s->seen[at].key; at = (at + 1) & (s->seen_room - 1)) {
        const Label *other = &labels[s->seen[at].label];
        if (s->seen[at].key != key || other->count != label->count || other->start != label->start
            || other->stages != label->stages || !same_devices(s, label, other)) continue;
        if (other->cost <= label->cost && other->busiest_s <= label->busiest_s) return 1;
        if (other->cost >= label->cost && other->busiest_s >= label->busiest_s) { s->seen[at].label = index; return 0; }
    }
    s->seen[at] = (Seen){key, index}, s->seen_size++;
    return 0;
}

/* Place the next stage, counted from the end, in all ways. */
static void extend(Search *s, int count_index, int parent, double known) {
    Count count = ((Count *)s->counted.items)[count_index];
    Cell cell = ((Cell *)s->cells.items)[count.cell];
    Label from = {count_index, -1, -1, s->num_blocks, 0, 0, 0, 0};
    if (parent >= 0) from = ((Label *)s->labels.items)[parent];
    int m = cell.micro_batches, r = from.stages, end = from.start, left = count.num_stages - r - 1;
    int given = s->slot->given_order[s->cluster];
    const double *rest = count.rest + (r + 1) * (s->num_blocks + 1);
    double overtime = m > 1 ? s->latency_price * (m - 1) : 0;
    for (int i = 0; i < s->num_devices; i++) {
        if (!s->slot->present[s->first + i] || (given && parent >= 0 && i >= from.device)) continue;
        if (parent >= 0 && serves(s, parent, i)) continue;
        const int32_t *least = least_starts(s, i, m, r + 1);
        double price = second_cost(s, i, m);
        double cost = from.cost + count.penalty[i] + (r == 0 ? 0 : count.hop[i * s->num_classes + s->class_of[end - 1]]);
        if (!(cost < INFINITY)) continue;
        for (int start = left == 0 ? 0 : end - 1; start >= least[end]; start--) {
            double seconds = stage_seconds(s, i, start, end), busiest = fmax(from.busiest_s, seconds);
            if (seconds > cell.to_s) break;
            double bound = count.base + cost + price * seconds + rest[start]
                           + overtime * fmax(0, busiest - cell.from_s);
            if (!(bound < s->cutoff)) continue;
            Label *label = grow(s, &s->labels, sizeof(Label));
            if (!label) return;
            *label = (Label){count_index, parent, i, start, r + 1, from.set + scatter(i + 1), cost + price * seconds,
                             busiest};
            if (s->prune && r > 0 && is_dominated(s, label, s->labels.size - 1)) { s->labels.size--; continue; }
            push(s, fmax(bound, known), LABEL, s->labels.size - 1);
        }
    }
    s->work += 1;
}

/* ---- exact structures ---- */

static int known(const Search *s, const int32_t *candidate) {
    const Exact *exacts = s->exacts.items;
    for (int k = 0; k < s->exacts.size; k++)
        if (!memcmp(exacts[k].candidate, candidate, s->width * sizeof(int32_t))) return 1;
    return 0;
}

static void settle(Search *s, int index, double bound, int keep_all) {
    const Label *labels = s->labels.items, *label = &labels[index];
    const Count *count = (Count *)s->counted.items + label->count;
    const Cell *cell = (Cell *)s->cells.items + count->cell;
    int32_t *candidate = calloc(s->width, sizeof(int32_t));
    if (!candidate) { s->failed = 1; return; }
    candidate[0] = cell->micro_batches, candidate[1] = count->num_stages;
    int end = s->num_blocks, at = count->num_stages - 1;
    int chain[MAX_STAGES], num = 0;
    for (int k = index; k >= 0; k = labels[k].parent) chain[num++] = k;
    for (int k = num - 1; k >= 0; k--, at--) { /* from the last stage on */
        candidate[2 + at] = labels[chain[k]].device;
        candidate[2 + s->stride + at] = end;
        end = labels[chain[k]].start;
    }
    if (known(s, candidate)) { free(candidate); return; }
    Programme programme;
    Solved solved;
    double mu;
    build_programme(s->slot, s->cluster, candidate, s->stride, &programme);
    s->work += 1;
    double extra = s->batch_price * candidate[0], value = INFINITY;
    if (solve_programmes(&programme, 1, 0, 0, s->latency_price, s->hz_price, &solved, &mu)) {
        value = s->latency_price * solved.latency_s + solved.cost + s->hz_price * solved.uplink_band_hz - extra;
        bound = fmax(bound, certified_cost(&programme, &solved, s->latency_price, s->hz_price) - extra);
    }
    Exact *exact = grow(s, &s->exacts, sizeof(Exact));
    if (!exact) { free(candidate); return; }
    *exact = (Exact){value, bound, candidate};
    push(s, bound, EXACT, s->exacts.size - 1);
    if (!keep_all && value < INFINITY) s->cutoff = fmin(s->cutoff, value + ROUNDING * fabs(value));
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
    s->per_flop_s = calloc(s->num_devices, sizeof(double));
    for (int i = 0; s->per_flop_s && i < s->num_devices; i++) s->per_flop_s[i] = 1 / slot->flops_per_s[s->first + i];
    s->hop = calloc((size_t)s->num_devices * s->num_classes, sizeof(double));
    s->counts = calloc((size_t)(s->max_stages + 1) * (n + 1), sizeof(double));
    s->guess = calloc((size_t)slot->max_micro_batches * (s->max_stages + 1), sizeof(double));
    return s->per_flop_s && s->hop && s->counts && s->guess;
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

static void add_roots(Search *s) {
    double fastest = fastest_bottleneck(s);
    for (int m = 1; m <= s->slot->max_micro_batches; m++) {
        if (m == 1) { add_cell(s, 1, 0, INFINITY, -INFINITY); continue; }
        double rest = s->cutoff - plain_cost(s, m) - uplink_cost(s, m, INFINITY);
        double latest = rest / (s->latency_price * (m - 1)); /* beyond it the bottleneck alone costs too much */
        if (!(latest > 0) || latest < fastest * (1 - 1e-9)) continue;
        latest *= 1 + 1e-9;
        double from = fmax(fastest, latest * SHORTEST);
        if (from > fastest) add_cell(s, m, 0, from, -INFINITY);
        add_cell(s, m, from, fmax(latest, from), -INFINITY);
    }
}

static void release(Search *s) {
    for (int k = 0; k < s->counted.size; k++) free(((Count *)s->counted.items)[k].rest);
    for (int k = 0; k < s->exacts.size; k++) free(((Exact *)s->exacts.items)[k].candidate);
    free(s->heap.items), free(s->cells.items), free(s->counted.items), free(s->labels.items), free(s->exacts.items);
    free(s->class_of), free(s->class_bits), free(s->per_flop_s), free(s->hop), free(s->counts), free(s->guess), free(s->seen);
}

/* Cheapest structures of a cluster. `cutoff` is a cost above which nothing is asked for. With keep_all, all
   structures below it are listed, else the cheapest alone. Candidates come in order of their bounds.
   Returns how many are listed, or -1 without memory; `bound` holds for every structure not listed, and with
   keep_all off for all, and the search ends once the best is proven within `tolerance`. `work` is the most that may be done, and what was done. */
int price_cluster(const Slot *slot, int cluster, double latency_price, double hz_price, double batch_price,
                  double cutoff, double tolerance, int keep_all, int max_listed, int max_stages, int64_t *work,
                  int32_t *candidates, double *values, double *bounds, double *bound) {
    Search s = {.slot = slot, .cluster = cluster, .first = slot->first_device[cluster],
                .num_devices = slot->first_device[cluster + 1] - slot->first_device[cluster],
                .num_blocks = slot->num_blocks, .width = 2 + 2 * max_stages, .stride = max_stages,
                .latency_price = latency_price, .hz_price = hz_price, .batch_price = batch_price, .cutoff = cutoff,
                .prune = !keep_all && !slot->given_order[cluster]};
    int listed = 0;
    s.max_stages = s.num_devices < s.num_blocks ? s.num_devices : s.num_blocks;
    s.failed = !prepare(&s);
    if (!s.failed) add_roots(&s);
    *bound = cutoff;
    while (!s.failed && s.heap.size > 0) {
        Entry top = ((Entry *)s.heap.items)[0];
        if (!(top.bound < s.cutoff)) { *bound = s.cutoff; break; }
        int close = !keep_all && s.cutoff - top.bound <= tolerance;
        if (close || s.work >= *work || listed == max_listed) { *bound = top.bound; break; }
        pop(&s);
        if (top.kind == CELL) open_cell(&s, top.index, top.bound);
        else if (top.kind == SIZED) add_count(&s, top.index / (s.max_stages + 1), top.index % (s.max_stages + 1), top.bound);
        else if (top.kind == COUNT) extend(&s, top.index, -1, top.bound);
        else if (top.kind == LABEL) {
            const Label *label = (Label *)s.labels.items + top.index;
            if (label->start == 0) settle(&s, top.index, top.bound, keep_all);
            else extend(&s, label->count, top.index, top.bound);
        } else {
            const Exact *exact = (Exact *)s.exacts.items + top.index;
            memcpy(candidates + (size_t)listed * s.width, exact->candidate, s.width * sizeof(int32_t));
            values[listed] = exact->value, bounds[listed] = top.bound;
            listed++;
            if (!keep_all) { *bound = top.bound; break; }
        }
    }
    if (!keep_all && !listed && s.exacts.size) { /* the best that is known, not proven the cheapest */
        const Exact *exacts = s.exacts.items, *best = exacts;
        for (int k = 1; k < s.exacts.size; k++)
            if (exacts[k].value < best->value) best = &exacts[k];
        memcpy(candidates, best->candidate, s.width * sizeof(int32_t));
        values[0] = best->value, bounds[0] = *bound, listed = 1;
    }
    *work = s.work;
    int failed = s.failed;
    release(&s);
    return failed ? -1 : listed;
}
