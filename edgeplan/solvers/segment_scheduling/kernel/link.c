/* One link: the cheapest seconds, band and power for given prices, equations (2) and (3).

   With D bits in c seconds over w Hz, u = D ln 2 / (w c), the energy is unit_j phi(u), phi(u) = (e^u - 1) / u,
   and the power unit_j phi(u) / c. Costs are convex in (log c, log w). */

#include "kernel.h"

#include <math.h>

static const double MIN_LOG_U = -60.0, MAX_LOG_U = 6.39; /* e^6.39 is just below 600 */

static double phi(double u) { return u < 1e-8 ? 1.0 + 0.5 * u : expm1(u) / u; }

/* u phi'(u) = e^u - phi(u), without cancellation for small u. */
double phi_rise(double u) {
    if (u < 1e-3) return u * (0.5 + u * (1.0 / 3 + u * (0.125 + u / 30)));
    return exp(u) - expm1(u) / u;
}

/* (u - 1) e^u + 1, times `left` = e^-u, without cancellation for small u. */
static double balance(double u, double left) {
    return u < 1e-2 ? u * u * (0.5 - u * (1.0 / 6 - u * (1.0 / 24 - u * (1.0 / 120 - u / 720)))) : u - 1 + left;
}

/* The u with (u - 1) e^u + 1 = y, that is 1 + W0((y - 1) / e), by Halley's method. It begins from the series in
   sqrt(2 y), or from log(1 + x) (1 - log(1 + log(1 + x)) / (2 + log(1 + x))), which is near to W0(x). */
static double balanced_u(double y) {
    double root = sqrt(2 * y), grown = y > 1.5 ? log1p((y - 1) / M_E) : 0;
    double u = y > 1.5 ? 1 + grown * (1 - log1p(grown) / (2 + grown)) : root * (1 - root * (1.0 / 3 - root * 11 / 72));
    for (int round = 0; round < 60 && u > 0; round++) {
        double left = exp(-u), excess = balance(u, left) - y * left, step = excess / (u - 0.5 * excess * (1 + u) / u);
        u -= step;
        if (fabs(step) <= 1e-4 * u) break; /* the next step would be its cube */
    }
    return u;
}

/* The u with phi(u) = y > 1: Newton's method, for log phi, which is all but straight, where phi is not near 1. */
static double u_of_phi(double y) {
    double u = fmin(2 * (y - 1), 2 * log(y)), goal = log(y);
    for (int round = 0; round < 60 && u > 0; round++) {
        double grown = expm1(u), step;
        if (u < 1e-3) step = (phi(u) - y) * u / phi_rise(u);
        else step = (log(grown / u) - goal) / (1 + 1 / grown - 1 / u);
        u -= step;
        if (fabs(step) <= 1e-8 * u) break; /* the next step would be its square */
    }
    return u;
}

typedef struct {
    const Link *link;
    double second_price, joule_price, hz_price;
} Priced;

typedef struct {
    double cost, seconds, u, value, slope; /* value: phi(u); slope: of the cost in log u */
    int at_full_power;
} Point;

/* The best seconds for a given u, whatever the cap on them, and the cost there. */
static Point point_at(const Priced *p, double log_u) {
    double u = exp(log_u), grown = expm1(u), value = u < 1e-8 ? 1 + 0.5 * u : grown / u;
    double rise = u < 1e-3 ? phi_rise(u) : grown + 1 - value;
    double least_s = p->link->unit_j * value / p->link->max_power_w;
    double band_cost = p->hz_price * p->link->nats / u; /* times 1 / c */
    double energy = p->joule_price * p->link->unit_j;
    double c = sqrt(band_cost / p->second_price), slope = energy * rise;
    int at_full_power = c < least_s;
    if (at_full_power) {
        c = least_s;
        slope += (p->second_price - band_cost / (c * c)) * c * rise / value;
    }
    return (Point){p->second_price * c + energy * value + band_cost / c, c, u, value, slope - band_cost / c, at_full_power};
}

