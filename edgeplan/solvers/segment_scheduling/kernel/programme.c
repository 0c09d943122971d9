/* Programmes of fixed stages and micro-batches: a primal-dual interior-point method in the logarithms.

   Variables of a cluster: log seconds and log band of every link, log bottleneck; of all together: T. The
   clusters meet in T and in the uplink band alone, so Newton's system is bordered block diagonal and is
   solved block by block. Alone, a cluster has prices of its latency and of its uplink band instead. */

#include "kernel.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define GAP 1e-9
#define RESIDUAL 1e-8
#define SLOWER 1.3
#define MAX_ROUNDS 250
#define CLOSE 1e-7 /* gap and residual with which a stalled solve still serves */
#define LOOSE 1e-2 /* the same, if nothing else is left: plans are made feasible and bounds certified in any case */

/* ---- from a candidate to its programme: equations (1) to (5) ---- */

/* candidate: micro-batches, stages J, then J devices and J ends, counted within the cluster */
int build_programme(const Slot *slot, int cluster, const int32_t *candidate, int max_stages, Programme *out) {
    int m = candidate[0], num_stages = candidate[1], first = slot->first_device[cluster], start = 0;
    const int32_t *devices = candidate + 2, *ends = candidate + 2 + max_stages;
    memset(out, 0, offsetof(Programme, links));
    out->micro_batches = m;
    out->fixed_s = slot->embedding_s[cluster] + slot->decoder_s[cluster] * m;
    out->repeats = m - 1;
    out->d2d_band_hz = slot->d2d_band_hz[cluster], out->uplink_band_hz = slot->uplink_band_hz;
    for (int j = 0; j < num_stages; j++) {
        int d = first + devices[j];
        double flops = slot->flops_before[ends[j]] - slot->flops_before[start];
        double seconds = slot->overhead_s[d] + flops / slot->flops_per_s[d];
        out->fixed_s += seconds;
        out->fixed_cost += slot->device_price[d] * m * slot->compute_power_w[d] * seconds;
        if (seconds > out->busiest_s) out->busiest_s = seconds;
        double bits = slot->hop_bits[ends[j] - 1];
        start = ends[j];
        if (j == num_stages - 1 || bits == 0) continue;
        UsedLink *used = &out->links[out->num_links++];
        used->link.nats = bits * M_LN2;
        used->link.unit_j = slot->noise_w_per_hz * bits * M_LN2 / slot->device_gain[d];
        used->link.max_power_w = slot->max_power_w[d];
        used->joule_price = slot->device_price[d] * m;
        used->time_weight = used->share = 1;
        used->is_uplink = 0, used->stage = j;
    }
    double last = slot->hop_bits[slot->num_blocks - 1], bits = m * last + slot->upload_bits;
    if (bits > 0) {
        UsedLink *used = &out->links[out->num_links++];
        used->link.nats = bits * M_LN2;
        used->link.unit_j = slot->noise_w_per_hz * bits * M_LN2 / slot->uplink_gain[cluster];
        used->link.max_power_w = slot->uplink_power_w[cluster];
        used->joule_price = slot->uplink_price[cluster];
        used->time_weight = (last + slot->upload_bits) / bits;
        used->share = last / bits;
        used->is_uplink = 1, used->stage = num_stages - 1;
    }
    return out->num_links;
}

/* ---- one cluster's block of Newton's system ---- */

/* A link at some seconds and band: phi, and its derivatives in log u. */
typedef struct {
    double seconds, band_hz, u, value, rise, bend, over; /* over: log of its power over the most */
} Point;

typedef struct {
    const Programme *programme;
    int size, num_limits, has_bottleneck; /* variables; constraints */
    double *x, *trial, *step, *gradient, *target, *border, *side, *matrix; /* side: of the uplink band */
    double *price, *trial_price, *price_step; /* multipliers of the constraints */
    double *slack, *trial_slack, *slack_step; /* constraint + slack = 0, slack > 0 */
    double time, band;                                /* latency without T; uplink band */
    Point *points, *trial_points;                     /* links at x and at trial */
} Block;

typedef struct {
    int joint;
    double scale, tradeoff, uplink_band_hz, latency_price, hz_price;
} Frame;

static int count_limits(const Programme *p, int has_bottleneck, int joint) {
    int hops = 0, limits = joint;
    for (int i = 0; i < p->num_links; i++) {
        hops += !p->links[i].is_uplink;
        limits += 1 + (has_bottleneck && p->links[i].share > 0);
    }
    return limits + (hops > 0) + (has_bottleneck && p->busiest_s > 0);
}

static int needs_bottleneck(const Programme *p) {
    if (p->repeats <= 0) return 0;
    int shares = p->busiest_s > 0;
    for (int i = 0; i < p->num_links; i++) shares += p->links[i].share > 0;
    return shares > 0;
}

