/* What the files of the kernel share: a slot as plain arrays, links, and programmes of fixed structures.

   Equation numbers are those of edgeplan/models/segment_scheduling/__init__.py. Arrays belong to the
   caller. Blocks, devices and stages are counted from 0; a run of blocks is [start, end). */

#ifndef EDGEPLAN_SEGMENT_KERNEL_H
#define EDGEPLAN_SEGMENT_KERNEL_H

#include <stdint.h>

#define MAX_STAGES 128

typedef struct {
    int32_t num_clusters, num_blocks, max_micro_batches, max_in_flight, gpipe;
    double noise_w_per_hz, upload_bits, uplink_band_hz;
    const double *flops_before;   /* [blocks + 1], of one micro-batch */
    const double *hop_bits;       /* [blocks], behind each block, of one micro-batch */
    const int32_t *first_device;  /* [clusters + 1], into the arrays by device */
    const double *d2d_band_hz, *embedding_s, *decoder_s, *uplink_power_w;
    const int32_t *given_order;
    const double *flops_per_s, *overhead_s, *compute_power_w, *max_power_w;
    const int32_t *least_start;   /* [devices][max_in_flight][blocks + 1]: first start that fits (6) */
    /* of the slot at hand */
    const double *device_price, *device_gain;   /* cost of a joule; gain */
    const double *uplink_price, *uplink_gain;
    const int32_t *present;       /* by device */
    char *learnt;                 /* [clusters][learnt_bytes] */
    int64_t learnt_bytes;
} Slot;

/* The transfer of D bits: energy `unit_j` phi(u) with u = `nats` / (c w), phi(u) = (e^u - 1) / u. */
typedef struct {
    double nats;        /* D ln 2 */
    double unit_j;      /* N0 D ln 2 / g */
    double max_power_w;
} Link;

typedef struct {
    double cost, seconds, band_hz, power_w;
} LinkChoice;

/* Where a link was best: log u with power to spare, and at full power, and which of them it was; NAN if unknown. */
typedef struct {
    double log_u[2];
    int at_full_power;
} Near;
#define NOWHERE {{NAN, NAN}, 0}

/* A link inside a programme. */
typedef struct {
    Link link;
    double joule_price; /* cost of a joule, micro-batches included */
    double time_weight; /* how often its seconds count in (4), without the bottleneck */
    double share;       /* its seconds times this are held against the bottleneck; 0 if never */
    int32_t is_uplink, stage;
} UsedLink;

/* The convex programme of one cluster with fixed stages and micro-batches. */
typedef struct {
    int32_t num_links, micro_batches;
    double fixed_s;     /* time that no decision moves */
    double fixed_cost;  /* cost of computing */
    double busiest_s;   /* longest stage */
    double repeats;     /* how often the bottleneck counts, m - 1 */
    double d2d_band_hz, uplink_band_hz; /* of all clusters: one alone has the whole of it where a hertz costs nothing */
    UsedLink links[MAX_STAGES];
} Programme;

/* What a solved programme tells; arrays by link. */
typedef struct {
    double latency_price, d2d_price, latency_s, uplink_band_hz, cost;
    double seconds[MAX_STAGES], band_hz[MAX_STAGES], power_w[MAX_STAGES];
    double bottleneck_price[MAX_STAGES]; /* multiplier of seconds * share <= bottleneck */
} Solved;

double phi_rise(double u);
LinkChoice best_link(const Link *link, double second_price, double joule_price, double hz_price, double cap_s);
LinkChoice best_link_near(const Link *link, double second_price, double joule_price, double hz_price, double cap_s, Near *near);
LinkChoice link_in_time(const Link *link, double second_price, double joule_price, double hz_price, double seconds);
LinkChoice best_power(const Link *link, double second_price, double joule_price, double band_hz, double cap_s);

int build_programme(const Slot *slot, int cluster, const int32_t *candidate, int max_stages, Programme *out);
int solve_programmes(const Programme *programmes, int count, double tradeoff, double uplink_band_hz,
                     double latency_price, double hz_price, Solved *solved, double *uplink_hz_price);
void certify_all(const Programme *programmes, Solved *solved, const int32_t *chosen, int count, double latency_price,
                 double hz_price, double *least);
double certified_cost(const Programme *programme, const Solved *solved, double latency_price, double hz_price);

#endif