/* Root of the slope in log u: a bracket by growing steps, then Illinois. */
static double root_of_slope(const Priced *p, double guess) {
    double low = guess, high = guess, at_low, at_high, at, step = 0.3;
    at_low = at_high = point_at(p, guess).slope;
    while (at_high < 0 && high < MAX_LOG_U) {
        low = high, at_low = at_high;
        high = fmin(high + step, MAX_LOG_U), step *= 3;
        at_high = point_at(p, high).slope;
    }
    while (at_low > 0 && low > MIN_LOG_U) {
        high = low, at_high = at_low;
        low = fmax(low - step, MIN_LOG_U), step *= 3;
        at_low = point_at(p, low).slope;
    }
    if (at_high <= 0) return high;
    if (at_low >= 0) return low;
    int side = 0;
    for (int round = 0; round < 100 && high - low > 1e-7; round++ /* the cost is flat there */) {
        double x = (low * at_high - high * at_low) / (at_high - at_low);
        if (!(x > low && x < high) || round > 30) x = 0.5 * (low + high);
        at = point_at(p, x).slope;
        if (at == 0) return x;
        if (at < 0) {
            low = x, at_low = at;
            if (side < 0) at_high *= 0.5;
            side = -1;
        } else {
            high = x, at_high = at;
            if (side > 0) at_low *= 0.5;
            side = 1;
        }
    }
    return fabs(at_low) < fabs(at_high) ? low : high;
}

/* Root of `excess` in x = log u by Newton's method: both equations below are all but linear there. NAN if it fails. */
static double newton_log_u(double x, double target, int at_full_power) {
    for (int round = 0; round < 20; round++) {
        if (!(x > MIN_LOG_U && x < MAX_LOG_U)) return NAN;
        double u = exp(x), grown = expm1(u), value = u < 1e-8 ? 1 + 0.5 * u : grown / u;
        double rise = u < 1e-3 ? phi_rise(u) : grown + 1 - value, bend = u * (grown + 1) - rise;
        double excess = log(rise) - target, slope = bend / rise;
        if (at_full_power) excess += 2 * log(grown) - x - u, slope += 2 * (1 + grown) / value - 1 - u;
        else excess += 0.5 * x, slope += 0.5;
        double step = excess / slope;
        x -= fmax(-2, fmin(step, 2));
        if (fabs(step) < 1e-4) return x; /* the next step would be its square */
    }
    return NAN;
}

/* log u where the best point lies if power is to spare, E u phi' = sqrt(s mu N / u), or at full power, where
   c = unit_j phi / P and (E + s unit_j / P) u phi' = mu N P / unit_j * u e^u / (e^u - 1)^2. NAN if it is not found. */
static double stationary_log_u(const Priced *p, int at_full_power, double near) {
    double energy = p->joule_price * p->link->unit_j, band_cost = p->hz_price * p->link->nats, target, u;
    if (at_full_power) {
        double full = p->link->max_power_w / p->link->unit_j, ratio = band_cost * full / (energy + p->second_price / full);
        target = log(ratio), u = fmin(sqrt(2 * ratio), 1 + log1p(ratio));
    } else {
        if (energy <= 0) return NAN;
        double ratio = sqrt(p->second_price * band_cost) / energy, root = cbrt(2 * ratio);
        target = log(ratio), u = fmin(root * root, 1 + log1p(ratio));
    }
    return newton_log_u(isfinite(near) ? near : log(fmin(fmax(u, 1e-25), 600)), target, at_full_power);
}

static Point best_point(const Priced *p, Near *near) {
    double full = p->link->max_power_w / p->link->unit_j;
    for (int pass = 0; pass < 2; pass++) {
        int at_full_power = near->at_full_power ^ pass;
        double x = stationary_log_u(p, at_full_power, near->log_u[at_full_power]);
        near->log_u[at_full_power] = x;
        if (!isfinite(x)) continue;
        Point found = point_at(p, x);
        if (at_full_power ? found.seconds * full <= found.value * (1 + 1e-9) : !found.at_full_power) {
            near->at_full_power = at_full_power;
            return found;
        }
    }
    return point_at(p, root_of_slope(p, 0.7));
}