/* Values of a constraint's non-zero gradient: at most the links' seconds or bands, and two more. */
typedef struct {
    int count, at[MAX_STAGES + 2];
    double value[MAX_STAGES + 2];
} Row;

static void add_row(Row *row, int at, double value) { row->at[row->count] = at, row->value[row->count++] = value; }

/* Without zeroing the room of all links, as an initialiser would. */
static void set_row(Row *row, int at, double value) { row->count = 0, add_row(row, at, value); }

static int point_of(const UsedLink *used, double log_s, double log_hz, Point *at) {
    at->seconds = exp(log_s), at->band_hz = exp(log_hz);
    double u = at->u = used->link.nats / (at->seconds * at->band_hz);
    if (!(u < 600 && u > 1e-300)) return 0;
    double grown = expm1(u);
    at->value = u < 1e-8 ? 1 + 0.5 * u : grown / u;
    at->rise = u < 1e-3 ? phi_rise(u) : grown + 1 - at->value;
    at->bend = u * (grown + 1) - at->rise;
    at->over = log(used->link.unit_j * at->value / (at->seconds * used->link.max_power_w));
    return 1;
}

/* The links of a block at x; 0 where one is out of all bounds. */
static int points_at(const Programme *p, const double *x, Point *points) {
    for (int i = 0; i < p->num_links; i++)
        if (!point_of(&p->links[i], x[2 * i], x[2 * i + 1], &points[i])) return 0;
    return 1;
}

/* Walk over the constraints of a block at point x: calls for each its value and gradient row. The curvature
   of power limits and of sums of exponentials is added to the matrix when there is one. */
typedef struct {
    Block *block;
    const Frame *frame;
    const double *x, *price, *slack;
    const Point *points;
    double latency, sharpness, t_gradient;
    int build; /* 0 values and gradient; 1 also the system; 2 directions of the multipliers */
    const double *dx;
    double d_latency;
    double *gradient;
    double residual, open, gap;
    int index;
    double border_pull, t_diagonal, t_target;
} Walk;

/* A limit on a sum in logarithms has for gradient the shares p of its terms, and curvature diag(p) - p p'. */
static void visit(Walk *w, const Row *row, double value, int is_sum, int on_latency) {
    Block *b = w->block;
    int i = w->index++, n = b->size;
    double on_t = on_latency ? -1 : 0; /* derivative in log T */
    double price = w->price[i], slack = w->slack[i], open = value + slack;
    double pull = 1 / (w->sharpness * slack), stiff = price / slack;
    if (w->build == 2) {
        double slope = on_t * w->d_latency;
        for (int k = 0; k < row->count; k++) slope += row->value[k] * w->dx[row->at[k]];
        b->slack_step[i] = -open - slope;
        b->price_step[i] = pull - price + stiff * (open + slope);
        return;
    }
    double centre = price * slack - 1 / w->sharpness;
    w->residual += centre * centre + open * open, w->open += open * open;
    w->gap += price * slack;
    for (int k = 0; k < row->count; k++) w->gradient[row->at[k]] += price * row->value[k];
    if (on_latency) w->t_gradient += price * on_t;
    if (w->build == 0) return;
    pull += stiff * open;
    for (int k = 0; k < row->count; k++) {
        b->target[row->at[k]] -= pull * row->value[k];
        for (int l = 0; l < row->count; l++)
            b->matrix[row->at[k] * n + row->at[l]] += (stiff - is_sum * price) * row->value[k] * row->value[l];
        if (is_sum) b->matrix[row->at[k] * (n + 1)] += price * row->value[k];
        if (on_latency) b->border[row->at[k]] += stiff * row->value[k] * on_t;
    }
    if (on_latency) w->t_diagonal += stiff * on_t * on_t, w->t_target -= pull * on_t;
}

