"""How the kernel made nodes, in words for the reader of a report."""

HELD = (
    "every node was a network namespace with a shaped link, and held to its speed by a quota of the "
    "processor while it trained"
)
STEADIED = (
    "a processor that others share is now slower, now faster: a small convolution was timed between steps, "
    "and a node given as much of the processor as its work takes at the convolution's usual speed"
)