/* Cheapest band and power where the seconds are given; the cost is infinite if they are too few. */
LinkChoice link_in_time(const Link *link, double second_price, double joule_price, double hz_price, double seconds) {
    LinkChoice choice = {INFINITY, 0, 0, 0};
    double highest = link->max_power_w * seconds / link->unit_j; /* of phi */
    if (!(highest > 1)) return choice;
    double energy = joule_price * link->unit_j, hz = hz_price * link->nats / seconds;
    double u = energy > 0 ? balanced_u(hz / energy) : INFINITY;
    if (!(u < 600 && phi(u) <= highest)) u = u_of_phi(highest);
    if (!(u > 0)) return choice;
    double value = phi(u);
    choice.seconds = seconds;
    choice.band_hz = link->nats / (u * seconds);
    choice.power_w = link->unit_j * value / seconds;
    choice.cost = second_price * seconds + energy * value + hz / u;
    return choice;
}

/* Whether the best seconds are those of a cap: more of them would save more band than they cost. */
static int cap_binds(const Link *link, double second_price, double joule_price, double hz_price, double cap_s) {
    double u = hz_price * link->nats / (second_price * cap_s * cap_s); /* what the cap's band costs as much as its seconds at */
    double highest = link->max_power_w * cap_s / link->unit_j, left = exp(-u);
    if (u > 600 || phi(u) >= highest) return 1;
    return balance(u, left) * joule_price * link->unit_j >= hz_price * link->nats / cap_s * left;
}

/* Cheapest seconds, band and power for prices of a second, a joule and a hertz, within `cap_s` seconds; the cost is
   infinite where none fits. All prices but the joule's are above 0. `near` is where the last of similar links was best. */
LinkChoice best_link_near(const Link *link, double second_price, double joule_price, double hz_price, double cap_s,
                          Near *near) {
    LinkChoice choice = {INFINITY, 0, 0, 0};
    if (link->max_power_w <= 0) return choice;
    if (isfinite(cap_s) && cap_binds(link, second_price, joule_price, hz_price, cap_s))
        return link_in_time(link, second_price, joule_price, hz_price, cap_s);
    Priced priced = {link, second_price, joule_price, hz_price};
    Point best = best_point(&priced, near);
    if (best.seconds > cap_s) return link_in_time(link, second_price, joule_price, hz_price, cap_s);
    choice.cost = best.cost, choice.seconds = best.seconds;
    choice.band_hz = link->nats / (best.u * best.seconds);
    choice.power_w = link->unit_j * best.value / best.seconds;
    return choice;
}

LinkChoice best_link(const Link *link, double second_price, double joule_price, double hz_price, double cap_s) {
    Near nowhere = NOWHERE;
    return best_link_near(link, second_price, joule_price, hz_price, cap_s, &nowhere);
}

/* Cheapest seconds and power on a given band: a clipped Lambert W. */
LinkChoice best_power(const Link *link, double second_price, double joule_price, double band_hz, double cap_s) {
    LinkChoice choice = {INFINITY, 0, 0, 0};
    if (link->max_power_w <= 0 || band_hz <= 0) return choice;
    double high = log1p(link->max_power_w * link->nats / (link->unit_j * band_hz));
    double low = link->nats / (band_hz * cap_s);
    if (!(high > 0) || low > high) return choice;
    double energy = joule_price * link->unit_j, wanted = second_price * link->nats / band_hz;
    double u = energy > 0 ? balanced_u(wanted / energy) : high;
    u = fmax(low, fmin(u, high));
    if (!(u > 0)) return choice;
    choice.seconds = link->nats / (band_hz * u);
    choice.band_hz = band_hz;
    choice.power_w = link->unit_j * phi(u) / choice.seconds;
    choice.cost = second_price * choice.seconds + energy * phi(u);
    return choice;
}