static void walk_block(Walk *w) {
    Block *b = w->block;
    const Programme *p = b->programme;
    const Frame *f = w->frame;
    int n = b->size, bottleneck = n - 1, num_hops = 0;
    Row time, band, row;
    time.count = band.count = 0;
    double hop_band = 0, latency = p->fixed_s;
    w->index = 0;
    if (w->build < 2) memset(w->gradient, 0, n * sizeof(double));
    if (w->build == 1) {
        memset(b->matrix, 0, (size_t)n * n * sizeof(double));
        memset(b->target, 0, n * sizeof(double)), memset(b->border, 0, n * sizeof(double));
    }
    b->band = 0;
    double time_price = f->joint ? 0 : f->latency_price * f->scale;
    for (int i = 0; i < p->num_links; i++) {
        const UsedLink *used = &p->links[i];
        const Point *at = &w->points[i];
        double per_time = used->time_weight * at->seconds, energy = used->joule_price * used->link.unit_j * f->scale;
        latency += per_time;
        add_row(&time, 2 * i, per_time);
        double hz = 0;
        if (used->is_uplink) {
            b->band = at->band_hz;
            if (!f->joint) hz = f->hz_price * f->scale * at->band_hz;
        } else {
            hop_band += at->band_hz, num_hops++;
            add_row(&band, 2 * i + 1, at->band_hz);
        }
        if (w->build == 2) continue;
        double own_time = time_price * per_time;
        w->gradient[2 * i] += own_time - energy * at->rise;
        w->gradient[2 * i + 1] += hz - energy * at->rise;
        if (w->build == 1) {
            b->target[2 * i] -= own_time - energy * at->rise;
            b->target[2 * i + 1] -= hz - energy * at->rise;
            b->matrix[2 * i * n + 2 * i] += energy * at->bend + own_time;
            b->matrix[(2 * i + 1) * n + 2 * i + 1] += energy * at->bend + hz;
            b->matrix[2 * i * n + 2 * i + 1] += energy * at->bend;
            b->matrix[(2 * i + 1) * n + 2 * i] += energy * at->bend;
        }
    }
    if (b->has_bottleneck) {
        double per_time = p->repeats * exp(w->x[bottleneck]);
        latency += per_time;
        add_row(&time, bottleneck, per_time);
        if (w->build < 2) w->gradient[bottleneck] += time_price * per_time;
        if (w->build == 1) {
            b->target[bottleneck] -= time_price * per_time;
            b->matrix[bottleneck * n + bottleneck] += time_price * per_time;
        }
    }
    b->time = latency;
    if (f->joint) {
        for (int k = 0; k < time.count; k++) time.value[k] /= fmax(latency, 1e-300);
        visit(w, &time, log(fmax(latency, 1e-300)) - w->latency, 1, 1);
    }
    if (num_hops > 0) {
        for (int k = 0; k < band.count; k++) band.value[k] /= hop_band;
        visit(w, &band, log(hop_band / p->d2d_band_hz), 1, 0);
    }
    if (b->has_bottleneck && p->busiest_s > 0) {
        set_row(&row, bottleneck, -1);
        visit(w, &row, log(p->busiest_s) - w->x[bottleneck], 0, 0);
    }
    for (int i = 0; i < p->num_links; i++) {
        const UsedLink *used = &p->links[i];
        const Point *at = &w->points[i];
        double h = at->rise / at->value, price = w->price[w->index];
        set_row(&row, 2 * i, -h - 1), add_row(&row, 2 * i + 1, -h);
        visit(w, &row, at->over, 0, 0);
        if (w->build == 1) {
            double bend = price * (at->bend / at->value - h * h);
            b->matrix[2 * i * n + 2 * i] += bend, b->matrix[(2 * i + 1) * n + 2 * i + 1] += bend;
            b->matrix[2 * i * n + 2 * i + 1] += bend, b->matrix[(2 * i + 1) * n + 2 * i] += bend;
        }
        if (b->has_bottleneck && used->share > 0) {
            set_row(&row, 2 * i, 1), add_row(&row, bottleneck, -1);
            visit(w, &row, w->x[2 * i] + log(used->share) - w->x[bottleneck], 0, 0);
        }
    }
}

/* ---- linear algebra ---- */

static int factor(double *matrix, int n) { /* Cholesky in place, lower triangle */
    for (int j = 0; j < n; j++) {
        double *row_j = matrix + (size_t)j * n;
        double pivot = row_j[j] * (1 + 1e-13);
        for (int k = 0; k < j; k++) pivot -= row_j[k] * row_j[k];
        if (!(pivot > 0)) return 0;
        pivot = sqrt(pivot), row_j[j] = pivot;
        for (int i = j + 1; i < n; i++) {
            double *row_i = matrix + (size_t)i * n, sum = row_i[j];
            for (int k = 0; k < j; k++) sum -= row_i[k] * row_j[k];
            row_i[j] = sum / pivot;
        }
    }
    return 1;
}

static void backsolve(const double *matrix, int n, double *x) {
    for (int i = 0; i < n; i++) {
        double sum = x[i];
        for (int k = 0; k < i; k++) sum -= matrix[(size_t)i * n + k] * x[k];
        x[i] = sum / matrix[(size_t)i * n + i];
    }
    for (int i = n - 1; i >= 0; i--) {
        double sum = x[i];
        for (int k = i + 1; k < n; k++) sum -= matrix[(size_t)k * n + i] * x[k];
        x[i] = sum / matrix[(size_t)i * n + i];
    }
}

