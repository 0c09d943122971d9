/* What one device can bring: shared by the files of the kernel and, field by field, by library.py. */

#ifndef EDGEPLAN_SPARSE_KERNEL_H
#define EDGEPLAN_SPARSE_KERNEL_H

#include <stdint.h>

/* Layers stand from input to output; depth k reaches the last k of them. */
typedef struct {
    int32_t num_layers;
    const int32_t *first;       /* [num_layers + 1] options of layer l are first[l] .. first[l + 1] - 1 */
    const int64_t *memory;      /* [options] bytes */
    const double *flops;        /* [options] of the weights' gradient, per sample */
    const int64_t *reach_bytes; /* [num_layers + 1] base and biases of depth k */
    const double *reach_flops;  /* [num_layers + 1] forward pass and input gradients of depth k, per sample */
} Layers;

/* What one device may do, and what it is worth. */
typedef struct {
    int64_t memory_bytes;
    double flops;               /* per sample within the step limit, infinite without one */
    const double *value;        /* [options] */
    const double *depth_value;  /* [num_layers + 1] minus infinity: not allowed */
    const uint8_t *allowed;     /* [options] */
    const uint8_t *may_skip;    /* [num_layers] whether a layer within reach may go without an option */
} Device;

/* In: a choice to begin with (depth -1: none) and prices; out: the best. */
typedef struct {
    double value;               /* minus infinity: nothing above the value asked for */
    double upper;               /* bound on it: the value, unless labels had to be dropped */
    double byte_price, flop_price;
    int32_t depth;
    int32_t wide;               /* labels of a layer that are kept at most */
} Choice;

void best_choice(const Layers *layers, const Device *device, double above, Choice *choice, int32_t *option);

/* Slices and classes of devices, for groups that many slices share. Kinds of classes differ by what slices
   are worth to them and by FLOPs; classes of a kind stand together, from little memory to much. */
typedef struct {
    int32_t num_slices, num_layers, num_kinds;
    const int32_t *order;       /* [slices] each behind the one that it needs; first the biases */
    const int32_t *needs;       /* [slices] -1: none */
    const int32_t *layer;       /* [slices] */
    const double *memory;       /* [slices] bytes on a device */
    const double *flops;        /* [slices] per sample */
    const double *sent;         /* [slices] bytes on their way */
    const double *worth;        /* [kinds][slices] to one device, before it pays for aggregation */
    const double *budget_flops; /* [kinds] */
    const int32_t *first;       /* [kinds + 1] classes of kind k are first[k] .. first[k + 1] - 1 */
    const double *count;        /* [classes] devices */
    const double *budget;       /* [classes] bytes */
    const double *fixed, *per_byte; /* [devices + 1] price of a group by size */
    double fixed_joining, per_byte_joining; /* what about one more device adds to them */
} Bundled;

/* Which slices are updated by the same group: in and out. */
typedef struct {
    double value;               /* of the best */
    uint64_t random;            /* state */
    int32_t *bundle;            /* [slices] where the search stands; -1: nobody updates the slice */
    int32_t *best;              /* [slices] */
    int32_t *joined;            /* [classes] of the best, a bit for every bundle */
} Annealed;

/* Move slices between so many bundles, 24 at most; from evaluation to evaluation a move may lose less. */
void anneal(const Bundled *given, Annealed *state, int32_t num_bundles, int32_t evaluations, double hot,
            double cold);

#endif
