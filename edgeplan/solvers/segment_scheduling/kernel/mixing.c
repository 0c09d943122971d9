/* The cheapest mix: how many micro-batches each cluster runs, where all of them together cost something. */

#include "kernel.h"

#include <math.h>
#include <stdlib.h>

/* Choose for `clusters` clusters among `width` numbers of micro-batches, from 1, of which `costs`[cluster][number]
   tells the cost, and `level` / M that of all M of them. Returns the least cost; `chosen` gets the numbers. NAN without
   memory. */
double mix_micro_batches(const double *costs, int clusters, int width, double level, int32_t *chosen) {
    int most = clusters * (width - 1) + 1; /* totals, beyond one for each cluster */
    double *least = malloc(2 * most * sizeof(double)), *next = least + most;
    int32_t *choices = malloc((size_t)clusters * most * sizeof(int32_t));
    double best = NAN;
    if (least && choices) {
        double *room = least;
        int count = 1, at = 0;
        least[0] = 0;
        for (int n = 0; n < clusters; n++, costs += width) {
            int32_t *choice = choices + (size_t)n * most;
            int more = count + width - 1;
            for (int total = 0; total < more; total++) next[total] = INFINITY, choice[total] = 0;
            for (int k = 0; k < width; k++)
                for (int total = 0; total < count; total++) {
                    double sum = least[total] + costs[k];
                    choice[total + k] = sum < next[total + k] ? k : choice[total + k];
                    next[total + k] = sum < next[total + k] ? sum : next[total + k];
                }
            double *other = least;
            least = next, next = other, count = more;
        }
        best = INFINITY;
        for (int total = 0; total < count; total++) {
            double all = least[total] + level / (total + clusters);
            if (all < best) best = all, at = total;
        }
        for (int n = clusters - 1; n >= 0; n--) {
            int k = choices[(size_t)n * most + at];
            chosen[n] = k + 1, at -= k;
        }
        least = room;
    }
    free(least), free(choices);
    return best;
}