static double dot(const double *a, const double *b, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* ---- start ---- */

/* A point within all limits: much of the bands, most of the power, longer times than these take. */
static int start_block(Block *b, double uplink_hz) {
    const Programme *p = b->programme;
    int hops = 0;
    double longest = p->busiest_s;
    for (int i = 0; i < p->num_links; i++) hops += !p->links[i].is_uplink;
    for (int i = 0; i < p->num_links; i++) {
        const UsedLink *used = &p->links[i];
        double hz = used->is_uplink ? uplink_hz : 0.6 * p->d2d_band_hz / hops;
        LinkChoice quick = best_power(&used->link, 1.0, 0.0, hz, INFINITY);
        if (!isfinite(quick.cost)) return 0;
        double seconds = SLOWER * quick.seconds;
        b->x[2 * i] = log(seconds), b->x[2 * i + 1] = log(hz);
        if (seconds * used->share > longest) longest = seconds * used->share;
    }
    if (b->has_bottleneck) b->x[b->size - 1] = log(SLOWER * longest);
    return 1;
}

/* Latency of a started block whose uplink has this band. */
static double latency_with(const Block *b, double uplink_hz) {
    const Programme *p = b->programme;
    double latency = p->fixed_s, longest = p->busiest_s;
    for (int i = 0; i < p->num_links; i++) {
        const UsedLink *used = &p->links[i];
        double seconds = used->is_uplink ? SLOWER * best_power(&used->link, 1, 0, uplink_hz, INFINITY).seconds
                                         : exp(b->x[2 * i]);
        latency += used->time_weight * seconds;
        if (seconds * used->share > longest) longest = seconds * used->share;
    }
    return latency + p->repeats * SLOWER * longest;
}

/* Latency of a block at its point. */
static double latency_at(const Block *b) {
    const Programme *p = b->programme;
    double latency = p->fixed_s;
    for (int i = 0; i < p->num_links; i++) latency += p->links[i].time_weight * exp(b->x[2 * i]);
    return latency + (b->has_bottleneck ? p->repeats * exp(b->x[b->size - 1]) : 0);
}

static int has_uplink(const Programme *p) { return p->num_links > 0 && p->links[p->num_links - 1].is_uplink; }

/* Bands of the uplinks under which all clusters with one are ready at about the same time. */
static void share_uplink_band(Block *blocks, int count, double band_hz) {
    double *log_hz = malloc((size_t)count * sizeof(double)), low = 0, high = 0;
    if (!log_hz) return;
    for (int c = 0; c < count; c++)
        if (has_uplink(blocks[c].programme)) high = fmax(high, latency_with(&blocks[c], band_hz / count));
    for (int round = 0; round < 40 && high > low * 1.02; round++) {
        double latency = 0.5 * (low + high), sum = 0;
        for (int c = 0; c < count; c++) {
            if (!has_uplink(blocks[c].programme)) continue;
            double under = log(band_hz) - 30, over = log(band_hz);
            for (int halving = 0; halving < 12; halving++) {
                double middle = 0.5 * (under + over);
                if (latency_with(&blocks[c], exp(middle)) > latency) under = middle; else over = middle;
            }
            sum += exp(log_hz[c] = over);
        }
        if (sum <= band_hz) high = latency; else low = latency;
        if (sum > band_hz && round < 39 && high > low * 1.02) continue;
        for (int c = 0; c < count && sum > 0; c++)
            if (has_uplink(blocks[c].programme)) start_block(&blocks[c], 0.8 * exp(log_hz[c]) * band_hz / fmax(sum, band_hz));
    }
    free(log_hz);
}

static double objective_of(const Block *blocks, int count, const Frame *f, double latency) {
    double sum = f->joint ? f->tradeoff * exp(latency) : 0;
    for (int c = 0; c < count; c++) {
        const Programme *p = blocks[c].programme;
        for (int i = 0; i < p->num_links; i++) {
            const Point *at = &blocks[c].points[i];
            sum += p->links[i].joule_price * p->links[i].link.unit_j * at->value;
            if (!f->joint && p->links[i].is_uplink) sum += f->hz_price * at->band_hz;
        }
        if (!f->joint) sum += f->latency_price * blocks[c].time;
    }
    return sum;
}

/* ---- the method ---- */

typedef struct {
    Block *blocks;
    int count, num_limits, all_limits; /* without and with the uplink band */
    Frame frame;
    double latency, d_latency, trial_latency; /* log T */
    double band_price, d_band_price, trial_band_price; /* multiplier of the uplink band */
    double band_slack, d_band_slack, trial_band_slack;
    double *memory;
    Point *points;
} Method;

static double measure(Method *m, int trial, double sharpness, double *gap, double *open_part) {
    /* residual norm at the current or trial point; infinite outside the limits */
    double residual = 0, band = 0, total = 0, unmet = 0;
    double latency = trial ? m->trial_latency : m->latency, band_price = trial ? m->trial_band_price : m->band_price;
    double t_gradient = m->frame.joint ? m->frame.tradeoff * m->frame.scale * exp(latency) : 0;
    int uplinks = 0;
    for (int c = 0; c < m->count; c++) {
        Block *b = &m->blocks[c];
        if (trial && !points_at(b->programme, b->trial, b->trial_points)) return INFINITY;
        Walk w = {.block = b, .frame = &m->frame, .x = trial ? b->trial : b->x, .latency = latency,
                  .points = trial ? b->trial_points : b->points,
                  .price = trial ? b->trial_price : b->price, .slack = trial ? b->trial_slack : b->slack,
                  .sharpness = sharpness, .gradient = b->gradient};
        walk_block(&w);
        residual += w.residual, t_gradient += w.t_gradient, band += b->band, total += w.gap, unmet += w.open;
        uplinks += b->band > 0;
    }
    if (m->frame.joint && uplinks) {
        double slack = trial ? m->trial_band_slack : m->band_slack;
        double open = log(band / m->frame.uplink_band_hz) + slack, centre = band_price * slack - 1 / sharpness;
        residual += centre * centre + open * open, total += slack * band_price, unmet += open * open;
    }
    for (int c = 0; c < m->count; c++) {
        Block *b = &m->blocks[c];
        const Programme *p = b->programme;
        for (int i = 0; m->frame.joint && i < p->num_links; i++)
            if (p->links[i].is_uplink) b->gradient[2 * i + 1] += band_price * b->band / band;
        double slope = dot(b->gradient, b->gradient, b->size);
        residual += slope, unmet += slope;
    }
    *gap = total, *open_part = sqrt(unmet + t_gradient * t_gradient);
    return sqrt(residual + t_gradient * t_gradient);
}

static int newton(Method *m, double sharpness) {
    double t_diagonal = m->frame.joint ? m->frame.tradeoff * m->frame.scale * exp(m->latency) : 0;
    double t_target = -t_diagonal, band = 0;
    int uplinks = 0;
    for (int c = 0; c < m->count; c++) {
        Block *b = &m->blocks[c];
        Walk w = {.block = b, .frame = &m->frame, .x = b->x, .latency = m->latency, .price = b->price,
                  .points = b->points, .slack = b->slack, .sharpness = sharpness, .gradient = b->gradient, .build = 1};
        walk_block(&w);
        t_diagonal += w.t_diagonal, t_target += w.t_target, band += b->band, uplinks += b->band > 0;
    }
    int shared = m->frame.joint && uplinks;
    double open = shared ? log(band / m->frame.uplink_band_hz) + m->band_slack : 0;
    double stiff = m->band_price / m->band_slack, rank = stiff - m->band_price;
    double pull = 1 / (sharpness * m->band_slack), full = pull + stiff * open;
    double rr = 0, rb = 0, vr = 0, vb = 0, vv = 0; /* border and side after elimination */
    for (int c = 0; c < m->count; c++) {
        Block *b = &m->blocks[c];
        const Programme *p = b->programme;
        int n = b->size;
        double *side = b->side, *border = b->trial; /* trial is free here: border solved */
        memset(side, 0, n * sizeof(double));
        for (int i = 0; shared && i < p->num_links; i++)
            if (p->links[i].is_uplink) {
                double hz = b->band / band;
                side[2 * i + 1] = hz;
                b->target[2 * i + 1] -= full * hz;
                b->matrix[(2 * i + 1) * (n + 1)] += m->band_price * hz;
            }
        if (!factor(b->matrix, n)) return 0;
        memcpy(b->step, b->target, n * sizeof(double)), backsolve(b->matrix, n, b->step);
        if (!m->frame.joint) continue;
        memcpy(border, b->border, n * sizeof(double)), backsolve(b->matrix, n, border);
        rr += dot(b->border, b->step, n), rb += dot(b->border, border, n);
        if (shared) {
            vr += dot(side, b->step, n), vb += dot(side, border, n);
            memcpy(b->gradient, side, n * sizeof(double)), backsolve(b->matrix, n, b->gradient);
            vv += dot(side, b->gradient, n);
        }
    }
    m->d_latency = 0;
    if (m->frame.joint) { /* unknown d log T and s = side' dx:  s (1 + k vv) + vb dT = vr;  k vb s + (rb - tt) dT = rr - t */
        double a = 1 + rank * vv, det = a * (rb - t_diagonal) - rank * vb * vb;
        if (!shared) a = 1, det = rb - t_diagonal, rank = 0;
        double d_latency = (a * (rr - t_target) - rank * vb * vr) / det, s = shared ? (vr - vb * d_latency) / a : 0;
        m->d_latency = d_latency;
        for (int c = 0; c < m->count; c++) {
            Block *b = &m->blocks[c];
            for (int i = 0; i < b->size; i++)
                b->step[i] -= b->trial[i] * d_latency + (shared ? b->gradient[i] * rank * s : 0);
        }
        m->d_band_slack = shared ? -open - s : 0;
        m->d_band_price = shared ? pull - m->band_price + stiff * (open + s) : 0;
    }
    for (int c = 0; c < m->count; c++) {
        Block *b = &m->blocks[c];
        Walk w = {.block = b, .frame = &m->frame, .x = b->x, .latency = m->latency, .price = b->price,
                  .points = b->points, .slack = b->slack, .sharpness = sharpness, .build = 2, .dx = b->step, .d_latency = m->d_latency};
        walk_block(&w);
    }
    return 1;
}

static void move(Method *m, double length) {
    m->trial_latency = m->latency + length * m->d_latency;
    m->trial_band_price = m->band_price + length * m->d_band_price;
    m->trial_band_slack = m->band_slack + length * m->d_band_slack;
    for (int c = 0; c < m->count; c++) {
        Block *b = &m->blocks[c];
        for (int i = 0; i < b->size; i++) b->trial[i] = b->x[i] + length * b->step[i];
        for (int i = 0; i < b->num_limits; i++) {
            b->trial_price[i] = b->price[i] + length * b->price_step[i];
            b->trial_slack[i] = b->slack[i] + length * b->slack_step[i];
        }
    }
}

static void accept(Method *m) {
    m->latency = m->trial_latency, m->band_price = m->trial_band_price, m->band_slack = m->trial_band_slack;
    for (int c = 0; c < m->count; c++) {
        Block *b = &m->blocks[c];
        memcpy(b->x, b->trial, b->size * sizeof(double));
        memcpy(b->points, b->trial_points, b->programme->num_links * sizeof(Point));
        memcpy(b->price, b->trial_price, b->num_limits * sizeof(double));
        memcpy(b->slack, b->trial_slack, b->num_limits * sizeof(double));
    }
}

static double within(double length, double value, double step) {
    return step * length < -0.995 * value ? -0.995 * value / step : length;
}

static double longest_step(const Method *m) {
    double length = 1;
    for (int c = 0; c < m->count; c++) {
        const Block *b = &m->blocks[c];
        for (int i = 0; i < b->num_limits; i++) {
            length = within(length, b->price[i], b->price_step[i]);
            length = within(length, b->slack[i], b->slack_step[i]);
        }
        for (int i = 0; i < b->size; i++) /* at most a factor of e^3 at once */
            if (fabs(b->step[i]) * length > 3) length = 3 / fabs(b->step[i]);
    }
    length = within(length, m->band_slack, m->d_band_slack);
    return within(length, m->band_price, m->d_band_price);
}

/* `patience`: how much the residual may grow in a step; without any, curved limits force tiny steps. */
static int iterate(Method *m, double patience, double near) {
    double gap, sharpness, residual, unmet, trial_unmet, length = 1;
    residual = measure(m, 0, 1.0, &gap, &unmet);
    if (!isfinite(residual)) return 0;
    for (int round = 0; round < MAX_ROUNDS; round++) {
        double growth = length > 0.6 ? 15 : length > 0.2 ? 4 : 1.5; /* slower where steps are short */
        if (gap < unmet) growth = 2; /* what is unmet must not fall behind */
        sharpness = growth * m->all_limits / gap;
        residual = measure(m, 0, sharpness, &gap, &unmet);
        double cost = objective_of(m->blocks, m->count, &m->frame, m->latency) * m->frame.scale;
        if (gap <= GAP * cost && residual <= RESIDUAL * cost) return 1;
        if (!newton(m, sharpness)) return gap < near && residual < near;
        double trial_gap, trial;
        length = longest_step(m);
        for (int tries = 0;; tries++) {
            move(m, length);
            trial = measure(m, 1, sharpness, &trial_gap, &trial_unmet);
            if (trial <= patience * residual) break;
            if (tries > 40) return gap < near && residual < near;
            length *= tries < 3 ? 0.8 : 0.5;
        }
        accept(m);
        gap = trial_gap, unmet = trial_unmet;
    }
    return gap < near && residual < near;
}

static int lay_out(Method *m, const Programme *programmes) {
    size_t need = 0, links = 0;
    for (int c = 0; c < m->count; c++) {
        const Programme *p = &programmes[c];
        int bottleneck = needs_bottleneck(p), n = 2 * p->num_links + bottleneck;
        int limits = count_limits(p, bottleneck, m->frame.joint);
        need += 7 * (size_t)n + (size_t)n * n + 6 * (size_t)limits;
        links += p->num_links;
    }
    m->memory = calloc(need + 1, sizeof(double));
    m->points = calloc(2 * links + 1, sizeof(Point));
    m->blocks = calloc((size_t)m->count, sizeof(Block));
    if (!m->memory || !m->points || !m->blocks) return 0;
    double *next = m->memory;
    Point *point = m->points;
    m->num_limits = 0;
    for (int c = 0; c < m->count; c++) {
        Block *b = &m->blocks[c];
        b->programme = &programmes[c];
        b->has_bottleneck = needs_bottleneck(b->programme);
        int n = b->size = 2 * b->programme->num_links + b->has_bottleneck;
        int limits = b->num_limits = count_limits(b->programme, b->has_bottleneck, m->frame.joint);
        b->x = next, b->trial = next + n, b->step = next + 2 * n, b->gradient = next + 3 * n;
        b->target = next + 4 * n, b->border = next + 5 * n, b->side = next + 6 * n, b->matrix = next + 7 * n;
        next += 7 * (size_t)n + (size_t)n * n;
        b->price = next, b->trial_price = next + limits, b->price_step = next + 2 * limits;
        b->slack = next + 3 * limits, b->trial_slack = next + 4 * limits, b->slack_step = next + 5 * limits;
        next += 6 * (size_t)limits;
        b->points = point, b->trial_points = point + b->programme->num_links;
        point += 2 * b->programme->num_links;
        m->num_limits += limits;
    }
    return 1;
}

/* Slacks that close the constraints at the start, which lies inside them. */
static void start_slacks(Method *m, Block *b) {
    for (int i = 0; i < b->num_limits; i++) b->slack[i] = b->price[i] = 1, b->slack_step[i] = 0;
    memset(b->step, 0, b->size * sizeof(double));
    Walk w = {.block = b, .frame = &m->frame, .x = b->x, .latency = m->latency, .price = b->price, .slack = b->slack,
              .points = b->points,
              .sharpness = 1, .build = 2, .dx = b->step};
    walk_block(&w); /* steps of the slacks for no move: -(value + 1) */
    for (int i = 0; i < b->num_limits; i++) b->slack[i] = fmax(1 + b->slack_step[i], 1e-3);
}

static int begin(Method *m) {
    int uplinks = 0;
    for (int c = 0; c < m->count; c++) uplinks += has_uplink(m->blocks[c].programme);
    Frame *f = &m->frame;
    double own_hz = f->uplink_band_hz;
    if (!f->joint && f->hz_price > 0 && uplinks) { /* a band of the size that its price asks for */
        const Programme *p = m->blocks[0].programme;
        const UsedLink *used = &p->links[p->num_links - 1];
        LinkChoice choice = best_link(&used->link, f->latency_price * used->time_weight, used->joule_price,
                                      f->hz_price, INFINITY);
        own_hz = choice.band_hz;
    } else if (uplinks) own_hz *= 0.7 / uplinks;
    f->scale = 1;
    double latest = 0;
    for (int c = 0; c < m->count; c++)
        if (!start_block(&m->blocks[c], own_hz)) return 0;
    if (f->joint && uplinks > 1) share_uplink_band(m->blocks, m->count, f->uplink_band_hz);
    for (int c = 0; c < m->count; c++) {
        Block *b = &m->blocks[c];
        if (!points_at(b->programme, b->x, b->points)) return 0;
        b->time = latency_at(b);
        if (b->time > latest) latest = b->time;
    }
    m->latency = log(fmax(1.1 * latest, 1e-300));
    double start = objective_of(m->blocks, m->count, f, m->latency), band = 0;
    if (!isfinite(start)) return 0;
    f->scale = start > 0 ? 1 / start : 1;
    m->all_limits = m->num_limits + (f->joint && uplinks);
    double first = 1.0 / m->all_limits;
    for (int c = 0; c < m->count; c++) {
        Block *b = &m->blocks[c];
        start_slacks(m, b);
        for (int i = 0; i < b->num_limits; i++) b->price[i] = first / b->slack[i];
        band += b->band;
    }
    m->band_slack = 1, m->band_price = 0;
    if (f->joint && uplinks) {
        m->band_slack = fmax(-log(band / f->uplink_band_hz), 1e-3);
        m->band_price = first / m->band_slack;
    }
    return m->all_limits > 0 ? 1 : 2;
}

/* A link's choice within its band and power to the last digit, at the rate that these really give. */
static void choose(const UsedLink *used, double log_s, double log_hz, double fit, Solved *out, int i) {
    const Link *link = &used->link;
    double seconds = exp(log_s), hz = exp(log_hz), u = fmin(link->nats / (seconds * hz), 600);
    hz *= fit;
    double power = fmin(link->unit_j * (u < 1e-8 ? 1 + 0.5 * u : expm1(u) / u) / seconds, link->max_power_w);
    out->band_hz[i] = hz, out->power_w[i] = power;
    out->seconds[i] = link->nats / (hz * log1p(power * link->nats / (link->unit_j * hz)));
}

static void report(const Method *m, Solved *solved, double *uplink_hz_price) {
    const Frame *f = &m->frame;
    double uplink_hz = 0;
    for (int c = 0; c < m->count; c++) {
        const Block *b = &m->blocks[c];
        int last = b->programme->num_links - 1;
        if (has_uplink(b->programme)) uplink_hz += exp(b->x[2 * last + 1]);
    }
    double uplink_fit = f->joint && uplink_hz > 0 ? fmin(1, f->uplink_band_hz / uplink_hz) : 1;
    for (int c = 0; c < m->count; c++) {
        const Block *b = &m->blocks[c];
        const Programme *p = b->programme;
        Solved *out = &solved[c];
        int at = 0, hops = 0;
        double bottleneck = b->has_bottleneck ? exp(b->x[b->size - 1]) : 0, hop_hz = 0;
        out->latency_price = f->joint ? b->price[at++] / (exp(m->latency) * f->scale) : f->latency_price;
        for (int i = 0; i < p->num_links; i++)
            if (!p->links[i].is_uplink) hops++, hop_hz += exp(b->x[2 * i + 1]);
        out->d2d_price = hops ? b->price[at++] / (f->scale * p->d2d_band_hz) : 0;
        at += b->has_bottleneck && p->busiest_s > 0;
        double longest = p->busiest_s, fit = hops ? fmin(1, p->d2d_band_hz / hop_hz) : 1;
        out->latency_s = p->fixed_s, out->cost = p->fixed_cost, out->uplink_band_hz = 0;
        for (int i = 0; i < p->num_links; i++) {
            const UsedLink *used = &p->links[i];
            choose(used, b->x[2 * i], b->x[2 * i + 1], used->is_uplink ? uplink_fit : fit, out, i);
            at++;
            out->bottleneck_price[i] =
                b->has_bottleneck && used->share > 0 ? b->price[at++] / (f->scale * bottleneck) : 0;
            if (used->is_uplink) out->uplink_band_hz = out->band_hz[i];
            out->latency_s += used->time_weight * out->seconds[i];
            out->cost += used->joule_price * out->power_w[i] * out->seconds[i];
            longest = fmax(longest, out->seconds[i] * used->share);
        }
        out->latency_s += p->repeats * longest;
    }
    *uplink_hz_price = f->joint ? m->band_price / (f->scale * f->uplink_band_hz) : f->hz_price;
}

/* Solve the programmes of several clusters together (tradeoff > 0: the price of T, over a shared band), or
   of one alone (tradeoff 0: for prices of its latency and of a hertz of uplink; where a hertz costs nothing it has
   the whole band). Returns 1 if solved. */
int solve_programmes(const Programme *programmes, int count, double tradeoff, double uplink_band_hz,
                     double latency_price, double hz_price, Solved *solved, double *uplink_hz_price) {
    if (tradeoff == 0 && hz_price == 0) tradeoff = latency_price, uplink_band_hz = programmes->uplink_band_hz;
    Method m = {.count = count, .frame = {.joint = tradeoff > 0, .tradeoff = tradeoff,
                .uplink_band_hz = uplink_band_hz, .latency_price = latency_price, .hz_price = hz_price}};
    int done = 0;
    if (lay_out(&m, programmes)) {
        static const double patience[] = {1.5, 1.1, 1.01, 3, 1.5}, near[] = {CLOSE, CLOSE, CLOSE, CLOSE, LOOSE};
        for (int k = 0; k < 5 && !done; k++) {
            done = begin(&m);
            if (!done) break;
            if (done == 1) done = iterate(&m, patience[k], near[k]);
        }
        if (done) report(&m, solved, uplink_hz_price);
    }
    free(m.memory), free(m.points), free(m.blocks);
    return done > 0;
}

/* Lower bound on latency_price * T_n + cost + hz_price * B of a programme: by weak duality, for the
   multipliers of a solution, links are minimised one by one. */
double certified_cost(const Programme *p, const Solved *solved, double latency_price, double hz_price) {
    double claims = 0, budget = latency_price * p->repeats;
    for (int i = 0; i < p->num_links; i++) claims += solved->bottleneck_price[i];
    double shrink = claims > budget ? budget / claims : 1; /* what is left goes to the longest stage */
    double bound = latency_price * p->fixed_s + p->fixed_cost + (budget - claims * shrink) * p->busiest_s;
    for (int i = 0; i < p->num_links; i++) {
        const UsedLink *used = &p->links[i];
        double second = latency_price * used->time_weight + solved->bottleneck_price[i] * shrink * used->share;
        double hz = used->is_uplink ? hz_price : solved->d2d_price, joule = used->joule_price;
        if (used->is_uplink && hz == 0) bound += best_power(&used->link, second, joule, p->uplink_band_hz, INFINITY).cost;
        else bound += best_link(&used->link, fmax(second, 1e-300), joule, fmax(hz, 1e-300), INFINITY).cost;
    }
    return bound - solved->d2d_price * p->d2d_band_hz;
}

/* Certified costs of the chosen programmes for these prices, from the multipliers of their last solutions,
   which are scaled to the prices of today. */
void certify_all(const Programme *programmes, Solved *solved, const int32_t *chosen, int count, double latency_price,
                 double hz_price, double *least) {
    for (int k = 0; k < count; k++) {
        const Programme *programme = &programmes[chosen[k]];
        Solved *last = &solved[chosen[k]];
        double ratio = latency_price / last->latency_price;
        last->latency_price = latency_price, last->d2d_price *= ratio;
        for (int i = 0; i < programme->num_links; i++) last->bottleneck_price[i] *= ratio;
        least[k] = certified_cost(programme, last, latency_price, hz_price);
    }
}
